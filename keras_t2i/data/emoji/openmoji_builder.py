"""How a set of emoji is made: drawings, duplicates, splits; and OpenMoji, from the installed packages."""

import abc
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from keras_t2i.data.emoji import splits
from keras_t2i.data.emoji.captions import compose_captions
from keras_t2i.data.emoji.names import attributes_of
from keras_t2i.data.emoji.names import name_of
from keras_t2i.data.emoji.openmoji_drawings import drawings
from keras_t2i.data.emoji.rasterize import encode_png
from keras_t2i.data.emoji.rasterize import is_blank
from keras_t2i.data.emoji.tfds_cache import cache_folder
from keras_t2i.utils.annotations import Place

FINGERPRINT_SIZE = 32  # where two drawings agree here, they count as the same picture at every size
ATTRIBUTION = (
    "All emojis designed by OpenMoji, the open-source emoji and icon project (openmoji.org). "
    "License: CC BY-SA 4.0. Names from the Unicode CLDR by the Python package emoji."
)


@dataclass(frozen=True)
class EmojiBuilder(abc.ABC):
    """What sets of captioned emoji have in common: features, duplicates, splits.

    A subclass says which drawings there are, and may add to their captions and attributes.

    Args:
        size: int, pixels of a picture's side.
        limit: int, about how many code points, spread evenly; 0 for all.
        data_dir: str or path of the cache, as of `cache_folder`.

    Raises: ValueError if the size is not positive.

    Attributes:
        name, attribution: str, of the data set.
        version: str, to be raised whenever pictures, captions or splits change: it is what tells an old cache
            from a new one.
        release_notes: dict, what changed with each version.
    """

    size: int = 32
    limit: int = 0
    data_dir: Place | None = None

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size must be a positive number of pixels, received {self.size}")

    @property
    def config_name(self):
        """str, what tells sizes, and samples, apart."""
        return f"{self.size}" + (f"_about_{self.limit}" if self.limit else "")

    @property
    def folder(self):
        """Path, where the data set is in the cache, once it is prepared."""
        return Path(cache_folder(self.data_dir), self.name, self.config_name, self.version)

    @abc.abstractmethod
    def drawings(self):
        """Yields every `Drawing` of the set."""

    def held_out_kind(self, drawing):
        return splits.held_out_kind(drawing.code_point)

    def is_copy(self, drawing, picture, earlier):
        """Whether a drawing is left out, as a copy of one of the same emoji in another design.

        Args:
            drawing: `Drawing`.
            picture: uint8 array `(size, size, 3)`, the drawing at `FINGERPRINT_SIZE`.
            earlier: list of the pictures of the same emoji, as far as they were taken.
        """
        return False

    def describe(self, drawing, held_out):
        """The captions and the attributes of a drawing."""
        name = name_of(drawing.code_point)
        return compose_captions(name, drawing.style), attributes_of(name, drawing.style)

    def examples(self):
        """Every example: dict of a split to an iterable of dicts of `image` (PNG, bytes), `captions` (list
        of str), `name`, `group` (int) and `attributes` (dict of str). Empty splits are left out."""
        # Duplicates are found at one small size, so that the splits are the same at every size.
        found, small, of_emoji = [], [], defaultdict(list)
        for drawing in tqdm(list(self.drawings()), f"Drawing {self.name}", unit=" pictures"):
            picture = drawing.draw(FINGERPRINT_SIZE)
            earlier = of_emoji[drawing.code_point]
            if not is_blank(picture) and not self.is_copy(drawing, picture, earlier):
                found.append(drawing)
                small.append(picture)
                earlier.append(picture)
        assigned = splits.assign_splits(
            [drawing.code_point for drawing in found],
            [self.held_out_kind(drawing) for drawing in found],
            [picture.tobytes() for picture in small],
        )
        examples = {split: [] for split in splits.SPLITS}
        for drawing, picture, (split, kind, group) in zip(found, small, assigned, strict=True):
            examples[split].append((drawing, picture, kind, group))
        return {split: self._drawn(chosen) for split, chosen in examples.items() if chosen}

    def _drawn(self, examples):
        for drawing, small, kind, group in examples:
            picture = small if self.size == FINGERPRINT_SIZE else drawing.draw(self.size)
            captions, attributes = self.describe(drawing, held_out=kind)
            yield {
                "image": encode_png(picture),
                "captions": captions,
                "name": drawing.name,
                "group": group,
                "attributes": {**attributes, "held_out": kind},
            }


class OpenMoji(EmojiBuilder):
    """Emoji drawn by the OpenMoji project, in colour and as black line drawings, with English captions.

    Each picture has several captions. The test split holds out combinations (a skin tone of a family, hair
    with a tone, a colour with a shape, times of the clock, expressions of the cat) whose words all occur in
    training. One config a size.
    """

    name = "openmoji"
    attribution = ATTRIBUTION
    version = "1.0.0"
    release_notes = {"1.0.0": "OpenMoji 17.0.0, colour and black line."}

    def drawings(self):
        return drawings(self.limit)
