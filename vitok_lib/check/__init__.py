"""What ``vitok check`` audits: records, sums, claims, pages and the built site."""
