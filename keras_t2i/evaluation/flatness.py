"""How flat are fills, and how much smoothing makes drawings as flat as true pictures? No judge is asked."""

import numpy as np

from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i_runtime.smoothing import smoothed

FLAT = 8  # of 255: neighbors no further apart are of one fill, or of one gradient
SMOOTHINGS = (0.0, 0.025, 0.05, 0.075, 0.1)  # above, outlines are lost


def share_of_neighbors(pictures, apart=FLAT):
    """Of neighboring pixels, beside and below each other, those at most so far apart.

    Args:
        pictures: uint8 `(n, h, w, 3)`.
        apart: float, of 255, in the channel in which they are furthest.

    Returns: float from 0 to 1.
    """
    pictures = pictures.astype("int16")
    pairs = [np.abs(np.diff(pictures, axis=axis)).max(axis=-1).ravel() for axis in (1, 2)]
    return float((np.concatenate(pairs) <= apart).mean())


def matching_smoothing(true, drawn):
    """The least smoothing with which drawings have as flat fills as true pictures.

    Of photographs, which have few flat fills, it is 0.

    Args:
        true: uint8 `(n, h, w, 3)`.
        drawn: uint8 `(m, h, w, 3)`, drawn with smoothing 0.

    Returns: float, one of `SMOOTHINGS`; the largest, where none is enough.
    """
    wanted = share_of_neighbors(true)
    for value in SMOOTHINGS:
        if share_of_neighbors(to_uint8(smoothed(to_float(drawn), value))) >= wanted:
            break
    return value
