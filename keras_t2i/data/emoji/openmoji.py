"""The default data set: OpenMoji in colour and in black line, from installed packages alone."""

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.openmoji_builder import OpenMoji
from keras_t2i.data.emoji.tfds_cache import check_split
from keras_t2i.data.emoji.tfds_cache import prepare
from keras_t2i.data.emoji.tfds_cache import read_captioned_pictures
from keras_t2i.utils.annotations import Place


def load_openmoji(
    split: str, size: int = 32, data_dir: Place | None = None, limit: int = 0
) -> CaptionedImages:
    """Loads OpenMoji with captions, rasterising it on first use into a cache (see `tfds_cache`).

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
    builder = OpenMoji(size, limit, data_dir)
    prepare(builder)
    return read_captioned_pictures(builder, split)
