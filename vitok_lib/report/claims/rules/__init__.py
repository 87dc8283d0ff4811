"""What decides a claim: comparisons, each of which ``claims.yml`` calls by its name with parameters."""
