"""What a record is, where it lives and where it comes from."""
