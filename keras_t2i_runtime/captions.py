"""Captions to word-piece ids, by the tables that a `CaptionTokenizer` learned."""

import json
import re
import unicodedata
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np

# Characters of a caption that count. No network sees so many, and each costs time before it is cut.
LONGEST_CAPTION = 20_000
QUOTED_WORDS = 8  # of those for which others stand, in a warning
NEAREST_WORDS = "nearest_words.json"
DASH_IN_WORD = re.compile(r"(?<=\w)[-\u2010-\u2015](?=\w)")


def normalise(caption):
    """One spelling for what a person would call the same words.

    NFKC (so that "ﬁ" is "fi" and "Ａ" is "A"), lower case, one space between words, a hyphen inside
    a word counts as a space ("five-thirty" is "five thirty"), other signs stand apart from words. Of a
    caption longer than `LONGEST_CAPTION` characters only those are looked at.
    """
    caption = caption.lstrip()[:LONGEST_CAPTION]
    caption = caption.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no text
    caption = unicodedata.normalize("NFKC", caption).lower().replace("’", "'")
    caption = DASH_IN_WORD.sub(" ", caption)
    spaced = [f" {c} " if unicodedata.category(c)[0] in "PS" and c != "'" else c for c in caption]
    return " ".join("".join(spaced).split())


def is_word(value):
    """Whether something is a single word, as `normalise` leaves it."""
    return isinstance(value, str) and value != "" and " " not in value and normalise(value) == value


def is_phrase(value):
    """Whether something is one word or several, as `normalise` leaves them."""
    return isinstance(value, str) and all(map(is_word, value.split(" ")))


def readings(caption, nearest_words):
    """The words of a caption, normalised, and what is read for each: a list of pairs of `str`.

    A word of the table is read as the one that stands for it; then that, as the phrase that stands for it,
    unless the caption has another word of the phrase.
    """
    words = normalise(caption).split(" ")
    near = [other if " " not in (other := nearest_words.get(word, word)) else word for word in words]
    there, pairs = set(near), []
    for word, other in zip(words, near, strict=True):
        phrase = nearest_words.get(other, other)
        alone = " " in phrase and there.isdisjoint({*phrase.split(" ")} - {other})
        pairs.append((word, phrase if alone else other))
    return pairs


def read_as(caption, nearest_words):
    """A caption, normalised, in which for each word of a table another stands, or a phrase."""
    return " ".join(read for _, read in readings(caption, nearest_words))


def replaced(captions, nearest_words):
    """Of the words of captions those for which others are read, a dict, in their order."""
    if not nearest_words:
        return {}
    pairs = (pair for caption in captions for pair in readings(caption, nearest_words))
    return {word: read for word, read in pairs if word != read}


def warn_of_words(captions, nearest_words, stacklevel):
    """One warning for all words of captions for which others stand."""
    if found := [f'"{word}" as "{other}"' for word, other in replaced(captions, nearest_words).items()]:
        more = f", and {len(found) - QUOTED_WORDS} more" if len(found) > QUOTED_WORDS else ""
        warnings.warn(
            f"read as what was learned from captions: {', '.join(found[:QUOTED_WORDS])}{more}",
            stacklevel=stacklevel + 1,
        )


def visible_bytes():
    """A visible character for each of 256 bytes, as byte-pair vocabularies have them (GPT-2: Radford et al.
    2019): those that Latin-1 shows stand for themselves, the others for what follows beyond it."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(others)}


class Tokenizer:
    """Byte-pair encoding (Sennrich et al. 2016, arXiv 1508.07909): of a word's pieces that pair is joined
    which was learned first, until none is left.

    Args:
        folder: path of `vocabulary.json`, `merges.txt` and perhaps `nearest_words.json`, as
            `CaptionTokenizer.save_assets` writes them.
        sequence_length: int, pieces that a caption may have; the first are kept, with a warning.

    Call: list of n `str` to int32 `(n, sequence_length)`, padded with 0. Raises: TypeError, ValueError for
    what is no text, and for a caption without a sign.
    """

    def __init__(self, folder, sequence_length):
        folder = Path(folder)
        merges = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
        self.ids = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        self.ranks = {tuple(pair.split(" ")): rank for rank, pair in enumerate(merges) if " " in pair}
        table = folder / NEAREST_WORDS
        self.nearest_words = json.loads(table.read_text(encoding="utf-8")) if table.exists() else {}
        self.bytes = visible_bytes()
        self.sequence_length = sequence_length

    def __call__(self, captions):
        token_ids = np.zeros((len(captions), self.sequence_length), "int32")
        for position, (row, caption) in enumerate(zip(token_ids, captions, strict=True)):
            if not isinstance(caption, str):
                raise TypeError(f"Caption {position} is not text but {type(caption).__name__}: {caption!r}")
            words = read_as(caption, self.nearest_words).split(" ")
            pieces = [piece for word in words if word for piece in self.pieces(word)]
            if not pieces:
                raise ValueError(f"Caption {position} is empty: {caption!r}")
            if len(pieces) > self.sequence_length:
                warnings.warn(
                    f"Caption {position} has {len(pieces)} word pieces and is cut after "
                    f"{self.sequence_length}: {caption[:80]!r}",
                    stacklevel=3,
                )
            kept = pieces[: self.sequence_length]
            row[: len(kept)] = [self.ids[piece] for piece in kept]
        warn_of_words(captions, self.nearest_words, stacklevel=3)
        return token_ids

    def pieces(self, word):
        """Pieces of one word, which takes the space before it along."""
        pieces = [self.bytes[byte] for byte in f" {word}".encode()]
        while pairs := set(pairwise(pieces)) & self.ranks.keys():
            first = min(pairs, key=self.ranks.get)
            place = 0
            while place < len(pieces) - 1:
                if (pieces[place], pieces[place + 1]) == first:
                    pieces[place : place + 2] = ["".join(first)]
                place += 1
        return pieces
