"""From records to the pages of the book."""
