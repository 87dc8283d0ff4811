"""What encodes and decodes images: ViTok, diffusers auto-encoders, codecs, PCA and plug-ins."""
