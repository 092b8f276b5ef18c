import numpy as np
import pytest
from coloured_shapes import coloured_shapes
from scipy.ndimage import gaussian_filter

from keras_t2i.evaluation.baselines.baselines import Blurred
from keras_t2i.evaluation.baselines.baselines import MeanPicture
from keras_t2i.evaluation.baselines.baselines import NearestCaption
from keras_t2i.evaluation.baselines.baselines import Noised
from keras_t2i.evaluation.baselines.baselines import Permuted
from keras_t2i.evaluation.baselines.baselines import RealPictures


@pytest.fixture(scope="module")
def train():
    return coloured_shapes()[0]


@pytest.fixture(scope="module")
def prompts(train):
    return [phrasings[0] for phrasings in train.captions[::7]]


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
        Permuted(real),
        Blurred(real, 1),
        Noised(real, 9),
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
    assert len(names) == 6


def test_real_pictures_are_those_of_the_captions(train, prompts):
    real = RealPictures(train)
    np.testing.assert_array_equal(real.generate(prompts), train.pictures[::7])
    np.testing.assert_array_equal(real.generate(prompts[::-1]), train.pictures[::7][::-1])
    with pytest.raises(ValueError, match="'a purple cow'"):
        real.generate([prompts[0], "a purple cow"])


def test_nearest_caption_finds_the_first_that_fits(train):
    first = {}
    for i, phrasings in enumerate(train.captions):
        first.setdefault(phrasings[0][0], i)
    drawn = NearestCaption(train, one_hot).generate(["kangaroo", "hat", "rabbit"])
    np.testing.assert_array_equal(drawn, train.pictures[[first[letter] for letter in "khr"]])
    with pytest.raises(ValueError, match="finite"):
        NearestCaption(train, lambda captions: np.full((len(captions), 2), np.nan))


def test_mean_picture(train):
    expected = train.pictures.astype("float64").mean(axis=0).round()
    np.testing.assert_array_equal(MeanPicture(train).generate(["a", "b"])[1], expected)


def test_permuted_draws_another_prompt_each(train, prompts):
    class Recorder:
        def generate(self, prompts, seed, batch_size):
            self.asked, self.seed = prompts, seed
            return np.zeros((len(prompts), 2, 2, 3), "uint8")

    recorder = Recorder()
    orders = set()
    for seed in range(5):
        Permuted(recorder, seed).generate(prompts * 2, seed=3)
        assert recorder.seed == 3 and sorted(recorder.asked) == sorted(prompts * 2)
        assert all(a != b for a, b in zip(recorder.asked, prompts * 2, strict=True))
        assert recorder.asked[: len(prompts)] == recorder.asked[len(prompts) :]
        orders.add(tuple(recorder.asked))
    assert len(orders) == 5
    with pytest.raises(ValueError, match="at least two"):
        Permuted(recorder).generate(["a", "a"])


@pytest.mark.parametrize("sigma", [0.5, 1.5])
def test_blur_is_gaussian(train, prompts, sigma):
    real = RealPictures(train).generate(prompts)
    expected = [
        gaussian_filter(p.astype("float64"), (sigma, sigma, 0), mode="nearest", truncate=5) for p in real
    ]
    found = Blurred(RealPictures(train), sigma).generate(prompts)
    assert np.abs(found - np.stack(expected)).max() < 0.55


def test_noise_has_its_deviation_and_its_seed(train, prompts):
    class Grey:
        def generate(self, prompts, seed, batch_size):
            return np.full((len(prompts), 32, 32, 3), 128, "uint8")

    noised = Noised(Grey(), 10)
    drawn = noised.generate(["a"] * 20, seed=0).astype("float64") - 128
    assert drawn.std() == pytest.approx(10, rel=0.02) and abs(drawn.mean()) < 0.2
    assert not np.array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(noised.generate(["a"], seed=7)[0] - 128.0, drawn[7])


def test_seeds_must_be_as_many_as_prompts(train, prompts):
    with pytest.raises(ValueError, match="2 seeds for"):
        Noised(RealPictures(train), 1).generate(prompts, seed=[1, 2])
