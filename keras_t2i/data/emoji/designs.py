"""The larger, optional data set: the same emoji drawn by several hands, from npm packages."""

import json
import os
from functools import partial
from pathlib import Path

from keras_t2i.data.emoji.names import concept_of
from keras_t2i.data.emoji.openmoji import STYLES
from keras_t2i.data.emoji.openmoji import Drawing
from keras_t2i.data.emoji.openmoji import check_split
from keras_t2i.data.emoji.openmoji import drawings as openmoji_drawings
from keras_t2i.data.emoji.openmoji import make_builder
from keras_t2i.data.emoji.openmoji import prepared
from keras_t2i.data.emoji.openmoji import read_captioned_pictures
from keras_t2i.data.emoji.packages import DESIGNS
from keras_t2i.data.emoji.packages import WORDS
from keras_t2i.data.emoji.packages import fetch_packages
from keras_t2i.data.emoji.packages import package_folder
from keras_t2i.data.emoji.packages import packages_folder
from keras_t2i.data.emoji.rasterise import decode_on_white
from keras_t2i.data.emoji.rasterise import rasterise_svg
from keras_t2i.data.emoji.splits import normalise

STYLE_WORDS = (*STYLES, *DESIGNS)
# Fluent draws the hands that point right by mirroring those that point left.
MIRRORED = {"1F448": "1F449"}


def load_emoji(split, size=32, data_dir=None, designs=None, limit=0):
    """Loads the emoji of all designs with captions, as `recipes/prepare_data.py` has prepared them.

    Args:
        split: str, `"train"`, `"validation"` or `"test"`.
        size: int, height and width of the pictures in pixels.
        data_dir: str or path of the cache; `TFDS_DATA_DIR` or `~/tensorflow_datasets` if None.
        designs: sequence of str, the designs it was prepared with, besides OpenMoji; all of them if None.
        limit: int, the limit it was prepared with; 0 for all emoji.

    Returns:
        `CaptionedImages` with uint8 pictures `(n, size, size, 3)`.

    Raises:
        ValueError: if the split or a design is unknown.
        FileNotFoundError: if the data set has not been prepared at this size with these designs.
    """
    check_split(split)
    from keras_t2i.data.emoji.designs_builder import EmojiConfig
    from keras_t2i.data.emoji.designs_builder import EmojiDesigns

    config = EmojiConfig(size=size, designs=check_designs(designs), limit=limit)
    folder = cache_folder(data_dir)
    builder = make_builder(EmojiDesigns, config, folder)
    if not builder.is_prepared():
        there = sorted(path.parent.name for path in (folder / "emoji").glob("*/*.*.*"))
        raise FileNotFoundError(
            f"The data set emoji/{config.name} is not in {folder}. Prepare it once by\n"
            f"    python recipes/prepare_data.py --size {size}\n"
            f"Prepared so far: {', '.join(there) or 'none'}."
        )
    return read_captioned_pictures(builder, split)


def prepare_emoji(size=32, data_dir=None, designs=None, limit=0):
    """Fetches the designs by the npm client, draws them and puts them into TFDS's cache.

    Args:
        size, data_dir, limit: as for `load_emoji`.
        designs: sequence of str among `DESIGNS`; all of them if None, OpenMoji alone if empty.

    Returns:
        the prepared TFDS builder.

    Raises:
        ValueError: if a design is unknown.
        RuntimeError: if npm is missing or cannot fetch the packages.
    """
    from keras_t2i.data.emoji.designs_builder import EmojiConfig
    from keras_t2i.data.emoji.designs_builder import EmojiDesigns

    designs = check_designs(designs)
    folder = cache_folder(data_dir)
    config = EmojiConfig(size=size, designs=designs, limit=limit, packages=str(packages_folder(folder)))
    if not make_builder(EmojiDesigns, config, folder).is_prepared():
        fetch_packages(designs, packages_folder(folder))
    return prepared(EmojiDesigns, config, folder)


def check_designs(designs):
    """The designs in their usual order, without repetition; all of them if None."""
    if designs is None:
        return tuple(DESIGNS)
    unknown = sorted(set(designs) - set(DESIGNS))
    if unknown:
        raise ValueError(f"unknown designs {unknown}; there are {', '.join(map(repr, DESIGNS))}")
    return tuple(design for design in DESIGNS if design in designs)


def cache_folder(data_dir=None):
    """The folder of TFDS's cache."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def drawings(designs, folder, limit=0):
    """Yields a `Drawing` for every named picture of OpenMoji and of the given designs, all styles."""
    every = list(openmoji_drawings())
    for design in designs:
        package = package_folder(folder, DESIGNS[design])
        read = webp_drawings if design == "fluent 3d" else iconify_drawings
        every += [drawing for drawing in read(package, design) if concept_of(drawing.code_point)]
    if limit:
        code_points = sorted({drawing.code_point for drawing in every})
        chosen = set(code_points[:: max(1, len(code_points) // limit)])
        every = [drawing for drawing in every if drawing.code_point in chosen]
    return every


def iconify_drawings(package, style):
    """The drawings of a package of Iconify's: one JSON file of SVG bodies, another of their code points."""
    icons = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    names = json.loads((package / "chars.json").read_text(encoding="utf-8"))
    code_points = {normalise(code_point): name for code_point, name in names.items()}
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
        yield Drawing(code_point, style, partial(rasterise_svg, found[code_point]))


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
    files = {normalise(path.stem): path for path in sorted((package / "assets").glob("*.webp"))}
    for code_point in sorted(files):
        yield Drawing(code_point, style, partial(read_picture, files[code_point]))


def read_picture(path, size):
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
            words[normalise(variant["hexcode"])] = about
    return words
