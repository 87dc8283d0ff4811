"""Metrics of images and of sets of images, their signatures and intervals."""
