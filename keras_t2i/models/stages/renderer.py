"""A small picture to one of any size, in one or two passes of the renderer's network."""

from functools import cache
from typing import NamedTuple

import keras
import numpy as np
from PIL import Image
from tqdm import tqdm

from keras_t2i.models.inputs import as_color
from keras_t2i.models.inputs import as_size
from keras_t2i.models.inputs import check_memory
from keras_t2i.models.inputs import check_output
from keras_t2i.models.networks.renderer import GENERATED
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.stages.stage import inputs_like
from keras_t2i.models.stages.tiling import TILE
from keras_t2i.models.stages.tiling import Placement
from keras_t2i.models.stages.tiling import blocks
from keras_t2i.models.stages.tiling import draw_bands
from keras_t2i.models.stages.tiling import framed_bands
from keras_t2i.utils.batching import predict_on_batch
from keras_t2i.utils.contours import check_contours
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

PACKAGED = "renderer_emoji"
DEFAULT_SIZE = 512


class Canvas(NamedTuple):
    """What is drawn on: height and width in pixels, and the color of what the picture does not cover, three
    ints 0 to 255, or `None`, transparent."""

    height: int
    width: int
    background: tuple | None = (255, 255, 255)

    @classmethod
    def of(cls, size, background, count=0, output="array"):
        """What a person asks for, checked, with enough memory for so many drawings; no size, no canvas.

        An SVG has a size all the same, and needs no memory for pixels.
        """
        check_output(output)
        if output == "svg":
            check_contours()
            return cls(*as_size(DEFAULT_SIZE if size is None else size), as_color(background))
        if size is None:
            return None
        canvas = cls(*as_size(size), as_color(background))
        check_memory(*canvas.shape, count)
        return canvas

    @property
    def shape(self):
        """(height, width, channels)."""
        return self.height, self.width, 3 if self.background is not None else 4


@cache
def packaged_renderer():
    """The `RendererStage` of a generator that has none of its own; opened once."""
    return RendererStage.from_preset(PACKAGED)


@keras.saving.register_keras_serializable(package="keras_t2i")
class RendererStage(Stage):
    """Draws a picture at any size, out of smooth fields.

    Args:
        renderer: `Renderer`.
        noise_level: float, of the pictures that a generator hands on: see `Renderer`.
        second_pass: float: from so many output pixels per pixel on, a picture is first drawn at
            `between` times its size, and that drawing again. 0: never.
        between: int.

    Call: one evaluation of the network, see there.
    """

    nested = ("renderer",)
    consumes = ("image",)
    produces = "rendering"
    settings = ("size", "background")

    def __init__(self, renderer, noise_level=GENERATED, second_pass=0.0, between=4, dtype=None, **kwargs):
        # === Functional model ===
        inputs = inputs_like(renderer)
        super().__init__(inputs=inputs, outputs=renderer(inputs), dtype=dtype, **kwargs)

        # === Config ===
        self.renderer = renderer
        self.noise_level = float(noise_level)
        self.second_pass = float(second_pass)
        self.between = int(between)

    def resolve(self, size=DEFAULT_SIZE, background="white"):
        return {"canvas": Canvas.of(size, background)}

    def sample_batch(self, conditions, draws, unconditional=None, update=None, canvas=None):
        """Drawings, uint8 `(n, height, width, 3 or 4)`, of images, float `(n, h, w, 3)`; nothing is drawn by
        chance."""
        drawn = self.render(to_uint8(np.asarray(conditions["image"])), canvas, self.noise_level)
        if update is not None:
            update()
        return drawn

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
            for (name, n), channels in zip(
                self.renderer.nodes.items(), (self.renderer.slots, 4 * self.renderer.slots), strict=True
            )
        }
        level = np.full(1, noise_level, "float32")
        for seen_rows, own_rows in blocks(padded.shape[0]):
            for seen_columns, own_columns in blocks(padded.shape[1]):
                inputs = {"images": padded[None, seen_rows, seen_columns], "noise_level": level}
                for name, values in predict_on_batch(self.renderer, inputs).items():
                    n = self.renderer.nodes[name]
                    inner = scaled(own_rows, n, seen_rows.start), scaled(own_columns, n, seen_columns.start)
                    found[name][scaled(own_rows, n), scaled(own_columns, n)] = np.asarray(values)[0][inner]
        return {
            name: values[: h * self.renderer.nodes[name], : w * self.renderer.nodes[name]]
            for name, values in found.items()
        }

    def bands(self, image, canvas, noise_level=0.0, tile=TILE, window=None):
        """Yield a drawing of one picture, band by band from the top.

        Args:
            image: float32 `(h, w, 3)` in [-1, 1].
            canvas: `Canvas`; the picture is as large as fits, in the middle.
            noise_level: float, how noisy the picture is: see `Renderer`.
            tile: int, pixels of a tile's side; the drawing does not depend on it, but for rounding.
            window: (top, left, height, width), in pixels of the image: the part of it that is drawn;
                `None`: the whole.

        Yields:
            uint8 `(rows, width, 3)`, or straight RGBA.
        """
        yield from framed_bands(*self.placed_bands(image, canvas, noise_level, tile, window), *canvas)

    def placed_bands(self, image, canvas, noise_level=0.0, tile=TILE, window=None):
        """As `bands`, of the part that the picture covers: an iterator of float32 `(4, rows, columns)`, as of
        `draw_bands`, and the `Placement`."""
        h, w, _ = image.shape
        window = (0, 0, h, w) if window is None else window
        place = Placement.of(*window[2:], canvas.height, canvas.width)
        if place.scale < 1:  # each pixel is a mean of the picture's, not one of them
            image, window = shrunk(image, window, place), (0, 0, place.rows, place.columns)
            place = place._replace(scale=1.0)
        if self.second_pass and place.scale >= self.second_pass:
            larger = Placement.of(h, w, h * self.between, w * self.between)
            drawn = list(
                draw_bands(self.fields(image, noise_level), (0, 0, h, w), self.renderer.nodes, larger)
            )
            image = np.clip(np.concatenate(drawn, axis=1)[:3].transpose(1, 2, 0), -1.0, 1.0)
            window, noise_level = [side * self.between for side in window], 0.0
            place = place._replace(scale=place.scale / self.between)
        return draw_bands(self.fields(image, noise_level), window, self.renderer.nodes, place, tile), place

    def render(self, pictures, canvas, noise_level=0.0, progress=False, window=None):
        """Drawings of pictures.

        Args:
            pictures: uint8 `(n, h, w, 3)`.
            canvas, noise_level, window: as of `bands`.
            progress: bool, whether to show a progress bar, of rows.

        Returns:
            uint8 `(n, height, width, 3)`, or straight RGBA, `(n, height, width, 4)`.
        """
        drawn = np.empty((len(pictures), *canvas.shape), "uint8")
        with tqdm(total=len(pictures) * canvas.height, unit="row", disable=not progress) as bar:
            for picture, out in zip(pictures, drawn, strict=True):
                row = 0
                for band in self.bands(to_float(picture), canvas, noise_level, window=window):
                    out[row : row + len(band)] = band
                    row += len(band)
                    bar.update(len(band))
        return drawn

    def get_config(self):
        return {
            **super().get_config(),
            "noise_level": self.noise_level,
            "second_pass": self.second_pass,
            "between": self.between,
        }


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
