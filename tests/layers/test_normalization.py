from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import GroupNormalization
from keras_t2i.layers import Standardization
from keras_t2i.layers import Whitening
from keras_t2i.layers.native import group_normalization
from keras_t2i.layers.native import group_normalization_plain
from keras_t2i.training.backend import value_and_gradients

NOTHING = SimpleNamespace(variables=[], metrics_variables=[])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


@pytest.mark.parametrize("shape", [(3, 5, 7, 16), (3, 5, 16)])
def test_group_normalization_is_that_of_keras(shape):
    ours, theirs = GroupNormalization(4, epsilon=1e-3), keras.layers.GroupNormalization(4, epsilon=1e-3)
    x = 2 * normal(*shape) + 3
    ours.build(shape)
    theirs.build(shape)
    weights = [normal(16, seed=1), normal(16, seed=2)]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    np.testing.assert_allclose(ops.convert_to_numpy(ours(x)), ops.convert_to_numpy(theirs(x)), atol=1e-5)


@pytest.mark.parametrize("rows", [(), (3,)])
def test_forms_of_group_normalization_are_equal(rows):
    # What this backend uses, and the plain form, against the formula.
    x, scale, shift = 2 * normal(3, 5, 7, 16) + 3, normal(*rows, 16, seed=1), normal(*rows, 16, seed=2)
    weights = normal(3, 5, 7, 16, seed=3)

    def formula(x, scale, shift, groups, epsilon):
        grouped = ops.reshape(x, (3, 35, groups, -1))
        mean = ops.mean(grouped, (1, 3), keepdims=True)
        variance = ops.mean(ops.square(grouped - mean), (1, 3), keepdims=True)
        normalised = ops.reshape((grouped - mean) / ops.sqrt(variance + epsilon), (3, 5, 7, 16))
        return normalised * ops.reshape(scale, (-1, 1, 1, 16)) + ops.reshape(shift, (-1, 1, 1, 16))

    found = []
    for form in (formula, group_normalization_plain, group_normalization):
        tensors = [ops.convert_to_tensor(v) for v in (x, scale, shift)]
        loss, gradients = value_and_gradients(
            NOTHING,
            lambda *v, form=form: ops.sum(ops.sin(ops.multiply(weights, form(*v, 4, 1e-3)))),
            [],
            tensors,
        )
        found.append([ops.convert_to_numpy(v) for v in (form(*tensors, 4, 1e-3), loss, *gradients)])
    for expected, plain, fast in zip(*found, strict=True):
        np.testing.assert_allclose(plain, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(fast, expected, rtol=1e-4, atol=1e-4)


def test_gradients_of_gradients_through_group_normalization():
    """A discriminator's exact penalty goes this way."""
    x, scale, shift = (ops.convert_to_tensor(v) for v in (normal(2, 3, 3, 8), normal(8), normal(8)))
    found = []
    for form in (group_normalization_plain, group_normalization):

        def squared_slope(x, scale, form=form):
            def inner(x):
                return ops.sum(ops.sin(form(x, scale, shift, 2, 1e-3)))

            _, (slope,) = value_and_gradients(NOTHING, inner, [], [x], differentiable=True)
            return ops.sum(ops.square(slope) * ops.square(scale[0]))

        loss, gradients = value_and_gradients(NOTHING, lambda s: squared_slope(x, s), [], [scale])
        found.append([ops.convert_to_numpy(v) for v in (loss, *gradients)])
    for expected, fast in zip(*found, strict=True):
        np.testing.assert_allclose(fast, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(found[0][1]).max() > 0.1


def test_group_normalization_in_bfloat16():
    x = normal(2, 8, 8, 16)
    wide, narrow = GroupNormalization(8)(x), GroupNormalization(8, dtype="mixed_bfloat16")(x)
    assert keras.backend.standardize_dtype(narrow.dtype) == "bfloat16"
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(narrow, "float32")), ops.convert_to_numpy(wide), atol=0.04
    )


def test_group_normalization_of_a_flat_picture_is_finite():
    y = ops.convert_to_numpy(GroupNormalization(2)(np.full((1, 4, 4, 8), 0.3, dtype="float32")))
    np.testing.assert_allclose(y, 0, atol=1e-3)


def test_group_normalization_checks_its_groups():
    with pytest.raises(ValueError, match="12 channels cannot be split into 8 groups"):
        GroupNormalization(8).build((None, 4, 4, 12))


def test_standardization_and_its_inverse():
    codes = 3 * normal(64, 5) + np.arange(5, dtype="float32")
    there, back = Standardization(), Standardization(invert=True, dtype="mixed_bfloat16")
    np.testing.assert_array_equal(ops.convert_to_numpy(there(codes)), codes)  # until it is measured
    back.build(codes.shape)
    for layer in (there, back):
        layer.mean.assign(codes.mean(axis=0))
        layer.scale.assign(codes.std(axis=0))
    standard = ops.convert_to_numpy(there(codes))
    np.testing.assert_allclose(standard.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=0), 1, atol=1e-5)
    assert keras.backend.standardize_dtype(back(there(codes)).dtype) == "float32"
    assert not there.trainable_weights
    inverse = Standardization.from_config({**back.get_config(), "dtype": "float32"})
    inverse.build(codes.shape)
    inverse.set_weights(there.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(inverse(standard)), codes, atol=1e-5)


def test_whitening():
    mixed = normal(500, 6) @ np.diag([5, 3, 1, 0.5, 0.1, 0.01]).astype("float32") @ normal(6, 6, seed=1) + 2
    layer = Whitening(4)
    unmeasured = ops.convert_to_numpy(layer(mixed))
    assert unmeasured.shape == (500, 4) and not layer.trainable_weights
    layer.adapt(mixed, noise_variance=0)
    white = ops.convert_to_numpy(layer(mixed))
    assert white.dtype == "float32"
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(4), atol=1e-3)
    matrix, offset = layer.inverse()
    kept, lost = mixed - offset, mixed - (white @ matrix + offset)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(white @ matrix + offset)), white, atol=1e-3)
    np.testing.assert_allclose((kept * lost).mean(axis=0), np.square(lost).mean(axis=0), atol=1e-2)
    layer.adapt(mixed, noise_variance=1e6)  # what noise drowns stays small
    assert ops.convert_to_numpy(layer(mixed)).std() < 0.1
    again = Whitening.from_config(layer.get_config())
    again.build(mixed.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(ops.convert_to_numpy(again(mixed)), ops.convert_to_numpy(layer(mixed)))
    with pytest.raises(ValueError, match="8 directions cannot be found in 6 dimensions"):
        Whitening(8)(mixed)
