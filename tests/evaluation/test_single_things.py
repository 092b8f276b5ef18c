"""Which pictures are of single things, and which are drawn of them."""

import numpy as np
import pytest

from keras_t2i.data import CaptionedImages
from keras_t2i.data.registry import load_sample
from keras_t2i.evaluation.single_things import designs_of
from keras_t2i.evaluation.single_things import draws_of
from keras_t2i.evaluation.single_things import pictures_of_concept
from keras_t2i.evaluation.single_things import single_things

pytestmark = pytest.mark.once


def of(*known):
    n = len(known)
    return CaptionedImages(
        pictures=np.zeros((n, 2, 2, 3), "uint8"),
        captions=[[caption] for caption, _ in known],
        names=[str(i) for i in range(n)],
        groups=np.arange(n),
        attributes=[attributes for _, attributes in known],
    )


THINGS = of(
    ("guitar", {"base": "guitar", "style": "openmoji"}),
    ("guitar, black line", {"base": "guitar", "style": "black line"}),
    ("watermelon, noto", {"base": "watermelon", "style": "noto"}),  # no watch
    ("headphone", {"base": "headphone"}),  # no head
    ("my red bicycle", {}),
)
OTHERS = of(
    ("technologist, dark skin tone", {"base": "technologist", "tone": "dark skin tone"}),
    ("technologist", {"base": "technologist"}),  # whose other pictures have a skin tone
    ("woman's hat", {"base": "woman's hat"}),
    ("OK hand", {"base": "OK hand"}),
    ("three o'clock", {"base": "clock", "hour": "three"}),
    ("mantelpiece clock", {"base": "mantelpiece clock"}),
    ("flag of France", {"base": "flag of France"}),
    ("dog face", {"base": "dog face"}),
    ("grinning cat", {"base": "cat face", "expression": "grinning cat"}),
)


def test_people_hands_tones_flags_clocks_and_faces_are_no_things():
    assert single_things(THINGS).all() and not single_things(OTHERS).any()
    assert list(single_things(THINGS.joined(OTHERS))) == [True] * len(THINGS) + [False] * len(OTHERS)


def test_of_the_default_set_some_are_left():
    train = load_sample("openmoji", 32, 64)
    assert 0.2 < single_things(train).mean() < 0.6
    assert set(designs_of(train)) == {"openmoji", "black line"}


def test_draws_share_no_picture_and_stay_the_same():
    captions = [f"thing {i // 2 if i < 20 else i}" for i in range(200)]
    things = np.arange(200) % 3 > 0
    first, second = draws_of(things, captions, 40)
    assert len(first) == len(second) == 40 and not set(first) & set(second)
    assert (
        things[first].all() and min(first.min(), second.min()) >= 20
    )  # captions of two pictures are not asked
    np.testing.assert_array_equal(first, draws_of(things, captions, 40)[0])
    assert [len(draw) for draw in draws_of(things, captions, 1000)] == [60, 60]


def test_designs_and_concepts_are_counted():
    assert list(designs_of(THINGS)) == ["openmoji", "black line", "noto", "all", "all"]
    train = THINGS.joined(OTHERS)
    assert list(pictures_of_concept(THINGS, train)) == [2, 2, 1, 1, 1]
    assert list(pictures_of_concept(of(("unicorn", {"base": "unicorn"})), train)) == [0]
