"""Pictures of which any window can be had at any size: the truth that a renderer learns from."""

import hashlib
from collections.abc import Sequence

import numpy as np

from keras_t2i.data.pictures import StoredPictures


def on_white(rgba):
    """Straight RGBA, uint8 `(h, w, 4)`, to float32 `(h, w, 4)`: red, green, blue on white in [-1, 1], opacity
    in [0, 1]."""
    rgba = rgba.astype("float32") / 255
    opacity = rgba[..., 3:]
    return np.concatenate([2 * (rgba[..., :3] * opacity + (1 - opacity)) - 1, opacity], axis=-1)


class RasterPicture:
    """A picture of pixels; one that is not square is stretched to be.

    Args:
        pixels: uint8 `(h, w, 3)` or `(h, w, 4)`, straight RGBA.
    """

    def __init__(self, pixels):
        self.pixels = pixels

    @property
    def detail(self):
        """float, how many pixels of its side hold something new."""
        return float(len(self.pixels))

    @property
    def identity(self):
        """Bytes that are the same where the picture is."""
        return self.pixels.tobytes()

    def window(self, left, top, side, size):
        """Exact means over the cells of a grid on a window.

        Args:
            left, top, side: floats in [0, 1], shares of the picture's side.
            size: int, pixels of the window.

        Returns:
            float32 `(size, size, 4)`: red, green, blue on white in [-1, 1], opacity in [0, 1].
        """
        cuts, matrices = [], []
        for start, count in zip((top, left), self.pixels.shape, strict=False):
            start, cell = start * count, side * count / size
            first = int(np.clip(np.floor(start), 0, count - 1))
            last = int(np.clip(np.ceil(start + size * cell), first + 1, count))
            cuts.append(slice(first, last))
            matrices.append(box_matrix(start - first + cell * np.arange(size), cell, last - first))
        part = self.pixels[cuts[0], cuts[1]]
        if part.shape[-1] == 3:
            opacity = np.full((*part.shape[:2], 1), 255, "uint8")
            part = np.concatenate([part, opacity], axis=-1)
        part = on_white(part)
        tall = (matrices[0] @ part.reshape(len(part), -1)).reshape(size, part.shape[1], 4)
        return matrices[1] @ tall


class RasterPictures(Sequence):
    """A `RasterPicture` of each of many pictures, made when it is asked for.

    Args:
        pictures: uint8 `(n, s, s, 3)`, an array or `StoredPictures`.
    """

    def __init__(self, pictures):
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return RasterPicture(self.pictures[index])


def box_matrix(starts, cell, count):
    """Means over cells: float32 `(len(starts), count)`; beyond the border the outermost pixel goes on.

    Args:
        starts: float array, where each cell begins, in pixels.
        cell: float, their width.
        count: int, pixels.
    """
    low, edges = np.asarray(starts, "float64")[:, None], np.arange(count)
    matrix = np.clip(np.minimum(low + cell, edges + 1) - np.maximum(low, edges), 0, None) / cell
    matrix[:, 0] += np.clip(-low[:, 0], 0, cell) / cell
    matrix[:, -1] += np.clip(low[:, 0] + cell - count, 0, cell) / cell
    return matrix.astype("float32")


def digest_of(truths):
    """What a resumed run must find the same of `VectorPicture`s and `RasterPicture`s: a str."""
    digest = hashlib.blake2b(digest_size=16)
    of_files = isinstance(truths, RasterPictures) and isinstance(truths.pictures, StoredPictures)
    for one in [truths.pictures] if of_files else truths:
        digest.update(one.identity)
    return digest.hexdigest()
