"""A trained network as one file: written, read, exported, quantised."""
