"""Words that captions teach only beside others, and the phrase to read where one stands alone.

A model that knows "couch" from "couch and lamp" alone, or "norway" from "flag of Norway", draws neither well
by itself; read as the whole phrase it does.
"""

import re
from collections.abc import Iterable
from collections.abc import Sequence

from keras_t2i_runtime.captions import is_word
from keras_t2i_runtime.captions import normalise
from keras_t2i_runtime.captions import replaced

FEW = 3  # things that a word is said of: one of many, such as "hair", is known by itself
LONGEST = 4  # words of a phrase
FREQUENT = 500  # of words: verbs among them, "see" and "put", are seldom said of a thing
ARTICLES = {"a", "an", "the"}
SIGN = re.compile(r"(?:^| )[^\w\s']+(?: |$)")


def phrases(captions: Iterable[Sequence[str]], words, wordnet, few=FEW, longest=LONGEST) -> dict[str, str]:
    """What to read in place of nouns that no caption has alone: the shortest phrase of one that has them.

    What captions say before the first sign counts, "boxing glove" of "boxing glove, sport", and none of that
    is read as another by the table.

    Args:
        captions: those of each picture, of which the first says what it shows.
        words: list of `str`, the most frequent first, as of `nearest_words.read_vectors`.
        wordnet: `nearest_words.WordNet`: adjectives, and verbs among the most frequent words, are left.
        few: int; words that are said of more things are left.
        longest: int, words that a phrase may have.

    Returns: dict, of a word its phrase, for `CaptionTokenizer(nearest_words=)`.
    """
    captions = [dict.fromkeys(map(_said, own)) for own in captions]
    things, shortest, frequent = {}, {}, set(words[:FREQUENT])
    for own in captions:
        thing = next(iter(own))
        for said in own:
            fits = len(said) <= longest and all(map(is_word, said))
            for word in said:
                things.setdefault(word, set()).add(thing)
                if fits and (word not in shortest or len(said) < len(shortest[word])):
                    shortest[word] = said
    found = {
        word: " ".join(said)
        for word, said in shortest.items()
        if len(said) > 1 and len(word) > 2 and word.isalpha() and len(things[word]) <= few
        if wordnet.is_noun(word) and not wordnet.is_adjective(word)
        if not (word in frequent and wordnet.is_verb(word))
    }
    changed = {word for own in captions for word in replaced(map(" ".join, own), found)}
    return {word: said for word, said in found.items() if word not in changed}


def _said(caption):
    """The words of a caption up to the first sign, without an article before them: what it shows, not how."""
    words = tuple(SIGN.split(normalise(caption))[0].split())
    return words[1:] if words[:1] and words[0] in ARTICLES else words
