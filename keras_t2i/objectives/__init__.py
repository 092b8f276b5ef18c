"""What networks are trained for: one loss a file."""
