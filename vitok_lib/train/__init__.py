"""How the small tokenizers that ship here are trained."""
