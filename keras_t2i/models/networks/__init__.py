"""Weights and a forward pass: no seed and no loop."""
