"""The networks whose features distances compare, and how their weights are loaded."""
