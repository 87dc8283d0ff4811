"""What would an evaluation take? Memory, FLOPs and least time before anything is loaded."""
