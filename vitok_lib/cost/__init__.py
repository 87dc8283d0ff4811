"""What tokenizers cost by arithmetic: FLOPs, bytes and the roofline. It needs no torch, for the report uses it too."""
