import keras
import numpy as np
from keras import ops

from keras_t2i.layers import AppendTokens
from keras_t2i.layers import NullCode
from keras_t2i.layers import NullTokens
from keras_t2i.layers import TokenWhitening


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def test_null_code_stands_where_none_is_given():
    codes, null = normal(3, 4), normal(4, seed=1)
    codes[1] = np.nan
    layer = NullCode()
    for given in (np.array([1.0, 0.0, 1.0], dtype="float32"), np.array([True, False, True])):
        layer(codes, given)
        layer.set_weights([null])
        found = ops.convert_to_numpy(layer(codes, given))
        np.testing.assert_array_equal(found, [codes[0], null, codes[2]])


def test_null_token_is_the_only_one():
    tokens, null = normal(3, 4, 2), normal(2, seed=1)
    tokens[1], tokens[2, 3] = np.nan, np.nan
    present = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 0]], dtype="float32")
    given = np.array([1, 0, 1], dtype="float32")
    layer = NullTokens()
    layer(tokens, present, given)
    layer.set_weights([null])
    found, there = (ops.convert_to_numpy(v) for v in layer(tokens, present, given))
    np.testing.assert_array_equal(there, [[1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 0]])
    assert there.dtype == "bool"
    np.testing.assert_array_equal(found[0], tokens[0])
    np.testing.assert_array_equal(found[1], [null, [0, 0], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found[2], [*tokens[2, :3], [0, 0]])


def test_tokens_are_whitened_one_by_one():
    tokens = normal(200, 5, 6) @ np.diag([9, 3, 1, 0.3, 0.1, 0.1]).astype("float32") + 1
    layer = TokenWhitening(4)
    assert layer(keras.Input((None, 6))).shape == (None, None, 4)
    layer.adapt(tokens.reshape(-1, 6), 0)
    white = ops.convert_to_numpy(layer(tokens))
    assert white.shape == (200, 5, 4)
    np.testing.assert_allclose(np.cov(white.reshape(-1, 4).T, bias=True), np.eye(4), atol=1e-3)


def test_appended_tokens_are_there():
    tokens, present, more = normal(2, 3, 4), np.array([[1, 1, 0], [0, 0, 0]], dtype="bool"), normal(2, 2, 4)
    inputs = [keras.Input((None, 4)), keras.Input((None,), dtype="bool"), keras.Input((2, 4))]
    outputs = AppendTokens()(*inputs)
    assert [v.shape for v in outputs] == [(None, None, 4), (None, None)]
    found, there = (ops.convert_to_numpy(v) for v in keras.Model(inputs, outputs)([tokens, present, more]))
    np.testing.assert_array_equal(found, np.concatenate([tokens, more], axis=1))
    np.testing.assert_array_equal(there, [[1, 1, 0, 1, 1], [0, 0, 0, 1, 1]])
    assert AppendTokens()(*(keras.Input(v.shape[1:]) for v in (tokens, present, more)))[0].shape[1] == 5
