"""Concepts as a person handles them: arrays of directions. NumPy."""

import numpy as np


def check_embeddings(name, codes, code_dim):
    """`codes` as float32 `(n, code_dim)`.

    Raises: ValueError, by this name, for another shape or a number that is not finite.
    """
    codes = np.asarray(codes, dtype="float32")
    if codes.ndim != 2 or codes.shape[-1] != code_dim or not len(codes) or not np.isfinite(codes).all():
        raise ValueError(f"{name} must be finite (n, {code_dim}), got {codes.shape}")
    return codes


def l2_normalize(codes):
    """Each row of `(n, d)` at length 1; zeros stay zeros."""
    return codes / np.maximum(np.linalg.norm(codes, axis=-1, keepdims=True), 1e-12)


def slerp(start, end, fraction):
    """Points on the great circle from one direction to another (Shoemake 1985, "Animating rotation with
    quaternion curves"); between two of length 1 all have length 1, between two of noise's length nearly that.

    Args:
        start, end: float arrays of one shape, seen as vectors; not opposite.
        fraction: float, or `(n,)`: 0 is the start, 1 the end, exactly.

    Returns:
        float32 of that shape, or `(n, ...)`.
    """
    start, end = np.asarray(start, "float64"), np.asarray(end, "float64")
    cosine = np.sum(start * end) / max(np.linalg.norm(start) * np.linalg.norm(end), 1e-300)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    fraction = np.asarray(fraction, "float64")
    of_start, of_end = 1.0 - fraction, fraction
    if angle > 1e-6:  # of nearly one direction the arc is the line
        of_start, of_end = np.sin(of_start * angle) / np.sin(angle), np.sin(of_end * angle) / np.sin(angle)
    shape = (*fraction.shape, *([1] * start.ndim))
    return (of_start.reshape(shape) * start + of_end.reshape(shape) * end).astype("float32")
