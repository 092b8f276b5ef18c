"""Captions to numbers: pieces of words learned from captions, down to single bytes for the unseen."""

import json
from collections.abc import Iterable
from pathlib import Path

import keras
import keras_hub
import numpy as np
import tokenizers

from keras_t2i.presets.registry import load_part
from keras_t2i.utils.files import write_text
from keras_t2i_runtime.captions import NEAREST_WORDS
from keras_t2i_runtime.captions import is_phrase
from keras_t2i_runtime.captions import is_word
from keras_t2i_runtime.captions import normalise
from keras_t2i_runtime.captions import read_as

PAD = "<pad>"
BYTES = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())  # one visible character for each of 256 bytes
# A normalised caption is words with one space between; each takes the space before it along.
SPLIT = tokenizers.pre_tokenizers.Sequence(
    [
        tokenizers.pre_tokenizers.Split(" ", "merged_with_next"),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
    ]
)


@keras.saving.register_keras_serializable(package="keras_t2i")
class CaptionTokenizer(keras_hub.tokenizers.BytePairTokenizer):
    """Byte-pair encoding of captions in any language.

    All 256 bytes are in the vocabulary, so no word is "unknown": a rare one becomes several pieces.
    Captions are normalised first (see `normalise`), and a word is the same piece at the start of a
    caption and inside. Id 0 is padding and never comes out of text, whatever the text is.

    Args:
        vocabulary: dict, piece to id, with `"<pad>"` as 0 and all bytes; or `None`, to be set by
            `load_assets`.
        merges: list of `"left right"`, the most frequent pair first.
        nearest_words: dict, of words that captions did not teach the taught ones that are read in their place
            (`keras_t2i.data.nearest_words`), and of words that they did not teach alone phrases
            (`keras_t2i.data.phrases`); or `True`: `load_assets` sets them.

    Call: a `str` or a sequence of `str` to a list of ids (int32 array), or a list of such lists.
    """

    backbone_cls = None

    def __init__(self, vocabulary=None, merges=None, nearest_words=None, **kwargs):
        self.pad_token = PAD
        self.pad_token_id = 0
        # No unsplittable tokens: the text "<pad>" in a caption is text.
        kwargs |= {"add_prefix_space": True, "unsplittable_tokens": []}
        super().__init__(vocabulary, merges, **kwargs)
        self.set_nearest_words({} if nearest_words in (None, True) else nearest_words)
        if nearest_words is True:
            self.file_assets = [*self.file_assets, NEAREST_WORDS]  # the preset has it

    @classmethod
    def learn(cls, captions: Iterable[str], vocabulary_size=2048):
        """A tokenizer whose pieces are those frequent in `captions`; the same captions give the same one.

        Args:
            captions: strings; pairs of pieces seen at least twice are merged, most frequent first.
            vocabulary_size: at most so many ids, 257 of them for padding and bytes.
        """
        if vocabulary_size < 1 + len(BYTES):
            raise ValueError(f"vocabulary_size must be at least {1 + len(BYTES)}, got {vocabulary_size}")
        if isinstance(captions, str):
            raise TypeError("captions must be a list of strings, got one string")
        learner = tokenizers.Tokenizer(tokenizers.models.BPE())
        learner.pre_tokenizer = SPLIT
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=vocabulary_size,
            min_frequency=2,
            special_tokens=[PAD],
            initial_alphabet=BYTES,
            show_progress=False,
        )
        learner.train_from_iterator((normalise(c) for c in captions), trainer)
        model = json.loads(learner.to_str())["model"]
        vocabulary = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
        return cls(vocabulary, [" ".join(pair) for pair in model["merges"]])

    def set_nearest_words(self, nearest_words):
        """Read words as others, or as phrases. Raises: ValueError for what is no table of such."""
        check_nearest_words(nearest_words)
        self.nearest_words = dict(nearest_words)
        assets = [name for name in self.file_assets if name != NEAREST_WORDS]
        self.file_assets = [*assets, NEAREST_WORDS] if nearest_words else assets

    def with_nearest_words(self, nearest_words):
        """A tokenizer of the same pieces with another table. Raises: as of `set_nearest_words`."""
        return type(self)(dict(self.vocabulary), list(self.merges), nearest_words)

    def learn_words_of(self, captions):
        """From now on read words of these captions, which are about to teach them, as themselves."""
        taught = {word for caption in captions for word in normalise(caption).split(" ")}
        self.set_nearest_words(
            {word: self.nearest_words[word] for word in self.nearest_words.keys() - taught}
        )

    def save_assets(self, dir_path):
        super().save_assets(dir_path)
        if self.nearest_words:
            lines = json.dumps(self.nearest_words, ensure_ascii=False, indent=0, sort_keys=True)
            write_text(Path(dir_path, NEAREST_WORDS), lines)

    def load_assets(self, dir_path):
        super().load_assets(dir_path)
        table = Path(dir_path, NEAREST_WORDS)
        self.set_nearest_words(json.loads(table.read_text(encoding="utf-8")) if table.exists() else {})

    def set_vocabulary_and_merges(self, vocabulary, merges):
        super().set_vocabulary_and_merges(vocabulary, merges)
        if self.vocabulary is None:
            return
        missing = {PAD, *BYTES} - self.vocabulary.keys()
        ids = sorted(self.vocabulary.values())
        if missing or ids != list(range(len(ids))) or self.vocabulary[PAD] != 0:
            raise ValueError(
                f"The vocabulary must number its pieces 0, 1, 2, ..., with {PAD} as 0 and all 256 bytes; "
                f"missing: {sorted(missing)[:8] or 'none'}."
            )

    def _set_vocabulary_and_merges_tf(self, vocabulary, merges):
        # KerasHub's answer to a missing TensorFlow: it goes on without the tables for `tf.data`,
        # which would normalise differently, are slow to build and can't be empty.
        raise ImportError

    def _set_vocabulary_and_merges_tokenizers(self, vocabulary, merges):
        super()._set_vocabulary_and_merges_tokenizers(vocabulary, merges)
        self._tokenizer.pre_tokenizer = SPLIT  # KerasHub 0.32 doesn't split: its pattern is taken literally

    def tokenize(self, inputs):
        if self._use_tf_workflow():
            raise NotImplementedError("Turn captions into ids before the tf.data pipeline, not inside it.")
        if isinstance(inputs, str):
            return super().tokenize(read_as(inputs, self.nearest_words))
        # Not an array of a list, which would be as wide as the longest caption.
        inputs = inputs if isinstance(inputs, (list, tuple)) else np.asarray(inputs).tolist()
        inputs = [text.decode("utf-8") if isinstance(text, bytes) else text for text in inputs]
        return super().tokenize([read_as(text, self.nearest_words) for text in inputs])

    def detokenize(self, inputs):
        """Ids to the normalised text; padding is left out. `(l,)` to a `str`, `(n, l)` to a list of `str`."""
        rows = [inputs] if len(inputs) == 0 or np.ndim(inputs[0]) == 0 else inputs
        texts = [super(CaptionTokenizer, self).detokenize([int(i) for i in row if i]) for row in rows]
        texts = [" ".join(text.split()) for text in texts]
        return texts[0] if rows is not inputs else texts

    def get_config(self):
        config = super().get_config()
        del config["add_prefix_space"], config["unsplittable_tokens"]  # fixed by this class
        return config | ({"nearest_words": True} if self.nearest_words else {})

    @classmethod
    def from_preset(cls, preset, **options):
        """The tokenizer stored in a preset of any model: a name, a folder (`str` or `Path`), a handle."""
        return load_part(cls, preset, options)


def check_nearest_words(nearest_words):
    """Raise a ValueError for what is no table of single words to words, as `normalise` leaves them."""
    for word, phrase in nearest_words.items():
        if not is_word(word):
            raise ValueError(f"nearest_words has {word!r:.40}, which is no single word in small letters")
        if not is_phrase(phrase):
            raise ValueError(f"nearest_words has {phrase!r:.40}, which is no words in small letters")
