"""What do tokenizers make of an image, for the eye? Pictures for the viewer."""
