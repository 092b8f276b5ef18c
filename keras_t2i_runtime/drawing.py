"""A small picture at any size: a network makes smooth fields of it, out of which it is drawn."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_t2i_runtime.tiling import TILE
from keras_t2i_runtime.tiling import Placement
from keras_t2i_runtime.tiling import blocks
from keras_t2i_runtime.tiling import draw_bands


class Drawer(NamedTuple):
    """What draws pictures at any size.

    network: function of a dict of `images` and `noise_level` to one of `logits` and `colors`, as a `Renderer`
    takes and makes them; slots, nodes: the renderer's; second_pass, between: as of `RendererStage`.
    """

    network: Callable
    slots: int
    nodes: dict
    second_pass: float = 0.0
    between: int = 4

    def fields(self, image, noise_level=0.0):
        """The fields of one picture.

        Args:
            image: float32 `(h, w, 3)` in [-1, 1], of any size.
            noise_level: float.

        Returns:
            dict of NumPy float32 `logits` and `colors`, `(h * nodes, w * nodes, ...)`.
        """
        h, w, _ = image.shape
        padded = np.pad(image, ((0, -h % 4), (0, -w % 4), (0, 0)), "edge")  # the network halves it twice
        found = {
            name: np.empty((n * padded.shape[0], n * padded.shape[1], channels), "float32")
            for (name, n), channels in zip(self.nodes.items(), (self.slots, 4 * self.slots), strict=True)
        }
        level = np.full(1, noise_level, "float32")
        for seen_rows, own_rows in blocks(padded.shape[0]):
            for seen_columns, own_columns in blocks(padded.shape[1]):
                inputs = {"images": padded[None, seen_rows, seen_columns], "noise_level": level}
                for name, values in self.network(inputs).items():
                    n = self.nodes[name]
                    inner = scaled(own_rows, n, seen_rows.start), scaled(own_columns, n, seen_columns.start)
                    found[name][scaled(own_rows, n), scaled(own_columns, n)] = np.asarray(values)[0][inner]
        return {
            name: values[: h * self.nodes[name], : w * self.nodes[name]] for name, values in found.items()
        }

    def placed_bands(self, image, height, width, noise_level=0.0, tile=TILE, window=None):
        """A drawing of the part that the picture covers: an iterator of float32 `(4, rows, columns)`, as of
        `draw_bands`, and the `Placement`.

        Args: as of `RendererStage.bands`.
        """
        h, w, _ = image.shape
        window = (0, 0, h, w) if window is None else window
        place = Placement.of(*window[2:], height, width)
        if place.scale < 1:  # each pixel is a mean of the picture's, not one of them
            image, window = shrunk(image, window, place), (0, 0, place.rows, place.columns)
            place = place._replace(scale=1.0)
        if self.second_pass and place.scale >= self.second_pass:
            larger = Placement.of(h, w, h * self.between, w * self.between)
            drawn = list(draw_bands(self.fields(image, noise_level), (0, 0, h, w), self.nodes, larger))
            image = np.clip(np.concatenate(drawn, axis=1)[:3].transpose(1, 2, 0), -1.0, 1.0)
            window, noise_level = [side * self.between for side in window], 0.0
            place = place._replace(scale=place.scale / self.between)
        return draw_bands(self.fields(image, noise_level), window, self.nodes, place, tile), place


def shrunk(image, window, place):
    """A window of an image, float32 `(h, w, 3)`, as means of its pixels, as many as a drawing has."""
    top, left, height, width = window
    box, shape = (left, top, left + width, top + height), (place.columns, place.rows)
    channels = [
        Image.fromarray(plane).resize(shape, Image.Resampling.BOX, box) for plane in image.transpose(2, 0, 1)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def scaled(pixels, n, start=0):
    """A slice of pixels as one of nodes, n in a pixel, counted from pixel `start`."""
    return slice((pixels.start - start) * n, (pixels.stop - start) * n)
