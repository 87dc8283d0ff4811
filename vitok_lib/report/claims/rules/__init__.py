"""The rules that decide claims."""
