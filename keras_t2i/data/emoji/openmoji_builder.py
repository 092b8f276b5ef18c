"""The TFDS builder of OpenMoji: rasterised once, offline, from the installed packages.

Apart from `keras_t2i.data.emoji.openmoji`, because a builder's class needs TensorFlow Datasets at once.
"""

import abc
import io
import json
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import tensorflow_datasets as tfds
from tqdm.auto import tqdm

from keras_t2i.data.emoji import splits
from keras_t2i.data.emoji.captions import compose_captions
from keras_t2i.data.emoji.names import attributes_of
from keras_t2i.data.emoji.names import name_of
from keras_t2i.data.emoji.openmoji_drawings import drawings
from keras_t2i.data.emoji.rasterize import encode_png
from keras_t2i.data.emoji.rasterize import is_blank

FINGERPRINT_SIZE = 32  # where two drawings agree here, they count as the same picture at every size
ATTRIBUTION = (
    "All emojis designed by OpenMoji, the open-source emoji and icon project (openmoji.org). "
    "License: CC BY-SA 4.0. Names from the Unicode CLDR by the Python package emoji."
)


@dataclass
class OpenMojiConfig(tfds.core.BuilderConfig):
    """`size`: pixels of a picture's side. `limit`: about how many code points, spread evenly; 0 for all."""

    name: str = ""
    size: int = 32
    limit: int = 0

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size must be a positive number of pixels, received {self.size}")
        self.name = f"{self.size}" + (f"_about_{self.limit}" if self.limit else "")


class EmojiBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What sets of captioned emoji have in common: features, duplicates, splits.

    A subclass says which drawings there are, and may add to their captions and attributes.
    """

    # No checksums are kept beside this file. To look for some, TFDS needs a package it may not have.
    code_path = None

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

    def _info(self):
        size = self.builder_config.size
        features = {
            "image": tfds.features.Image(shape=(size, size, 3), encoding_format="png"),
            "captions": tfds.features.Sequence(tfds.features.Text()),
            "name": tfds.features.Text(),
            "group": np.int64,
            "attributes": tfds.features.Text(),  # a JSON object of texts
        }
        return self.dataset_info_from_configs(
            description=self.__doc__, features=tfds.features.FeaturesDict(features), license=self.attribution
        )

    def _split_generators(self, dl_manager):
        del dl_manager  # everything is here already
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
        return {split: self._generate_examples(chosen) for split, chosen in examples.items() if chosen}

    def _generate_examples(self, examples):
        size = self.builder_config.size
        for drawing, small, kind, group in examples:
            name = drawing.name
            picture = small if size == FINGERPRINT_SIZE else drawing.draw(size)
            captions, attributes = self.describe(drawing, held_out=kind)
            example = {
                "image": io.BytesIO(encode_png(picture)),
                "captions": captions,
                "name": name,
                "group": group,
                "attributes": json.dumps({**attributes, "held_out": kind}),
            }
            yield name, example


class OpenMoji(EmojiBuilder):
    """Emoji drawn by the OpenMoji project, in colour and as black line drawings, with English captions.

    Each picture has several captions. The test split holds out combinations (a skin tone of a family, hair
    with a tone, a colour with a shape, times of the clock, expressions of the cat) whose words all occur in
    training. One config a size, see `OpenMojiConfig`.
    """

    name = "openmoji"
    attribution = ATTRIBUTION
    # To be raised whenever pictures, captions or splits change: it is what tells an old cache from a new one.
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "OpenMoji 17.0.0, colour and black line."}
    BUILDER_CONFIGS = [OpenMojiConfig(size=size) for size in (32, 64, 128)]

    def drawings(self):
        return drawings(self.builder_config.limit)
