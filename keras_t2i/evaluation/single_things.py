"""Which pictures show a single thing: what a person either recognises or does not."""

import re

import numpy as np

from keras_t2i.utils.random_streams import random_stream

LIVING = ("tone", "gender", "hair")  # attributes of people and hands
KINDS = ("hour", "expression")  # of clocks and cats' faces
WORDS = re.compile(
    r"\b(?:"
    r"people|person|men|man|women|woman|child|boy|girl|baby|adult|family|families|couple|kiss|busts?|skier|"
    r"hands?|fingers?|thumbs?|biceps|foot|footprints|leg|ear|eyes?|nose|mouth|lips?|tongue|hair|beard|bald|"
    r"skin tone|faces?|head|laughing|star-struck|hearts?|skull|ghost|alien|robot|monkey|creature|zombie|"
    r"genie|troll|ogre|goblin|pile of poo|flags?|clock|watch|stopwatch|hourglass"
    r")\b"
)


def single_things(data):
    """Whether each picture shows a single thing: no people, hands, skin tones, faces, flags or clocks.

    Of those, many pictures are near copies of each other, and are drawn well. This is the one place where it
    is decided: by attributes and by the words of the plain caption, for not every set knows groups. What
    comes in skin tones, or as man and woman, is a person or a hand, also where its own caption does not say
    so.

    Args:
        data: `CaptionedImages`; preferably all of a set.

    Returns:
        bool `(n,)`.
    """
    living = {a.get("base") for a in data.attributes if any(a.get(key) for key in LIVING)} - {None}
    return np.array(
        [
            not (known.get("base") in living or any(known.get(key) for key in (*LIVING, *KINDS)))
            and not WORDS.search(plain.lower())
            for plain, known in zip(data.plain_captions, data.attributes, strict=True)
        ],
        dtype=bool,
    )


def draws_of(things, captions, count, draws=2):
    """Pictures of single things for some draws: each is the same on every machine, no two share a picture.

    Args:
        things: bool `(n,)`, of `single_things`.
        captions: list of n str; a caption that several pictures have is not drawn.
        count: int, of each draw; fewer where there are not so many.

    Returns:
        list of int arrays of positions.
    """
    values, counts = np.unique(captions, return_counts=True)
    once = np.isin(captions, values[counts == 1])
    left, found = np.flatnonzero(np.asarray(things) & once), []
    for seed in range(draws):
        # An equal share where there are few.
        some = random_stream(seed, "single things").permutation(left)[
            : min(count, len(left) // (draws - seed))
        ]
        found.append(np.sort(some))
        left = np.setdiff1d(left, some)
    return found


def designs_of(data):
    """The design of each picture: array of str, the same for all where none is known."""
    return np.array([known.get("style") or "all" for known in data.attributes])


def pictures_of_concept(data, train):
    """How many training pictures there are of what each picture shows: int `(n,)`.

    A concept is what a picture shows whatever its design, skin tone, hair or colour: the attribute `base`,
    or the plain caption of a picture that has none.
    """
    concepts, of_train = (
        [known.get("base") or plain for plain, known in zip(d.plain_captions, d.attributes, strict=True)]
        for d in (data, train)
    )
    values, counts = np.unique(of_train, return_counts=True)
    known = dict(zip(values.tolist(), counts.tolist(), strict=True))
    return np.array([known.get(concept, 0) for concept in concepts], dtype="int64")
