"""Captions to arrays of one length, which networks take."""

import warnings
from typing import Any
from typing import Self

import keras
import keras_hub
import numpy as np
from numpy.typing import NDArray

from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone
from keras_t2i.presets.registry import load_part
from keras_t2i.utils.annotations import Captions
from keras_t2i.utils.annotations import Place
from keras_t2i_runtime.captions import warn_of_words

QUOTED = 64  # word pieces of a quotation, at most
AT_A_TIME = 4096  # captions


def shorten(text, ends, most=80):
    """A quotation of at most `most` signs of the `"start"`'s or `"end"`'s text, dots where it goes on."""
    if len(text) <= most:
        return text
    return f"...{text[-most:]}" if ends == "start" else f"{text[:most]}..."


@keras.saving.register_keras_serializable(package="keras_t2i")
class TextToImagePreprocessor(keras_hub.models.TextToImagePreprocessor):
    """Captions to word-piece ids, padded with 0 or cut after `sequence_length` pieces, with a warning.

    Another warning names the words for which others are read (`CaptionTokenizer.nearest_words`).

    Args:
        tokenizer: `CaptionTokenizer`.
        sequence_length: int, pieces that a caption may have; the first are kept.

    Call: as `generate_preprocess`.
    """

    backbone_cls = TextToImageBackbone
    tokenizer_cls = CaptionTokenizer

    def __init__(self, tokenizer: CaptionTokenizer, sequence_length: int = 32, **kwargs: Any) -> None:
        if sequence_length < 1:
            raise ValueError(f"sequence_length must be at least 1, got {sequence_length}")
        super().__init__(**kwargs)
        self.tokenizer = tokenizer
        self.sequence_length = int(sequence_length)

    def build(self, input_shape):
        self.built = True

    def call(self, x):
        return self.generate_preprocess(x)

    def generate_preprocess(self, x: Captions) -> NDArray[np.int32]:
        """Captions to ids.

        Args:
            x: a `str` or a sequence of `str`.

        Returns:
            int32 NumPy array `(n, sequence_length)`; n is 1 for a `str`.

        Raises:
            TypeError: a caption is not text.
            ValueError: a caption holds no sign but white space. Both name its position.
        """
        captions = self._checked(x)
        token_ids = np.zeros((len(captions), self.sequence_length), dtype="int32")
        cut, first_cut = 0, None
        for row, ids in enumerate(self._pieces(captions)):
            kept = ids[: self.sequence_length]
            token_ids[row, : len(kept)] = kept
            if len(ids) > self.sequence_length:
                cut, first_cut = cut + 1, first_cut or (row, ids)
        if cut:
            self._warn_of_cuts(len(captions), cut, *first_cut)
        warn_of_words(captions, self.tokenizer.nearest_words, stacklevel=2)
        return token_ids

    def lengths(self, captions: Captions) -> NDArray[np.int32]:
        """int32 array `(n,)`: the pieces of each caption before cutting.

        `(preprocessor.lengths(captions) > preprocessor.sequence_length).mean()` is the share that is cut.
        """
        return np.array([len(ids) for ids in self._pieces(self._checked(captions))], dtype="int32")

    def get_config(self):
        return {**super().get_config(), "sequence_length": self.sequence_length}

    @classmethod
    def from_preset(cls, preset: Place, **options: Any) -> Self:
        """The text preparation stored in a preset of any model: a name, a folder (`str` or `Path`), a handle.

        Raises: ValueError if the preset is unknown or has none; TypeError for an unknown option.
        """
        return load_part(cls, preset, options)

    def _warn_of_cuts(self, captions, cut, first, pieces):
        """One warning for all captions that are longer than what networks see.

        Args:
            captions, cut: int, how many there are, and how many of them are longer.
            first: int, place of the first of those.
            pieces: its ids.
        """
        kept, lost = (
            shorten(self.tokenizer.detokenize(pieces[part]), ends)
            for part, ends in (
                (slice(max(0, self.sequence_length - QUOTED), self.sequence_length), "start"),
                (slice(self.sequence_length, self.sequence_length + QUOTED), "end"),
            )
        )
        many = f"{cut} of {captions} captions are" if captions > 1 else "The caption is"
        which = f"of caption {first}, " if captions > 1 else ""
        warnings.warn(
            f"{many} longer than {self.sequence_length} word pieces and cut there: {which}"
            f'what follows "{kept}" is not seen: "{lost}"',
            stacklevel=3,
        )

    def _checked(self, captions):
        captions = [captions] if isinstance(captions, str) else list(captions)
        for position, caption in enumerate(captions):
            if not isinstance(caption, str):
                raise TypeError(f"Caption {position} is not text but {type(caption).__name__}: {caption!r}")
        return captions

    def _pieces(self, captions):
        """Iterator of the ids of each caption: what a tokenizer says of one takes 2 kB, so some at a time."""
        for first in range(0, len(captions), AT_A_TIME):
            pieces = self.tokenizer.tokenize(captions[first : first + AT_A_TIME])
            for position, ids in enumerate(pieces, first):
                if not len(ids):
                    raise ValueError(f"Caption {position} is empty: {captions[position]!r}")
                yield ids
