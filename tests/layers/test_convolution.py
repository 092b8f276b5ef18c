from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import Conv2D
from keras_t2i.layers import TransposedConvolution
from keras_t2i.layers import residual_block
from keras_t2i.layers.native import transposed_convolution_phases
from keras_t2i.layers.native import transposed_convolution_plain
from keras_t2i.training.backend import value_and_gradients
from keras_t2i.training.backend import without_gradients

NOTHING = SimpleNamespace(variables=[], metrics_variables=[])


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def test_four_phases_equal_the_transposed_convolution():
    x, kernel, weights = normal(2, 3, 5, 4), normal(4, 4, 6, 4, seed=1), normal(2, 6, 10, 6, seed=2)
    found = []
    for form in (transposed_convolution_plain, transposed_convolution_phases):
        y = form(ops.convert_to_tensor(x), ops.convert_to_tensor(kernel))
        _, gradients = value_and_gradients(
            NOTHING,
            lambda x, kernel, form=form: ops.sum(ops.multiply(weights, form(x, kernel))),
            [],
            [ops.convert_to_tensor(v) for v in (x, kernel)],
        )
        found.append([ops.convert_to_numpy(v) for v in (y, *gradients)])
    for plain, phases in zip(*found, strict=True):
        assert np.abs(plain).max() > 1
        np.testing.assert_allclose(phases, plain, atol=2e-5 * np.abs(plain).max())


def test_a_changed_kernel_is_drawn_with():
    """On torch a turned copy is kept: it must never be an old one."""
    layer, x = Conv2D(6, 3, padding="same", use_bias=False), normal(2, 6, 8, 4)
    layer.build(x.shape)
    looks = []
    with without_gradients():
        for size in (1.0, 1.0, -2.0):
            layer.kernel.assign(size * normal(3, 3, 4, 6, seed=1))
            looks += [ops.convert_to_numpy(layer(x)) for _ in range(2)]
        layer.kernel.assign_add(layer.kernel)
        looks.append(ops.convert_to_numpy(layer(x)))
    for look, size in zip(looks, (1, 1, 1, 1, -2, -2, -4), strict=True):
        np.testing.assert_allclose(look, size * looks[0], rtol=1e-5, atol=1e-5)
    assert np.abs(looks[0]).max() > 1


@pytest.mark.parametrize(
    "size, strides, padding",
    [(3, 1, "same"), (1, 1, "valid"), (4, 2, "same"), (3, 2, "same"), (2, 1, "same")],
)
def test_convolution_is_that_of_keras(size, strides, padding):
    options = {"strides": strides, "padding": padding, "activation": "tanh"}
    ours, theirs = Conv2D(6, size, **options), keras.layers.Conv2D(6, size, **options)
    x, weights = normal(2, 6, 8, 4), [normal(size, size, 4, 6, seed=1), normal(6, seed=2)]
    found = []
    for layer in (theirs, ours):
        layer.build(x.shape)
        layer.set_weights(weights)
        loss, gradients = value_and_gradients(
            NOTHING,
            lambda x, layer=layer: ops.sum(ops.square(layer(x))),
            layer.trainable_variables,
            [ops.convert_to_tensor(x)],
        )
        found.append([ops.convert_to_numpy(v) for v in (layer(x), loss, *gradients)])
    for expected, same in zip(*found, strict=True):
        np.testing.assert_allclose(same, expected, atol=3e-5 * max(1, np.abs(expected).max()))


def test_convolution_refuses_what_it_has_not():
    with pytest.raises(ValueError, match="no dilation"):
        Conv2D(4, 3, dilation_rate=2)
    again = Conv2D.from_config(Conv2D(4, 3, padding="same", use_bias=False).get_config())
    assert (again.filters, again.padding, again.use_bias) == (4, "same", False)


def test_transposed_convolution_is_that_of_keras():
    ours, theirs = (
        TransposedConvolution(6, activation="silu"),
        keras.layers.Conv2DTranspose(6, 4, 2, "same", activation="silu"),
    )
    x = normal(2, 4, 4, 3)
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights([ours.get_weights()[0], normal(6)])
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ops.convert_to_numpy(ours(x)), ops.convert_to_numpy(theirs(x)), atol=1e-5)
    assert TransposedConvolution.from_config(ours.get_config()).get_config() == ours.get_config()
    assert tuple(ours.compute_output_shape(x.shape)) == (2, 8, 8, 6)
    assert (
        keras.backend.standardize_dtype(TransposedConvolution(3, dtype="mixed_bfloat16")(x).dtype)
        == "bfloat16"
    )


@pytest.mark.parametrize(
    "options", [{"kernel_size": 3}, {"strides": 1}, {"padding": "valid"}, {"data_format": "channels_first"}]
)
def test_transposed_convolution_has_one_shape(options):
    with pytest.raises(ValueError, match="kernel 4, stride 2, padding 'same', channels last"):
        TransposedConvolution(3, **options)


@pytest.mark.parametrize("filters", [8, 16])
def test_residual_block_starts_as_its_shortcut(filters):
    inputs = keras.Input((4, 4, 8))
    model = keras.Model(inputs, residual_block(inputs, filters, name="block"))
    x = normal(2, 4, 4, 8)
    y = ops.convert_to_numpy(model(x))
    if filters == 8:
        np.testing.assert_array_equal(y, x)
    else:
        kernel = ops.convert_to_numpy(model.get_layer("block_shortcut").kernel)[0, 0]
        np.testing.assert_allclose(y, x @ kernel, atol=1e-5)
