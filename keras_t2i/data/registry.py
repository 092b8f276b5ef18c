"""The data sets that are known by name, and how any source of captioned pictures is loaded.

A new data set is one file with a loader, and one line in `DATA_SETS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.designs import emoji_drawings
from keras_t2i.data.emoji.designs import load_emoji
from keras_t2i.data.emoji.openmoji import load_openmoji
from keras_t2i.data.emoji.openmoji_drawings import drawings as openmoji_drawings
from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.data.sharded.loading import load_shards
from keras_t2i.data.sharded.loading import read_manifest
from keras_t2i.data.sharded.shard_files import is_sharded
from keras_t2i.data.sources.opening import is_prepared_first
from keras_t2i.data.windows import RasterPictures
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.files import expanded

DEFAULT = "openmoji"


@dataclass(frozen=True)
class DataSet:
    """A data set that is known by name.

    Attributes:
        load: function `(split, size=int)` -> `CaptionedImages`; of a set that is a sample with
            `limit=int` too, about how many pictures are made.
        about: str, a few words for help texts: what it is, and what must be done before it loads.
        sample: str, name of the set that stands in for this one where a few pictures are enough.
        splits: what `load` takes as `split`.
        license: str, of what learned from it, as hubs write it: pictures of OpenMoji hand theirs on.
        drawings: function to a list of `Drawing`, the pictures as they are at every size; `None`: they are
            pixels, to be loaded at a larger size.
    """

    load: Callable[..., CaptionedImages]
    about: str
    drawings: Callable[[], list[Any]] | None = None
    sample: str = DEFAULT
    splits: tuple[str, ...] = ("train", "validation", "test")
    license: str = "cc-by-sa-4.0"


DATA_SETS = {
    "openmoji": DataSet(load_openmoji, "from installed packages", openmoji_drawings),
    "emoji": DataSet(load_emoji, "see prepare_data.py", emoji_drawings),
}
FOLDER_SPLITS = ("train", "validation")
TRUTH_SIZE = 256  # pixels at which pictures that are no drawings are held as truths


def describe_sources():
    """What `load` takes, in words, for help texts."""
    named = ", ".join(f'"{name}" ({data_set.about})' for name, data_set in DATA_SETS.items())
    return f"{named}, or a folder of captioned pictures, or of shards of them"


def load(source: Place, split: str, size: int = 32) -> CaptionedImages:
    """Captioned pictures of a data set that is known by name, or of a person's own folder.

    Args:
        source: a name in `DATA_SETS`: "openmoji" (default set, needs nothing but the installed packages) or
            "emoji" (larger set, prepared by `recipes/prepare_data.py`); else a folder, of pictures, as
            `load_captioned_folder` reads it, or of shards, as `prepare_shards` writes them.
        split: one of `splits_of(source)`: "train" or "validation"; the sets by name have "test" too.
        size: int, pixels of a picture's side.

    Returns:
        `CaptionedImages`.

    Raises:
        FileNotFoundError: `source` is neither a name nor a folder.
        ValueError: as the set's own loader says; of what shards are made of first.
    """
    if str(source) in DATA_SETS:
        return DATA_SETS[str(source)].load(split, size=size)
    if is_prepared_first(source):
        raise ValueError(f"Make shards of {source}: `keras-t2i prepare {source} shards`, then use `shards`")
    if not expanded(source).exists():
        raise FileNotFoundError(f"There is no folder {source}. A source is {describe_sources()}.")
    return (load_shards if is_sharded(source) else load_captioned_folder)(source, split, size)


def load_sample(source, size=32, limit=48):
    """About `limit` training pictures of a data set by name, in a moment: for smoke runs.

    A set that must be prepared is stood in for by its `sample`.
    """
    return DATA_SETS[DATA_SETS[str(source)].sample].load("train", size=size, limit=limit)


def load_truths(source, split, data, sample=False, size=TRUTH_SIZE):
    """What windows of pictures are taken of at any size.

    Args:
        source, split: as of `load`.
        data: `CaptionedImages` of `load`, or some of them.
        sample: bool, whether they are of `load_sample` where the source is known by name.
        size: int, pixels at which pictures that are no drawings are held, or what shards hold if that is
            less.

    Returns:
        sequence of `VectorPicture` or `RasterPicture`, one for each of `data`.
    """
    if sample and str(source) in DATA_SETS:
        source = DATA_SETS[str(source)].sample
    drawings = DATA_SETS[str(source)].drawings if str(source) in DATA_SETS else None
    if drawings is None:
        large = load(source, split, min(size, largest_size(source)))
        rows = {name: row for row, name in enumerate(large.names)}
        return RasterPictures(large.take([rows[name] for name in data.names]).pictures)
    wanted = set(data.names)
    truths = {drawing.name: drawing.truth for drawing in drawings() if drawing.name in wanted}
    return [truths[name]() for name in data.names]


def largest_size(source):
    """float, the largest `size` of pictures that `load` makes: shards were prepared at one."""
    return read_manifest(source)["size"] if is_sharded(source) else float("inf")


def splits_of(source: Place) -> tuple[str, ...]:
    """The splits that `load` knows of a source: a folder has no "test"."""
    return DATA_SETS[str(source)].splits if str(source) in DATA_SETS else FOLDER_SPLITS
