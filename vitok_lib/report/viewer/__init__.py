"""The viewer: originals and reconstructions side by side."""
