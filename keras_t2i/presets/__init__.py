"""Trained models shipped with the package, one folder each, and how presets are found and written."""
