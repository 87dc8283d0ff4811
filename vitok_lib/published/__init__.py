"""Other people's figures and their sources, as records; ``python -m vitok_lib.published`` writes them."""
