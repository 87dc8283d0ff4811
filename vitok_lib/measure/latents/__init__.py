"""What the values of a latent are like, and what a decoder makes of a latent that was changed."""
