"""Large pictures in parts: what a network sees of them at once; and how they are drawn out of their fields,
tile by tile: never more of it in memory than a band of tiles."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from keras_t2i_runtime.fields import mix_slots
from keras_t2i_runtime.fields import read_field
from keras_t2i_runtime.fields import spline_matrix

TILE = 128  # pixels: small enough that BLAS starts no threads of its own, which would wait for each other
BLOCK = 64  # pixels of the input that a renderer sees at once, and how many more on each side
MARGIN = 24
THREADS = 2  # NumPy works outside of Python's lock


class Placement(NamedTuple):
    """Where a picture of `h` by `w` input pixels sits in a drawing of `height` by `width` output pixels: in
    the middle, as large as fits.

    scale: float, output pixels per input pixel; top, left, rows, columns: ints, what it covers.
    """

    scale: float
    top: int
    left: int
    rows: int
    columns: int

    @classmethod
    def of(cls, h, w, height, width):
        scale = min(height / h, width / w)
        rows, columns = max(1, min(height, round(h * scale))), max(1, min(width, round(w * scale)))
        return cls(scale, (height - rows) // 2, (width - columns) // 2, rows, columns)


def blocks(side, block=BLOCK, margin=MARGIN):
    """Blocks of a side of a picture: a list of slices, what the network sees and what of it is the block.

    All windows have one size, so the network compiles once. Where that, the block and the margin are
    multiples of a number, all windows begin at one.
    """
    size = min(side, block + 2 * margin)
    found = []
    for first in range(0, side, block) if size < side else [0]:
        last = min(first + block, side) if size < side else side
        low = min(max(first - margin, 0), side - size)
        found.append((slice(low, low + size), slice(first, last)))
    return found


def draw_bands(fields, window, nodes, place, tile=TILE):
    """Yield a drawing's bands, float32 `(4, up to tile, columns)`, of the part that the picture covers.

    Args:
        fields: dict of `logits` and `colors` of one picture, float32 NumPy `(h * nodes, w * nodes, ...)`.
        window: (top, left, height, width), in input pixels: the part of the picture that is drawn.
        nodes: dict of ints, nodes per input pixel of each field.
        place: `Placement`.
        tile: int, pixels.
    """
    sides = (place.rows, place.columns)
    axes = zip(window[:2], window[2:], sides, strict=True)
    middles = [first + (np.arange(n, dtype="float64") + 0.5) * extent / n for first, extent, n in axes]
    scale = np.float32([place.scale])

    def cuts(axis):
        """For each tile along an axis, by field: the nodes that it needs, and the matrix that reads them."""
        found = []
        for first in range(0, sides[axis], tile):
            here = middles[axis][first : first + tile]
            found.append({name: cut(fields[name].shape[axis], nodes[name], here, name) for name in fields})
        return found

    def cut(count, per_pixel, here, name):
        lowest = max(0, int(here[0] * per_pixel - 0.5) - 2)
        highest = min(count, int(here[-1] * per_pixel - 0.5) + 4)
        # Beyond a cut that is not the border no node counts, so it may be read as a row of its own.
        here = (here - lowest / per_pixel).astype("float32")
        return slice(lowest, highest), spline_matrix(here, highest - lowest, per_pixel, name == "logits")

    def draw(down, across):
        read = {}
        for name, field in fields.items():
            (rows, down_matrix), (columns, across_matrix) = down[name], across[name]
            read[name] = read_field(field[None, rows, columns], down_matrix[None], across_matrix[None])
        return mix_slots(read["logits"], read["colors"], scale)[0]

    across = cuts(1)
    with ThreadPoolExecutor(THREADS) as pool:
        for down in cuts(0):
            yield np.concatenate(list(pool.map(lambda one, down=down: draw(down, one), across)), axis=2)


def to_pixels(drawn, background):
    """Drawn pixels on a background.

    Args:
        drawn: float32 `(4, h, w)`: red, green, blue on white in [-1, 1], opacity in [0, 1].
        background: three ints 0 to 255, or `None`, transparent.

    Returns:
        uint8 `(h, w, 3)`, or straight RGBA, `(h, w, 4)`.
    """
    on_white, opacity = (np.clip(drawn[:3], -1.0, 1.0) + 1.0) * 0.5, np.clip(drawn[3:], 0.0, 1.0)
    if background is None:
        color = (on_white - (1.0 - opacity)) / np.maximum(opacity, 1e-3)
        pixels = np.concatenate([color, opacity])
    elif tuple(background) == (255, 255, 255):
        pixels = on_white
    else:
        pixels = on_white + (1.0 - opacity) * (np.float32(background)[:, None, None] / 255.0 - 1.0)
    return (np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype("uint8").transpose(1, 2, 0)


def framed_bands(bands, place, height, width, background):
    """Yield bands of the whole drawing, uint8 `(rows, width, 3 or 4)`: what the picture does not cover is
    background."""
    channels = 3 if background is not None else 4
    color = np.array(background if background is not None else (0, 0, 0, 0), "uint8")

    def blank(rows):
        return np.broadcast_to(color, (rows, width, channels))

    def margin(rows):
        for first in range(0, rows, TILE):
            yield blank(min(TILE, rows - first))

    yield from margin(place.top)
    for band in bands:
        pixels = to_pixels(band, background)
        if place.columns < width:
            whole = np.array(blank(len(pixels)))
            whole[:, place.left : place.left + place.columns] = pixels
            pixels = whole
        yield pixels
    yield from margin(height - place.top - place.rows)
