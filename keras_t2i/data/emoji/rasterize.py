"""From vector art to pixels, on white."""

import io
import re

import numpy as np
from PIL import Image

from keras_t2i.data.windows import RasterPicture
from keras_t2i.data.windows import on_white

# A channel this bright everywhere is an empty picture; antialiasing never leaves a drawn one above it.
BLANK_LEVEL = 250


def rasterize_svg(svg, size):
    """Draws an SVG into a square white picture.

    Args:
        svg: str, the SVG document.
        size: int, height and width in pixels.

    Returns:
        uint8 array `(size, size, 3)`, values 0 to 255. A drawing that is not square is centred.

    Raises:
        ValueError: if `size` is not positive or the SVG cannot be read.
    """
    if size < 1:
        raise ValueError(f"size must be a positive number of pixels, received {size}")
    picture = draw(svg, size)
    if len(picture) > size:  # a tall drawing
        picture = draw(svg, max(1, size * size // len(picture)))[:size]
    height, width = picture.shape[:2]
    if height == width == size:
        return picture
    square = np.full((size, size, 3), 255, "uint8")
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = picture
    return square


class VectorPicture:
    """An SVG document, of which any window can be drawn; one that is not square is centered.

    Args:
        svg: str.

    Raises: ValueError where it has no viewBox.
    """

    detail = float("inf")

    def __init__(self, svg):
        found = re.search(r"""viewBox=["']([^"']*)["']""", svg)
        numbers = re.findall(r"[^\s,]+", found[1]) if found else ()
        try:
            left, top, width, height = map(float, numbers)
        except ValueError:
            raise ValueError("the SVG has no viewBox of four numbers") from None
        self.side = max(width, height)
        self.left, self.top = left - (self.side - width) / 2, top - (self.side - height) / 2
        self.before, self.after = svg[: found.start(1)], svg[found.end(1) :]

    @property
    def identity(self):
        """As of `RasterPicture`: the document behind its viewBox."""
        return self.after.encode()

    def window(self, left, top, side, size):
        """As of `RasterPicture.window`, with the rasterizer's antialiasing."""
        box = (self.left + left * self.side, self.top + top * self.side, side * self.side, side * self.side)
        svg = f"{self.before}{' '.join(f'{number:.9g}' for number in box)}{self.after}"
        return on_white(np.asarray(read_rgba(io.BytesIO(draw_png(svg, width=size, height=size)))))


def read_raster(path):
    """A picture file as a `RasterPicture`, with its opacity."""
    return RasterPicture(np.asarray(read_rgba(path)))


def draw(svg, width):
    """Draws an SVG at a width in pixels and the height that goes with it, on white."""
    return decode_on_white(draw_png(svg, width=width))


def draw_png(svg, **shape):
    """The bytes of a PNG file of an SVG, `width` pixels wide and perhaps `height` pixels high."""
    import resvg_py

    # Fonts of the machine are left out, so that the picture is the same everywhere.
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, dpi=96, skip_system_fonts=True, **shape))


def read_rgba(file):
    """A picture file, a path or an open one, as Pillow's RGBA picture."""
    with Image.open(file) as picture:
        return picture.convert("RGBA")


def decode_on_white(file, size=None):
    """Reads a picture file and puts it on white, transparency composited before any resizing.

    Args:
        file: bytes of a picture file (PNG, WebP, ...).
        size: int or None; if given, height and width to resize to.

    Returns:
        uint8 array `(height, width, 3)`, values 0 to 255.
    """
    picture = read_rgba(io.BytesIO(file))
    on_white = Image.new("RGBA", picture.size, "white")
    on_white.alpha_composite(picture)
    picture = on_white.convert("RGB")
    if size is not None and picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BOX if size < picture.width else None)
    return np.asarray(picture)


def encode_png(picture):
    """The bytes of a PNG file of a uint8 array `(height, width, 3)`."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    return buffer.getvalue()


def is_blank(picture):
    """Whether nothing is drawn on a uint8 picture `(height, width, 3)`."""
    return bool(picture.min() > BLANK_LEVEL)
