"""Measuring tokenizers: quality, speed, memory, and predictions of them."""
