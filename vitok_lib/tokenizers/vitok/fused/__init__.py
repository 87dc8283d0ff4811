"""A block of the ViTok in Triton kernels of this project between its matrix products, for inference on a GPU."""
