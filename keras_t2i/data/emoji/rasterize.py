"""From vector art to pixels, on white."""

import io

import numpy as np
from PIL import Image

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


def draw(svg, width):
    """Draws an SVG at a width in pixels and the height that goes with it, on white."""
    import resvg_py

    # Fonts of the machine are left out, so that the picture is the same everywhere.
    png = resvg_py.svg_to_bytes(svg_string=svg, width=width, dpi=96, skip_system_fonts=True)
    return decode_on_white(bytes(png))


def decode_on_white(file, size=None):
    """Reads a picture file and puts it on white, transparency composited before any resizing.

    Args:
        file: bytes of a picture file (PNG, WebP, ...).
        size: int or None; if given, height and width to resize to.

    Returns:
        uint8 array `(height, width, 3)`, values 0 to 255.
    """
    with Image.open(io.BytesIO(file)) as picture:
        picture = picture.convert("RGBA")
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
