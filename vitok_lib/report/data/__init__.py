"""Records as the report sees them, and which of them may be compared."""
