"""Other people's figures and their sources, as records."""
