"""The drawings of the larger data set: OpenMoji's and those of the designs in npm packages."""

import json
from functools import partial

from keras_t2i.data.emoji.names import name_of
from keras_t2i.data.emoji.openmoji_drawings import STYLES
from keras_t2i.data.emoji.openmoji_drawings import Drawing
from keras_t2i.data.emoji.openmoji_drawings import drawings as openmoji_drawings
from keras_t2i.data.emoji.packages import DESIGNS
from keras_t2i.data.emoji.packages import WORDS
from keras_t2i.data.emoji.packages import package_folder
from keras_t2i.data.emoji.rasterize import VectorPicture
from keras_t2i.data.emoji.rasterize import decode_on_white
from keras_t2i.data.emoji.rasterize import rasterize_svg
from keras_t2i.data.emoji.rasterize import read_raster
from keras_t2i.data.emoji.slugs import code_point_of
from keras_t2i.data.emoji.splits import normalize_code_point

STYLE_WORDS = (*STYLES, *DESIGNS)
# Fluent draws the hands that point right by mirroring those that point left.
MIRRORED = {"1F448": "1F449"}


def drawings(designs, folder, limit=0):
    """Yields a `Drawing` for every named picture of OpenMoji and of the given designs, all styles."""
    every = list(openmoji_drawings())
    for design in designs:
        package = package_folder(folder, DESIGNS[design])
        read = webp_drawings if design == "fluent 3d" else iconify_drawings
        every += [drawing for drawing in read(package, design) if name_of(drawing.code_point)]
    if limit:
        code_points = sorted({drawing.code_point for drawing in every})
        chosen = set(code_points[:: max(1, len(code_points) // limit)])
        every = [drawing for drawing in every if drawing.code_point in chosen]
    return every


def iconify_drawings(package, style):
    """The drawings of a package of Iconify's: one JSON file of SVG bodies, another of their code points.

    Where that is empty, as in the older sets, code points are found by the drawings' names.
    """
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    names = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    code_points = {normalize_code_point(code_point): name for code_point, name in names.items()}
    code_points = code_points or named_icons(icons)
    found = {}
    for code_point, name in code_points.items():
        found[code_point] = icon_svg(icons, name)
    of_name = {name: code_point for code_point, name in code_points.items()}
    for alias in icons.get("aliases", {}).values():
        base, *rest = of_name.get(alias["parent"], "").split("-")
        if alias.get("hFlip") and base in MIRRORED:
            mirrored = "-".join([MIRRORED[base], *rest])
            found.setdefault(mirrored, icon_svg(icons, alias["parent"], mirror=True))
    for code_point in sorted(found):
        svg = found[code_point]
        yield Drawing(code_point, style, partial(rasterize_svg, svg), partial(VectorPicture, svg))


def named_icons(icons):
    """Code points to names of an Iconify set's drawings; the names that are nearest to today's go first."""
    drawn_by = {name: name for name in icons["icons"]}
    drawn_by |= {alias: about["parent"] for alias, about in icons.get("aliases", {}).items()}
    found = {}
    for name, drawn in drawn_by.items():
        code_point = code_point_of(name)
        if code_point and drawn not in found.values():
            found.setdefault(code_point, drawn)
    return found


def icon_svg(icons, name, mirror=False):
    """The SVG document of one icon of an Iconify set."""
    icon = icons["icons"][icons.get("aliases", {}).get(name, {}).get("parent", name)]
    width = icon.get("width", icons.get("width", 16))
    height = icon.get("height", icons.get("height", 16))
    body = icon["body"]
    if mirror:
        body = f'<g transform="matrix(-1 0 0 1 {width} 0)">{body}</g>'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width} {height}">{body}</svg>'
    )


def webp_drawings(package, style):
    """The drawings of a folder of WebP files named by code point; padded and unpadded twins count once."""
    files = {normalize_code_point(path.stem): path for path in sorted((package / "assets").glob("*.webp"))}
    for code_point in sorted(files):
        file = files[code_point]
        yield Drawing(code_point, style, partial(read_webp, file), partial(read_raster, file))


def read_webp(path, size):
    return decode_on_white(path.read_bytes(), size)


def emoji_words(folder):
    """What Emojibase says of each emoji.

    Returns:
        dict of normalised code point to a dict of `label`, `tags` (list of str), `group` and `subgroup`;
        empty where the package is not installed.
    """
    package = package_folder(folder, WORDS)
    if not package.is_dir():
        return {}
    meta = json.loads((package / "meta" / "groups.json").read_text(encoding="utf-8"))
    words = {}
    for entry in json.loads((package / "en" / "data.json").read_text(encoding="utf-8")):
        about = {
            "label": entry["label"],
            "tags": entry.get("tags", []),
            "group": meta["groups"].get(str(entry.get("group")), ""),
            "subgroup": meta["subgroups"].get(str(entry.get("subgroup")), ""),
        }
        for variant in [entry, *entry.get("skins", [])]:
            words[normalize_code_point(variant["hexcode"])] = about
    return words
