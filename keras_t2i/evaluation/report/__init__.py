"""Figures as a page, a card and a table."""
