"""The ground floor: what knows no model of pictures, and imports nothing else of this package."""
