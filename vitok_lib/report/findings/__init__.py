"""The sentences that the report computes from records."""
