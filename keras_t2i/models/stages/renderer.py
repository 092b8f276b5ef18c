"""A small picture to one of any size, in one or two passes of the renderer's network."""

from functools import cache
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from tqdm.auto import tqdm

from keras_t2i.models.networks.renderer import GENERATED
from keras_t2i.models.outputs import as_color
from keras_t2i.models.outputs import as_size
from keras_t2i.models.outputs import check_memory
from keras_t2i.models.outputs import check_output
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.stages.stage import inputs_like
from keras_t2i.utils.batching import predict_on_batch
from keras_t2i.utils.contours import check_contours
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i.utils.stopping import ask
from keras_t2i_runtime.drawing import Drawer
from keras_t2i_runtime.tiling import TILE
from keras_t2i_runtime.tiling import framed_bands

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

    @property
    def drawer(self):
        """`Drawer`, which asks the network for fields and draws out of them; none of it is Keras' own."""
        network, renderer = partial(predict_on_batch, self.renderer), self.renderer
        return Drawer(network, renderer.slots, renderer.nodes, self.second_pass, self.between)

    def fields(self, image, noise_level=0.0):
        """The fields of one picture.

        Args:
            image: float32 `(h, w, 3)` in [-1, 1], of any size.
            noise_level: float.

        Returns:
            dict of NumPy float32 `logits` and `colors`, `(h * nodes, w * nodes, ...)`.
        """
        return self.drawer.fields(image, noise_level)

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
        return self.drawer.placed_bands(image, canvas.height, canvas.width, noise_level, tile, window)

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
                    ask()
        return drawn

    def get_config(self):
        return {
            **super().get_config(),
            "noise_level": self.noise_level,
            "second_pass": self.second_pass,
            "between": self.between,
        }
