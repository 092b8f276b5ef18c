import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import TextAttention
from keras_t2i.layers import WordAttention


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


PICTURE, TOKENS = normal(2, 3, 4, 16), normal(2, 5, 6, seed=1)
PRESENT = np.arange(5) < np.array([[5], [2]])


def filled(**options):
    layer = TextAttention(8, **options)
    layer.build(PICTURE.shape, TOKENS.shape, PRESENT.shape)
    for i, weight in enumerate(layer.weights):
        weight.assign(normal(*weight.shape, seed=i) / 2)
    return layer


def call(layer, *inputs):
    return ops.convert_to_numpy(ops.cast(layer(*inputs), "float32"))


def test_attention_is_a_softmax_over_places_and_words():
    layer = filled()
    kernels = [ops.convert_to_numpy(d.kernel) for d in (layer.places, layer.words, layer.output_projection)]
    scales = [ops.convert_to_numpy(s) for s in (layer.query_scale, layer.key_scale)]
    normalised = ops.convert_to_numpy(layer.norm(PICTURE)).reshape(2, 12, 16)
    expected = np.empty((2, 12, 16))
    for n in range(2):
        query, key, value = np.split(normalised[n] @ kernels[0], 3, axis=1)
        words = np.split(TOKENS[n, PRESENT[n]] @ kernels[1], 2, axis=1)
        key, value = np.vstack([key, words[0]]), np.vstack([value, words[1]])
        for head in (slice(0, 8), slice(8, 16)):
            q, k = (
                v[:, head] / np.sqrt(np.square(v[:, head]).mean(axis=1, keepdims=True)) * s
                for v, s in zip((query, key), scales, strict=True)
            )
            weight = np.exp(q @ k.T / np.sqrt(8))
            expected[n, :, head] = weight / weight.sum(axis=1, keepdims=True) @ value[:, head]
    expected = PICTURE + (expected @ kernels[2]).reshape(PICTURE.shape)
    found = call(layer, PICTURE, TOKENS, PRESENT)
    assert np.abs(found - PICTURE).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_attention_starts_as_nothing():
    np.testing.assert_array_equal(call(TextAttention(8), PICTURE, TOKENS, PRESENT), PICTURE)


def test_padding_has_no_effect_and_order_neither():
    layer = filled()
    found = call(layer, PICTURE, TOKENS, PRESENT)
    other = np.where(PRESENT[..., None], TOKENS, 7.0)
    np.testing.assert_allclose(call(layer, PICTURE, other, PRESENT), found, atol=1e-5)
    turned = call(layer, PICTURE, TOKENS[:, ::-1], PRESENT[:, ::-1].astype("float32"))
    np.testing.assert_allclose(turned, found, atol=1e-5)
    without = call(layer, PICTURE, TOKENS, np.zeros_like(PRESENT))
    assert np.isfinite(without).all() and np.abs(without - found).max() > 0.05


def test_attention_in_bfloat16():
    wide, narrow = filled(), filled(dtype="mixed_bfloat16")
    assert keras.backend.standardize_dtype(narrow(PICTURE, TOKENS, PRESENT).dtype) == "bfloat16"
    exact, rounded = (call(layer, PICTURE, TOKENS, PRESENT) for layer in (wide, narrow))
    assert 0 < np.linalg.norm(exact - rounded) / np.linalg.norm(exact - PICTURE) < 0.05


def test_attention_config_and_sizes():
    layer = TextAttention(16, name="attention")
    assert TextAttention.from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(ValueError, match="24 channels cannot be split into heads of 16"):
        layer(np.zeros((1, 2, 2, 24), dtype="float32"), TOKENS[:1], PRESENT[:1])


def test_word_attention_is_a_softmax_over_words_of_each_place_alone():
    layer = WordAttention(8)
    layer.build(PICTURE.shape, TOKENS.shape, PRESENT.shape)
    for i, weight in enumerate(layer.weights):
        weight.assign(normal(*weight.shape, seed=i) / 2)
    kernels = [ops.convert_to_numpy(d.kernel) for d in (layer.places, layer.words, layer.output_projection)]
    scales = [ops.convert_to_numpy(s) for s in (layer.query_scale, layer.key_scale)]
    expected = np.empty((2, 12, 16))
    for n in range(2):
        query = PICTURE[n].reshape(12, 16) @ kernels[0]
        key, value = np.split(TOKENS[n, PRESENT[n]] @ kernels[1], 2, axis=1)
        for head in (slice(0, 8), slice(8, 16)):
            q, k = (
                v[:, head] / np.sqrt(np.square(v[:, head]).mean(axis=1, keepdims=True)) * s
                for v, s in zip((query, key), scales, strict=True)
            )
            weight = np.exp(q @ k.T / np.sqrt(8))
            expected[n, :, head] = weight / weight.sum(axis=1, keepdims=True) @ value[:, head]
    expected = PICTURE + (expected @ kernels[2]).reshape(PICTURE.shape)
    found = call(layer, PICTURE, TOKENS, PRESENT)
    assert np.abs(found - PICTURE).max() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(call(layer, PICTURE[:, 1:, :2], TOKENS, PRESENT), found[:, 1:, :2], atol=1e-5)
    np.testing.assert_array_equal(call(WordAttention(8), PICTURE, TOKENS, PRESENT), PICTURE)
    assert WordAttention.from_config(layer.get_config()).get_config() == layer.get_config()
    with pytest.raises(ValueError, match="24 channels cannot be split into heads of 16"):
        WordAttention(16)(np.zeros((1, 2, 2, 24), dtype="float32"), TOKENS[:1], PRESENT[:1])
