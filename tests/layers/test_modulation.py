import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import ModulatedGroupNormalization
from keras_t2i.layers import ModulatedPixelNormalization
from keras_t2i.layers import modulated_block
from keras_t2i.layers import modulated_pixel_block


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def test_modulation_is_normalisation_then_scale_and_shift():
    x, condition, kernel, bias = normal(3, 5, 7, 16), normal(3, 6, seed=1), normal(6, 32, seed=2), normal(32)
    layer, plain = ModulatedGroupNormalization(4), keras.layers.GroupNormalization(4, epsilon=1e-5)
    normalised = ops.convert_to_numpy(plain(2 * x + 3))
    start = ops.convert_to_numpy(layer(2 * x + 3, condition))
    np.testing.assert_allclose(start, normalised, atol=1e-5)
    layer.set_weights([kernel, bias])
    scale, shift = np.split((condition @ kernel + bias)[:, None, None], 2, axis=-1)
    found = ops.convert_to_numpy(layer(2 * x + 3, condition))
    np.testing.assert_allclose(found, normalised * (1 + scale) + shift, atol=5e-5)


def test_modulation_without_places_is_layer_normalisation():
    x, condition, kernel, bias = normal(3, 16), normal(3, 6, seed=1), normal(6, 32, seed=2), normal(32)
    layer = ModulatedGroupNormalization(1)
    layer.build(x.shape, condition.shape)
    layer.set_weights([kernel, bias])
    wide = 2 * x.astype("float64") + 3
    normalised = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    scale, shift = np.split(condition @ kernel + bias, 2, axis=-1)
    found = ops.convert_to_numpy(layer(2 * x + 3, condition))
    np.testing.assert_allclose(found, normalised * (1 + scale) + shift, atol=5e-5)


def test_modulation_in_bfloat16():
    x, condition, weights = normal(2, 8, 8, 16), normal(2, 6), [normal(6, 32) / 3, normal(32)]
    wide, narrow = ModulatedGroupNormalization(), ModulatedGroupNormalization(dtype="mixed_bfloat16")
    for layer in (wide, narrow):
        layer.build(x.shape, condition.shape)
        layer.set_weights(weights)
    found = narrow(x, condition)
    assert keras.backend.standardize_dtype(found.dtype) == "bfloat16"
    np.testing.assert_allclose(
        ops.convert_to_numpy(ops.cast(found, "float32")), ops.convert_to_numpy(wide(x, condition)), atol=0.08
    )


def test_modulation_config_and_sizes():
    layer = ModulatedGroupNormalization(2, epsilon=1e-3, name="film")
    again = ModulatedGroupNormalization.from_config(layer.get_config())
    assert again.get_config() == layer.get_config() and (again.groups, again.epsilon) == (2, 1e-3)
    with pytest.raises(ValueError, match="12 channels cannot be split into 8 groups"):
        ModulatedGroupNormalization(8).build((None, 4, 4, 12), (None, 3))


@pytest.mark.parametrize("filters", [8, 16])
def test_block_starts_as_its_shortcut(filters):
    x, condition = keras.Input((4, 4, 8)), keras.Input((6,))
    model = keras.Model([x, condition], modulated_block(x, condition, filters, name="block"))
    picture, other = normal(2, 4, 4, 8), normal(2, 6)
    start = ops.convert_to_numpy(model([picture, other]))
    expected = picture
    if filters == 16:
        expected = picture @ ops.convert_to_numpy(model.get_layer("block_shortcut").kernel)
    np.testing.assert_allclose(start, expected, atol=1e-5)
    for i, weight in enumerate(model.weights):
        weight.assign(normal(*weight.shape, seed=i) / 3)
    found = [ops.convert_to_numpy(model([picture, c])) for c in (other, -other)]
    assert np.abs(found[0] - found[1]).max() > 0.1  # the condition matters once it may


def test_block_drops_in_training_only():
    x, condition = keras.Input((4, 4, 8)), keras.Input((6,))
    model = keras.Model([x, condition], modulated_block(x, condition, 8, dropout=0.5, name="block"))
    model.get_layer("block_2_conv").kernel.assign(normal(3, 3, 8, 8))
    inputs = [normal(2, 4, 4, 8), normal(2, 6)]
    found = [ops.convert_to_numpy(model(inputs, training=t)) for t in (False, False, True)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.1


def test_pixel_modulation_is_of_each_place_alone():
    x, condition, kernel, bias = normal(3, 5, 7, 16), normal(3, 6, seed=1), normal(6, 32, seed=2), normal(32)
    layer = ModulatedPixelNormalization()
    layer.build(x.shape, condition.shape)
    layer.set_weights([kernel, bias])
    normalized = x / np.sqrt(np.square(x.astype("float64")).mean(axis=-1, keepdims=True) + 1e-5)
    scale, shift = np.split((condition @ kernel + bias)[:, None, None], 2, axis=-1)
    found = ops.convert_to_numpy(layer(x, condition))
    np.testing.assert_allclose(found, normalized * (1 + scale) + shift, atol=5e-5)
    part = ops.convert_to_numpy(layer(x[:, 1:3, 2:4], condition))
    np.testing.assert_allclose(part, found[:, 1:3, 2:4], atol=1e-6)
    again = ModulatedPixelNormalization.from_config(ModulatedPixelNormalization(1e-3).get_config())
    assert again.epsilon == 1e-3


def test_pixel_block_starts_as_its_shortcut():
    x, condition = keras.Input((None, None, 8)), keras.Input((6,))
    model = keras.Model([x, condition], modulated_pixel_block(x, condition, name="block"))
    picture, other = normal(2, 4, 5, 8), normal(2, 6)
    np.testing.assert_array_equal(ops.convert_to_numpy(model([picture, other])), picture)
    for i, weight in enumerate(model.weights):
        weight.assign(normal(*weight.shape, seed=i) / 3)
    found = [ops.convert_to_numpy(model([picture, c])) for c in (other, -other)]
    assert np.abs(found[0] - found[1]).max() > 0.1
