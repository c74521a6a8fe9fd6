"""A node with a million series."""
