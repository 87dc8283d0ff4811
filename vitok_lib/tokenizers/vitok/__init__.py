"""ViTok: the model, its checkpoints and how it runs."""
