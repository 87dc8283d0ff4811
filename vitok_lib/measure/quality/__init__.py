"""How well do tokenizers reconstruct images? Image by image, kept as records."""
