"""What every source of training data becomes: pictures, each with its captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from keras_t2i.data.pictures import StoredPictures
from keras_t2i.data.pictures import joined
from keras_t2i.utils.batching import spread


@dataclass
class CaptionedImages:
    """Pictures and, for each, several captions of what it shows.

    Attributes:
        pictures: uint8 array `(n, size, size, 3)`, RGB, values 0 to 255; or `StoredPictures`, which are read
            like one and lie in files.
        captions: one list of str per picture, at least one; the first is the plain caption. This and
            `names` are lists, or are read like one (`texts`).
        names: one unique name per picture: a code point and style, or a file path.
        groups: int64 array `(n,)`; pixel-identical pictures share a number.
        attributes: one dict per picture of what is known of it (`base`, `tone`, `hair`, `colour`,
            `style`, ...), for hard distractors; empty where nothing is known.
        source: where the pictures come from, licence and attribution, for cards.
    """

    pictures: np.ndarray | StoredPictures
    captions: Sequence[list[str]]
    names: Sequence[str]
    groups: np.ndarray
    attributes: list[dict] = field(default_factory=list)
    source: str = ""

    def __post_init__(self):
        if not self.attributes:
            self.attributes = [{} for _ in self.names]
        lengths = {len(self.pictures), len(self.captions), len(self.names), len(self.groups)}
        if len(lengths) != 1:
            raise ValueError(f"pictures, captions, names and groups differ in length: {sorted(lengths)}")

    def __len__(self):
        return len(self.names)

    @property
    def plain_captions(self) -> list[str]:
        """The first caption of each picture: the prompts by which evaluation asks for it."""
        return [captions[0] for captions in self.captions]

    def take(self, indices: Sequence[int]) -> "CaptionedImages":
        """The pictures at `indices`, in that order."""
        indices = np.asarray(indices, dtype="int64")
        return CaptionedImages(
            pictures=self.pictures.take(indices, axis=0),
            captions=[self.captions[i] for i in indices],
            names=[self.names[i] for i in indices],
            groups=self.groups[indices],
            attributes=[self.attributes[i] for i in indices],
            source=self.source,
        )

    def spread(self, count: int) -> "CaptionedImages":
        """So many of the pictures, evenly spread over all from the first to the last; all where there are no
        more. Where a figure of all pictures is wanted, and all need not fit into memory, one of these."""
        return self.take(spread(len(self), count))

    def joined(self, other: "CaptionedImages") -> "CaptionedImages":
        """These pictures, then those of `other`."""
        return CaptionedImages(
            pictures=joined(self.pictures, other.pictures),
            captions=self.captions + other.captions,
            names=self.names + other.names,
            groups=np.concatenate([self.groups, other.groups]),
            attributes=self.attributes + other.attributes,
            source=self.source,
        )
