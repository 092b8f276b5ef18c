"""Pictures as arrays: between numbers for people and numbers for networks."""

import numpy as np


def to_float(pictures):
    """uint8 0 to 255 to float32 in [-1, 1]."""
    return pictures.astype("float32") / np.float32(127.5) - np.float32(1)


def to_uint8(images):
    """Float in [-1, 1] to uint8 0 to 255, clipped and rounded: the inverse of `to_float`."""
    return np.clip(np.rint((images.astype("float32") + 1) * np.float32(127.5)), 0, 255).astype("uint8")
