import numpy as np
import pytest

from keras_t2i.evaluation.flatness import SMOOTHINGS
from keras_t2i.evaluation.flatness import matching_smoothing
from keras_t2i.evaluation.flatness import share_of_neighbors

pytestmark = pytest.mark.once


def discs(n=6, size=32):
    """Flat fills with edges, uint8."""
    rng, (y, x) = np.random.default_rng(0), np.mgrid[:size, :size]
    pictures = np.full((n, size, size, 3), 255, "uint8")
    for picture in pictures:
        inside = (y - size / 2) ** 2 + (x - size / 2) ** 2 < rng.uniform(6, 14) ** 2
        picture[inside] = rng.integers(0, 200, 3)
    return pictures


def mottled(pictures, size):
    """Blotches, three pixels wide, on the fills."""
    blotches = np.random.default_rng(1).normal(0, size, pictures[:, ::3, ::3].shape)
    blotches = blotches.repeat(3, 1).repeat(3, 2)[:, : pictures.shape[1], : pictures.shape[2]]
    return np.clip(pictures + blotches, 0, 255).astype("uint8")


def test_share_of_neighbors():
    picture = np.zeros((1, 2, 3, 3), "uint8")
    picture[0, 0, 1] = [9, 0, 3]  # beside two, above one: three of seven pairs are 9 apart
    assert share_of_neighbors(picture, 9) == 1.0
    assert share_of_neighbors(picture, 8) == share_of_neighbors(picture) == pytest.approx(4 / 7)


def test_the_more_mottled_the_more_smoothing():
    true = discs()
    found = [matching_smoothing(true, mottled(true, size)) for size in (0, 8, 12, 60)]
    assert found[0] == 0.0 < found[1] < found[2] <= found[3] == SMOOTHINGS[-1]


def test_photographs_are_left_as_they_are():
    rng = np.random.default_rng(0)
    photographs = rng.integers(0, 256, (4, 16, 16, 3)).astype("uint8")  # all texture
    soft = photographs.reshape(4, 8, 2, 8, 2, 3).mean((2, 4)).repeat(2, 1).repeat(2, 2).astype("uint8")
    assert matching_smoothing(photographs, soft) == 0.0
