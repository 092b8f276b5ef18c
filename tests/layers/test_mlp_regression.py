import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import MLPRegression
from keras_t2i.layers import mlp_regression


def combinations(size=6, seed=0):
    """Vectors that name two things of `size` each, and what is to be said: the sum of two numbers, all known
    but for one combination in six."""
    random = np.random.default_rng(seed)
    first, second = (grid.ravel() for grid in np.meshgrid(np.arange(size), np.arange(size)))
    eye, values = np.eye(size), random.standard_normal((2, size, 3))
    x = np.concatenate([eye[first], eye[second]], axis=1).astype("float32") / 2**0.5
    y = (values[0][first] + values[1][second]).astype("float32")
    new = (first + second) % 6 == 0
    return x, y, new


@pytest.fixture
def long(monkeypatch):
    monkeypatch.setattr(mlp_regression, "PASSES", 400)
    monkeypatch.setattr(mlp_regression, "BATCH_SIZE", 16)
    monkeypatch.setattr(mlp_regression, "WEIGHT_DECAY", 0.0)


def adapted(x, y, hidden=32, **options):
    layer = MLPRegression(hidden, y.shape[1])
    layer.build(x.shape)
    return layer, layer.adapt(x, y, **options)


def error(said, y):
    return np.square(said - y).mean() / np.square(y).mean()


def test_it_says_zero_before_and_does_not_learn_by_gradients():
    layer = MLPRegression(8, 3)
    said = ops.convert_to_numpy(layer(np.ones((2, 5), "float32")))
    np.testing.assert_array_equal(said, np.zeros((2, 3)))
    assert not layer.trainable_variables


def test_it_learns_and_says_what_new_combinations_are(long):
    x, y, new = combinations(8)  # of 6 things too few are known: 0.08 to 0.21, by the processor and the seed
    layer, _ = adapted(x[~new], y[~new])
    assert error(layer.said(x[~new]), y[~new]) < 0.01
    assert error(layer.said(x[new]), y[new]) < 0.2


def test_what_is_left_out_is_not_known(long):
    x = np.eye(12, dtype="float32")[np.repeat(np.arange(12), 2)]
    y = np.random.default_rng(1).standard_normal((12, 2)).astype("float32")[np.repeat(np.arange(12), 2)]
    pairs = np.arange(24) // 2
    layer, (alone, without) = adapted(x, y, groupings=[np.arange(24), pairs])
    assert error(layer.said(x), y) < 0.01
    assert error(alone, y) < error(without, y)  # the other of the pair may be known
    assert error(without, y) > 0.5
    _, (nothing,) = adapted(x, y, groupings=[np.zeros(24, int)])
    np.testing.assert_array_equal(nothing, np.zeros((24, 2)))


def test_the_same_seed_learns_the_same_and_vectors_may_be_of_any_size(long):
    x, y, _ = combinations()
    (one, _), (same, _), (other, _) = (adapted(x, y, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_allclose(one.said(x), same.said(x), atol=1e-5)
    assert np.abs(one.said(x) - other.said(x)).max() > 1e-3
    large, _ = adapted(100 * x - 7, 50 * y)
    assert error(large.said(100 * x - 7), 50 * y) < 0.01


def test_the_network_has_the_layers_that_its_words_say():
    layer, x = MLPRegression(4, 2), np.random.default_rng(0).standard_normal((3, 5)).astype("float32")
    layer.build((None, 5))
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.standard_normal(weight.shape))
    mean, matrix, *dense = (ops.convert_to_numpy(w).astype("float64") for w in layer.weights)
    y = (x - mean) @ matrix
    for kernel, bias, gamma, beta in (dense[:4], dense[4:8]):
        y = y @ kernel + bias
        y = (y - y.mean(axis=1, keepdims=True)) / np.sqrt(y.var(axis=1, keepdims=True) + 1e-3)
        y = y * gamma + beta
        y = y / (1 + np.exp(-y))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), y @ dense[8] + dense[9], rtol=1e-4, atol=1e-4)
    again = MLPRegression.from_config(layer.get_config())
    again.build((None, 5))
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(x)), keras.ops.convert_to_numpy(layer(x)))
