"""Image sets, and how a file becomes pixels."""
