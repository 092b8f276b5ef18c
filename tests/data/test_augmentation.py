import itertools

import numpy as np

from keras_t2i.data import augmentation
from keras_t2i.utils.random_streams import random_stream

IMAGES = np.random.default_rng(1).integers(0, 256, (600, 3, 3, 3), dtype="uint8")


def outcomes(images, changed, changes):
    """How often each of `changes` explains what happened to a picture."""
    matches = np.array([(change(images) == changed).all((1, 2, 3)) for change in changes])
    assert matches.any(0).all()
    return matches.sum(1)


def test_flips_and_transpose_make_the_eight_symmetries_equally_likely():
    rng = random_stream(0, "test")
    changed = IMAGES
    for augment in (augmentation.horizontal_flip, augmentation.vertical_flip, augmentation.transpose):
        changed = augment(changed, rng)
    turns = [lambda x, k=k: np.rot90(x, k, (1, 2)) for k in range(4)]
    mirrored = [lambda x, k=k: np.rot90(x[:, :, ::-1], k, (1, 2)) for k in range(4)]
    counts = outcomes(IMAGES, changed, turns + mirrored)
    assert counts.sum() == len(IMAGES)
    assert counts.min() > 45


def test_channel_permutation_draws_all_six_orders():
    before = IMAGES.copy()
    changed = augmentation.channel_permutation(IMAGES, random_stream(0, "test"))
    orders = [lambda x, o=list(order): x[..., o] for order in itertools.permutations(range(3))]
    assert outcomes(IMAGES, changed, orders).min() > 65
    np.testing.assert_array_equal(IMAGES, before)


def test_translate_moves_onto_white():
    def move(images, y, x):
        padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
        return padded[:, y : y + 3, x : x + 3]

    changed = augmentation.translate(1)(IMAGES, random_stream(0, "test"))
    moves = [lambda a, y=y, x=x: move(a, y, x) for y in range(3) for x in range(3)]
    assert outcomes(IMAGES, changed, moves).min() > 35
