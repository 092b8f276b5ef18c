"""Concepts as a person handles them: arrays of directions. NumPy."""

import numpy as np


def as_codes(name, codes, code_dim):
    """`codes` as float32 `(n, code_dim)`.

    Raises: ValueError, by this name, for another shape or a number that is not finite.
    """
    codes = np.asarray(codes, dtype="float32")
    if codes.ndim != 2 or codes.shape[-1] != code_dim or not len(codes) or not np.isfinite(codes).all():
        raise ValueError(f"{name} must be finite (n, {code_dim}), got {codes.shape}")
    return codes


def unit(codes):
    """Each row of `(n, d)` at length 1; zeros stay zeros."""
    return codes / np.maximum(np.linalg.norm(codes, axis=-1, keepdims=True), 1e-12)
