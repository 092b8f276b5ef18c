"""The larger, optional data set: the same emoji drawn by several hands, from npm packages."""

from keras_t2i.data.emoji.packages import DESIGNS
from keras_t2i.data.emoji.packages import fetch_packages
from keras_t2i.data.emoji.packages import packages_folder
from keras_t2i.data.emoji.tfds_cache import cache_folder
from keras_t2i.data.emoji.tfds_cache import check_split
from keras_t2i.data.emoji.tfds_cache import make_builder
from keras_t2i.data.emoji.tfds_cache import prepared
from keras_t2i.data.emoji.tfds_cache import read_captioned_pictures


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
