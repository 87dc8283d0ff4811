"""Findings: the sentences that the report computes from records, and their templates."""
