"""The larger, optional data set: the same emoji drawn by several hands, from npm packages."""

from collections import Counter
from collections.abc import Sequence

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.designs_builder import EmojiDesigns
from keras_t2i.data.emoji.packages import DESIGNS
from keras_t2i.data.emoji.packages import WORDS
from keras_t2i.data.emoji.packages import fetch_packages
from keras_t2i.data.emoji.packages import packages_folder
from keras_t2i.data.emoji.splits import SPLITS
from keras_t2i.data.emoji.tfds_cache import INFO
from keras_t2i.data.emoji.tfds_cache import cache_folder
from keras_t2i.data.emoji.tfds_cache import check_split
from keras_t2i.data.emoji.tfds_cache import is_prepared
from keras_t2i.data.emoji.tfds_cache import prepare
from keras_t2i.data.emoji.tfds_cache import read_captioned_pictures
from keras_t2i.utils.annotations import Place

# Measured on one core: milliseconds a picture at 32 pixels, and what 128 pixels take on top.
MILLISECONDS, MILLISECONDS_AT_128 = 4, 8
OPENMOJI_PICTURES = 5600


def load_emoji(
    split: str,
    size: int = 32,
    data_dir: Place | None = None,
    designs: Sequence[str] | None = None,
    limit: int = 0,
) -> CaptionedImages:
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
    builder = EmojiDesigns(size, limit, data_dir, check_designs(designs))
    if not is_prepared(builder):
        folder = cache_folder(data_dir)
        files = (folder / builder.name).glob(f"*/{builder.version}/{INFO}")
        there = sorted(path.parents[1].name for path in files)
        raise FileNotFoundError(
            f"The data set emoji/{builder.config_name} is not in {folder}. Prepare it once by\n"
            f"    python recipes/prepare_data.py --size {size}\n"
            f"Prepared so far: {', '.join(there) or 'none'}."
        )
    return read_captioned_pictures(builder, split)


def prepare_emoji(size=32, data_dir=None, designs=None, limit=0):
    """Fetches the designs by the npm client, draws them and puts them into the cache.

    Args:
        size, data_dir, limit: as for `load_emoji`.
        designs: sequence of str among `DESIGNS`; all of them if None, OpenMoji alone if empty.

    Returns:
        the `EmojiDesigns`, prepared.

    Raises:
        ValueError: if a design is unknown.
        RuntimeError: if npm is missing or cannot fetch the packages.
    """
    designs = check_designs(designs)
    builder = EmojiDesigns(size, limit, data_dir, designs)
    if not is_prepared(builder):
        fetch_packages(designs, builder.packages)
    prepare(builder)
    return builder


def emoji_drawings(data_dir=None, designs=None):
    """Every `Drawing` of the designs, from the packages that `prepare_emoji` has fetched."""
    from keras_t2i.data.emoji.design_drawings import drawings

    return drawings(check_designs(designs), packages_folder(cache_folder(data_dir)))


def check_designs(designs):
    """The designs in their usual order, without repetition; all of them if None."""
    if designs is None:
        return tuple(DESIGNS)
    unknown = sorted(set(designs) - set(DESIGNS))
    if unknown:
        raise ValueError(f"unknown designs {unknown}; there are {', '.join(map(repr, DESIGNS))}")
    return tuple(design for design in DESIGNS if design in designs)


def emoji_cost(size=32, designs=None, limit=0):
    """What it costs to prepare the data set, about: (pictures, minutes on one core, megabytes to fetch).

    Args:
        size, designs, limit: as of `prepare_emoji`.
    """
    designs = check_designs(designs)
    pictures = OPENMOJI_PICTURES + sum(DESIGNS[design].pictures for design in designs)
    pictures = limit * 3 // 2 if limit else pictures
    milliseconds = MILLISECONDS + MILLISECONDS_AT_128 * (size / 128) ** 2 * (size != 32)
    megabytes = sum(DESIGNS[design].megabytes for design in designs) + WORDS.megabytes * bool(designs)
    return pictures, pictures * milliseconds / 60_000, megabytes


def count_emoji(size=32, data_dir=None, designs=None, limit=0):
    """Pictures of a prepared data set: a `Counter` of (style, split), where "all" is of every style, and a
    dict of what is held out for the test to its number.

    Args:
        size, data_dir, designs, limit: as of `load_emoji`.
    """
    table, kinds = Counter(), Counter()
    for split in SPLITS:
        for attributes in load_emoji(split, size, data_dir, designs, limit).attributes:
            table[attributes["style"], split] += 1
            table["all", split] += 1
            kinds[attributes["held_out"]] += split == "test"
    return table, {kind: number for kind, number in kinds.items() if number}
