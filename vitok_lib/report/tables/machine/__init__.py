"""Tables of time, memory and work."""
