"""Words that captions did not teach, and the taught ones nearest in meaning: by GloVe's vectors, and WordNet.

A model that learned "deer" can't draw a "moose", whose pieces mean nothing to it; read as "deer" it can.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keras_t2i_runtime.captions import normalise

LEAST = 0.65  # below, what is nearest is often not near: "pirate" is 0.54 from "ship"
RELATED = 0.2  # what a relation in WordNet adds, at most
HIGHEST, FURTHEST = 4, 5  # steps up from either, and in all: further, all things are related
CANDIDATES = 30  # of each word: those whose vectors are nearest
# The most frequent words, "will" and "said", name no thing; nor do "one" and "last" in place of others.
UNASKED, UNREAD = 500, 100
SENSES = 2  # of a word, which WordNet has the most frequent first
# How WordNet's own morphology (morphy(7WN)) makes a noun singular.
SINGULARS = ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh")
SINGULARS += ("men", "man"), ("ies", "y")


def nearest_words(
    captions: Iterable[str], words, vectors, wordnet=None, least=LEAST, unasked=UNASKED, unread=UNREAD
) -> dict[str, str]:
    """What to read in place of words that are in none of the captions: the most similar word that is in one.

    Similarity is the cosine of two words' vectors; nouns d steps apart in WordNet have (1 - d/5)/5 more.

    Args:
        captions: those that a model learned from.
        words: list of n `str`, the most frequent first, as of `read_vectors`.
        vectors: float32 `(n, d)`.
        wordnet: `WordNet`: what it does not have, names, verbs and small words, is left as it is; or `None`.
        least: float: words without one so similar are left as they are.
        unasked, unread: int, of the first of `words`: so many stay; so many are not read for others.

    Returns: dict, of an untaught word a taught one, for `CaptionTokenizer(nearest_words=)`.
    """
    taught = {word for caption in captions for word in normalise(caption).split(" ")}
    place = {word: i for i, word in enumerate(words)}
    known = sorted(word for word in taught if place.get(word, -1) >= unread and _plain(word))
    asked = [word for word in words[unasked:] if _plain(word) and normalise(word) == word]
    asked = [word for word in asked if word not in taught and (wordnet is None or word in wordnet)]
    if not known or not asked:
        return {}
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    theirs, found = vectors[[place[word] for word in known]], {}
    for word in asked:
        similar = theirs @ vectors[place[word]]
        candidates = np.argsort(-similar, kind="stable")[:CANDIDATES]
        scores = [similar[i] + _related(word, known[i], wordnet) for i in candidates]
        if max(scores) >= least:
            found[word] = known[candidates[int(np.argmax(scores))]]
    return found


def _plain(word):
    return len(word) > 1 and word.isalpha()


def _related(word, other, wordnet):
    distance = FURTHEST if wordnet is None else min(wordnet.distance(word, other), FURTHEST)
    return RELATED * (1 - distance / FURTHEST)


def read_vectors(path, most=60_000) -> tuple[list[str], NDArray[np.float32]]:
    """The first words of a file of vectors, and these, float32 `(n, d)`.

    Args:
        path: text, a word and its numbers a line, the most frequent word first, as GloVe's files are
            (Pennington et al. 2014, https://nlp.stanford.edu/projects/glove).
        most: int, words to read.

    Raises: ValueError, with the line's number, where a line is not that.
    """
    words, vectors = [], []
    with Path(path).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            word, *numbers = line.rstrip("\n").split(" ")
            try:
                vector = np.array(numbers, "float32")
            except ValueError:
                vector = np.empty(0)
            if not len(vector) or (vectors and len(vector) != len(vectors[0])):
                raise ValueError(f"{path}, line {number}: not a word and its numbers: {line[:40]!r}")
            words.append(word)
            vectors.append(vector)
            if len(words) == most:
                break
    return words, np.array(vectors, "float32")


class WordNet:
    """Which nouns, adjectives and verbs there are, and how far apart nouns are, by their hypernyms (Miller
    1995, https://doi.org/10.1145/219717.219748).

    Args:
        folder: path of `data.noun`, `index.noun`, `index.adj` and `index.verb`, as WordNet has them (format:
            wndb(5WN)).

    Raises: FileNotFoundError where one is missing.
    """

    def __init__(self, folder):
        folder = Path(folder)
        self._senses = {word: fields[-int(fields[2]) :] for word, fields in _index(folder / "index.noun")}
        self._adjectives = {word for word, _ in _index(folder / "index.adj")}
        self._verbs = {word for word, _ in _index(folder / "index.verb")}
        self._hypernyms = dict(_synsets(folder / "data.noun"))
        self._above = {}

    def __contains__(self, word):
        return self.is_adjective(word) or self.is_noun(word)

    def is_noun(self, word):
        """Whether a word is one, or the plural of one."""
        return self._singular(word) in self._senses

    def is_adjective(self, word):
        """Whether a word is one, in its base form."""
        return word in self._adjectives

    def is_verb(self, word):
        """Whether a word is one, in its base form."""
        return word in self._verbs

    def distance(self, word, other):
        """The least number of steps from one noun up to what the other is too, and down: int, 0 for synonyms;
        infinite where it is more than `HIGHEST` up, or a word is no noun."""
        pairs = [(one, two) for one in self._up(word) for two in self._up(other)]
        return min((one[s] + two[s] for one, two in pairs for s in one.keys() & two.keys()), default=np.inf)

    def _singular(self, word):
        forms = [word, *(word.removesuffix(end) + new for end, new in SINGULARS if word.endswith(end))]
        return next((form for form in forms if len(form) > 2 and form in self._senses), None)

    def _up(self, word):
        """For each sense what it is, a dict of synsets, and how many steps up that is."""
        if word not in self._above:
            senses = self._senses.get(self._singular(word), [])[:SENSES]
            self._above[word] = [self._climb(sense) for sense in senses]
        return self._above[word]

    def _climb(self, sense):
        steps, level = {sense: 0}, [sense]
        for height in range(1, HIGHEST + 1):
            level = [above for synset in level for above in self._hypernyms[synset]]
            for synset in level:
                steps.setdefault(synset, height)
        return steps


def _index(path):
    """Words of an index, and the fields of their lines: the third is the number of senses, the last ones."""
    with path.open(encoding="utf-8") as file:
        lines = (line.split() for line in file if not line.startswith(" "))
        yield from ((fields[0], fields) for fields in lines)


def _synsets(path):
    """Nouns' synsets, and the hypernyms of each (pointers "@", and "@i" of instances)."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.startswith(" "):
                fields = line.split(" | ")[0].split()
                first = 4 + 2 * int(fields[3], 16) + 1  # of the pointers, four fields each
                pointers = [fields[i : i + 2] for i in range(first, first + 4 * int(fields[first - 1]), 4)]
                yield fields[0], [target for symbol, target in pointers if symbol in ("@", "@i")]
