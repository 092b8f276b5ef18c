from types import SimpleNamespace

import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import DifferentiableAugmentation
from keras_t2i.training.backend import value_and_gradients

PICTURES = np.random.default_rng(0).uniform(-1, 0.9, (16, 6, 5, 3)).astype("float32")


def augmented(pictures=PICTURES, times=1, **settings):
    layer = DifferentiableAugmentation(**{"translation": 0, "brightness": 0, "noise": 0, **settings})
    return [ops.convert_to_numpy(layer(pictures)) for _ in range(times)][-1]


def test_nothing_changes_at_zero():
    np.testing.assert_allclose(augmented(), PICTURES, atol=1e-6)


def test_pictures_move_by_whole_pixels_and_white_comes_in():
    padded = np.pad(PICTURES, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=1)
    moves = []
    for picture, whole in zip(augmented(translation=2), padded, strict=True):
        possible = {(y, x): whole[y : y + 6, x : x + 5] for y in range(5) for x in range(5)}
        moves += [move for move, moved in possible.items() if np.allclose(picture, moved, atol=1e-6)]
    assert len(moves) == len(PICTURES)  # each is exactly one of them
    assert len(set(moves)) > 5


def test_brightness_shifts_a_whole_picture():
    shift = augmented(brightness=0.1) - PICTURES
    assert np.ptp(shift, axis=(1, 2, 3)).max() < 1e-5
    shift = shift[:, 0, 0, 0]
    assert np.abs(shift).max() <= 0.1 + 1e-6 and len(np.unique(shift.round(4))) > 10


def test_noise_has_the_given_size():
    noise = augmented(noise=0.05) - PICTURES
    assert noise.std() == pytest.approx(0.05, rel=0.1)


def test_dice():
    settings = {"translation": 2, "brightness": 0.1, "noise": 0.1}
    first = augmented(**settings, seed=3)
    np.testing.assert_array_equal(first, augmented(**settings, seed=3))
    assert np.abs(first - augmented(**settings, seed=4)).max() > 0.1
    assert np.abs(first - augmented(**settings, seed=3, times=2)).max() > 0.1  # other ones at every call
    layer = DifferentiableAugmentation(**settings, seed=3)
    assert DifferentiableAugmentation.from_config(layer.get_config()).get_config() == layer.get_config()


def test_gradients_go_back_the_way_the_pixels_came():
    layer = DifferentiableAugmentation(translation=1, brightness=0.1, noise=0.05)
    weights = np.random.default_rng(1).uniform(1, 2, PICTURES.shape).astype("float32")
    _, (gradient,) = value_and_gradients(
        SimpleNamespace(variables=layer.variables, metrics_variables=[]),
        lambda pictures: ops.sum(ops.multiply(weights, layer(pictures))),
        [],
        [ops.convert_to_tensor(PICTURES)],
    )
    gradient = ops.convert_to_numpy(gradient)
    padded = np.pad(weights, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for found, whole in zip(gradient, padded, strict=True):
        possible = [whole[y : y + 6, x : x + 5] for y in range(3) for x in range(3)]
        assert sum(np.allclose(found, back, atol=1e-5) for back in possible) == 1
