"""The auto-encoders of diffusers as tokenizers."""
