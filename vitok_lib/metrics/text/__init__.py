"""How well text in an image is read: a recogniser of lines, and what it gets right."""
