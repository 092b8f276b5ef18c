"""Many texts in little memory: a million short `str` take several times their letters."""

import itertools
from array import array
from collections.abc import Sequence


class Texts(Sequence):
    """A list of str to which can be added, held as the letters of all (UTF-8), one text behind the other.

    `texts[i]` is a str, made anew at each call; `texts[a:b]` and sums are lists of them.

    Args:
        texts: iterable of str; names of files may have bytes that are no text (surrogates).
    """

    def __init__(self, texts=()):
        self.letters, self.ends = bytearray(), array("q")
        for text in texts:
            self.append(text)

    def append(self, text):
        """Add one at the end."""
        self.letters += text.encode("utf-8", "surrogatepass")
        self.ends.append(len(self.letters))

    def _part(self, first, last):
        return self.letters[first:last].decode("utf-8", "surrogatepass")

    def __len__(self):
        return len(self.ends)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]  # raises IndexError
        return self._part(self.ends[i - 1] if i else 0, self.ends[i])

    def __iter__(self):
        first = 0
        for last in self.ends:
            yield self._part(first, last)
            first = last

    def __eq__(self, other):
        same = isinstance(other, Texts | list | tuple) and len(self) == len(other)
        return same and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None

    def __add__(self, other):
        return [*self, *other]

    def __radd__(self, other):
        return [*other, *self]

    def __repr__(self):
        return f"<{type(self).__name__}: {len(self):,}>"


class ListsOfTexts(Texts):
    """The same of lists of str: `texts[i]` is a list.

    Args:
        lists: iterable of lists of str.
    """

    def __init__(self, lists=()):
        self.texts, self.ends = Texts(), array("q")
        for texts in lists:
            self.append(texts)

    def append(self, texts):
        for text in texts:
            self.texts.append(text)
        self.ends.append(len(self.texts))

    def _part(self, first, last):
        return self.texts[first:last]

    def __iter__(self):
        texts, first = iter(self.texts), 0
        for last in self.ends:
            yield list(itertools.islice(texts, last - first))
            first = last
