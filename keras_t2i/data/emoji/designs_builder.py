"""How the emoji of several designs are made; see `keras_t2i.data.emoji.designs`."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from keras_t2i.data.emoji import design_drawings
from keras_t2i.data.emoji import splits
from keras_t2i.data.emoji.captions import OPENMOJI
from keras_t2i.data.emoji.captions import compose_captions
from keras_t2i.data.emoji.names import attributes_of
from keras_t2i.data.emoji.names import name_of
from keras_t2i.data.emoji.openmoji_builder import ATTRIBUTION
from keras_t2i.data.emoji.openmoji_builder import EmojiBuilder
from keras_t2i.data.emoji.openmoji_drawings import STYLES as OPENMOJI_STYLES
from keras_t2i.data.emoji.packages import DESIGNS
from keras_t2i.data.emoji.packages import WORDS
from keras_t2i.data.emoji.packages import packages_folder
from keras_t2i.data.emoji.tfds_cache import cache_folder

# Mean absolute difference, of 255, below which two hands' pictures of an emoji are one picture.
COPY_DIFFERENCE = 2.0


@dataclass(frozen=True)
class EmojiDesigns(EmojiBuilder):
    """Emoji by several hands (OpenMoji, Noto, Twemoji, Fluent, Emoji One, FxEmojis), with English captions
    that name the design.

    Each picture has several captions. What a design took over from another is left out, by its pixels. The
    test split holds out what that of `openmoji` does, in every design, and a tenth of the emoji in one family
    of designs each.

    Args:
        designs: tuple of str, which besides OpenMoji; it follows the arguments of `EmojiBuilder`. Their
            packages lie in the cache too.
    """

    designs: tuple[str, ...] = tuple(DESIGNS)

    name = "emoji"
    version = "2.0.0"
    release_notes = {
        "1.0.0": "Six styles.",
        "1.1.0": "A caption that names no style is of OpenMoji.",
        "2.0.0": "Ten styles: with the first Noto, two of Emoji One, FxEmojis.",
    }

    @property
    def config_name(self):
        if self.designs == tuple(DESIGNS):
            return super().config_name
        words = [design.replace(" ", "-") for design in self.designs] or ["openmoji"]
        return "_".join([super().config_name, *words])

    @property
    def packages(self):
        """Path, the folder that the packages were installed into."""
        return packages_folder(cache_folder(self.data_dir))

    @property
    def attribution(self):
        makers = [*(DESIGNS[design] for design in self.designs), WORDS]
        thanks = [f"{package.makers} ({package.license})." for package in makers]
        return " ".join([ATTRIBUTION, *thanks])

    @cached_property
    def words(self):
        return design_drawings.emoji_words(self.packages)

    def drawings(self):
        return design_drawings.drawings(self.designs, self.packages, self.limit)

    def held_out_kind(self, drawing):
        return splits.held_out_kind(drawing.code_point, drawing.style)

    def is_copy(self, drawing, picture, earlier):
        # Black line is OpenMoji's own other style, and repeats it where there is no color.
        if drawing.style in OPENMOJI_STYLES:
            return False
        picture = picture.astype("int16")
        return any(np.abs(picture - other).mean() < COPY_DIFFERENCE for other in earlier)

    def describe(self, drawing, held_out):
        name = name_of(drawing.code_point)
        about = self.words.get(drawing.code_point, {})
        attributes = attributes_of(name, drawing.style)
        attributes.update({key: about[key] for key in ("group", "subgroup") if about.get(key)})
        # What is held out is asked for in words that training has seen, so it gets no tags of its own.
        tags = () if held_out else about.get("tags", ())
        named = drawing.style != OPENMOJI
        return compose_captions(name, drawing.style, name_style=named, tags=tags), attributes
