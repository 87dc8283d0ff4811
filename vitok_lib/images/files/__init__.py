"""Where an image's bytes are: folders, archives and tables, what is taken from them and what is left out."""
