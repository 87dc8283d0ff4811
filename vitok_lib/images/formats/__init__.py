"""What Pillow needs so that every image file is read right or refused."""
