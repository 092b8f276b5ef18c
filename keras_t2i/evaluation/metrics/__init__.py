"""Numbers out of arrays."""
