"""Small pictures made large without learning: filters, and a tracer of bitmaps."""

import io

import numpy as np
from PIL import Image

from keras_t2i.data.emoji.rasterize import draw_png
from keras_t2i.data.emoji.rasterize import read_rgba
from keras_t2i.data.windows import on_white
from keras_t2i.utils.images import to_uint8

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}


def resampled(pictures, size, method):
    """Pictures, uint8 `(n, s, s, 3)`, at another size by a filter out of `FILTERS`."""
    filter = FILTERS[method]
    return np.stack(
        [np.asarray(Image.fromarray(picture).resize((size, size), filter)) for picture in pictures]
    )


def traced(pictures, size):
    """Pictures, uint8 `(n, s, s, 3)`, traced by vtracer (colors clustered, outlines fitted by splines) and
    drawn at another size.

    Raises: ImportError without the package vtracer.
    """
    import vtracer

    drawn = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "png")
        # Its default drops what is smaller than 4x4 pixels, which is an eye at 32.
        svg = vtracer.convert_raw_image_to_svg(file.getvalue(), img_format="png", filter_speckle=1)
        rgba = np.asarray(read_rgba(io.BytesIO(draw_png(svg, width=size, height=size))))
        drawn.append(to_uint8(on_white(rgba)[..., :3]))
    return np.stack(drawn)


def enlargers():
    """dict of name to a function `(pictures, size)`: the filters, and vtracer where it is installed."""
    found = {name: lambda pictures, size, name=name: resampled(pictures, size, name) for name in FILTERS}
    try:
        import vtracer  # noqa: F401
    except ImportError:
        return found
    return {**found, "vtracer": traced}
