import numpy as np
import pytest
from colored_shapes import colored_shapes

from keras_t2i.evaluation.baselines.baselines import MeanPicture
from keras_t2i.evaluation.baselines.baselines import NearestCaption
from keras_t2i.evaluation.baselines.baselines import RealPictures


@pytest.fixture(scope="module")
def train():
    return colored_shapes()[0]


@pytest.fixture(scope="module")
def prompts(train):
    return train.plain_captions[::7]


def one_hot(captions):
    """Knows first letters."""
    codes = np.zeros((len(captions), 256))
    codes[np.arange(len(captions)), [ord(c[0]) for c in captions]] = 1
    return codes


def everyone(train):
    real = RealPictures(train)
    return [
        real,
        NearestCaption(train, one_hot),
        MeanPicture(train),
    ]


def test_all_draw_alike(train, prompts):
    names = set()
    for one in everyone(train):
        drawn = one.generate(prompts, seed=5, batch_size=4)
        assert drawn.dtype == np.uint8 and drawn.shape == (len(prompts), 32, 32, 3)
        np.testing.assert_array_equal(one.generate(prompts, seed=5, batch_size=64), drawn)
        seeds = [5 + i for i in range(len(prompts))]
        np.testing.assert_array_equal(one.generate(prompts, seed=seeds), drawn)
        assert one.kind in ("ceiling", "baseline", "floor") and one.text.endswith(".")
        names.add(one.name)
    assert len(names) == 3


def test_real_pictures_are_those_of_the_captions(train, prompts):
    real = RealPictures(train)
    np.testing.assert_array_equal(real.generate(prompts), train.pictures[::7])
    np.testing.assert_array_equal(real.generate(prompts[::-1]), train.pictures[::7][::-1])
    with pytest.raises(ValueError, match="'a purple cow'"):
        real.generate([prompts[0], "a purple cow"])


def test_nearest_caption_finds_the_first_that_fits(train):
    first = {}
    for i, caption in enumerate(train.plain_captions):
        first.setdefault(caption[0], i)
    drawn = NearestCaption(train, one_hot).generate(["kangaroo", "hat", "rabbit"])
    np.testing.assert_array_equal(drawn, train.pictures[[first[letter] for letter in "khr"]])
    with pytest.raises(ValueError, match="finite"):
        NearestCaption(train, lambda captions: np.full((len(captions), 2), np.nan))


def test_mean_picture(train):
    expected = train.pictures.astype("float64").mean(axis=0).round()
    np.testing.assert_array_equal(MeanPicture(train).generate(["a", "b"])[1], expected)
