import numpy as np

from keras_t2i.data import augmentation
from keras_t2i.utils.random_streams import random_stream

IMAGES = np.random.default_rng(1).integers(0, 256, (600, 3, 3, 3), dtype="uint8")


def outcomes(images, changed, changes):
    """How often each of `changes` explains what happened to a picture."""
    matches = np.array([(change(images) == changed).all((1, 2, 3)) for change in changes])
    assert matches.any(0).all()
    return matches.sum(1)


def test_a_flip_mirrors_half_of_the_pictures():
    before = IMAGES.copy()
    changed = augmentation.horizontal_flip(IMAGES, random_stream(0, "test"))
    assert outcomes(IMAGES, changed, [lambda x: x, lambda x: x[:, :, ::-1]]).min() > 250
    np.testing.assert_array_equal(IMAGES, before)


def test_translate_moves_onto_white():
    def move(images, y, x):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
        return padded[:, y : y + 3, x : x + 3]

    changed = augmentation.translate(1)(IMAGES, random_stream(0, "test"))
    moves = [lambda a, y=y, x=x: move(a, y, x) for y in range(3) for x in range(3)]
    assert outcomes(IMAGES, changed, moves).min() > 35
