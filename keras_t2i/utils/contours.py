"""Level sets of sampled functions, as polygons."""

import importlib.util
import itertools

import numpy as np
from PIL import Image
from PIL import ImageDraw


def check_contours():
    """Raise an ImportError, which says what to install, where contourpy is not."""
    if importlib.util.find_spec("contourpy") is None:
        raise ImportError('To draw an SVG, install contourpy: pip install "keras-t2i[svg]"')


def polygons(field):
    """Where a function is positive.

    Args:
        field: float `(h, w)`, its values at (x, y) = (column, row); negative along the border.

    Returns:
        list of polygons, each a list of lines, float64 `(n, 2)` (x, y): the outer one, then those of holes,
        which run the other way round.
    """
    import contourpy

    inside = np.flatnonzero((field > 0).any(axis=1)), np.flatnonzero((field > 0).any(axis=0))
    if not len(inside[0]):
        return []
    (top, bottom), (left, right) = ((max(0, side[0] - 1), side[-1] + 2) for side in inside)
    made = contourpy.contour_generator(
        np.arange(left, min(right, field.shape[1]), dtype="float64"),
        np.arange(top, min(bottom, field.shape[0]), dtype="float64"),
        field[top:bottom, left:right],
        fill_type=contourpy.FillType.OuterOffset,
    )
    points, offsets = made.filled(0.0, np.inf)
    return [
        [line[a : b - 1] for a, b in itertools.pairwise(cuts)]
        for line, cuts in zip(points, offsets, strict=True)
    ]


def area_of(line):
    """Signed area of a closed line, float64 `(n, 2)`: the sign says which way round it runs."""
    x, y = line.T
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def within(line, shape):
    """The pixels within a closed line: a pair of slices (rows, columns), and bool of that part of `shape`."""
    low = np.clip(np.floor(line.min(axis=0)).astype(int), 0, None)
    high = np.minimum(np.ceil(line.max(axis=0)).astype(int) + 1, shape[::-1])
    mask = Image.new("1", tuple(int(side) for side in high - low))
    ImageDraw.Draw(mask).polygon([tuple(point) for point in (line - low).tolist()], fill=1)
    return (slice(low[1], high[1]), slice(low[0], high[0])), np.asarray(mask)


def grown(field, times=1):
    """A function whose level sets lie so many samples further out: each time the largest of 3 x 3 samples."""
    for axis in (0, 1) * times:
        first, second, out = (np.moveaxis(array, axis, 0) for array in (field, field, field.copy()))
        np.maximum(out[1:], first[:-1], out=out[1:])
        np.maximum(out[:-1], second[1:], out=out[:-1])
        field = np.moveaxis(out, 0, axis)
    return field
