import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import DepthToSpace
from keras_t2i.layers import SpaceToDepth


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


@pytest.mark.parametrize("b", [1, 2, 3])
def test_a_block_becomes_one_place(b):
    x = normal(2, 2 * b, 3 * b, 5)
    y = ops.convert_to_numpy(SpaceToDepth(b)(x))
    assert y.shape == (2, 2, 3, 5 * b * b)
    for i in range(2):
        for j in range(3):
            block = x[:, i * b : (i + 1) * b, j * b : (j + 1) * b]
            np.testing.assert_array_equal(y[:, i, j], block.reshape(2, -1))
    np.testing.assert_array_equal(ops.convert_to_numpy(DepthToSpace(b)(y)), x)


def test_shapes_and_types_in_a_model():
    inputs = keras.Input((4, 8, 3))
    grid = SpaceToDepth(2, dtype="mixed_bfloat16")(inputs)
    pixels = DepthToSpace(4, dtype="float32")(keras.layers.Dense(32)(grid))
    assert grid.shape == (None, 2, 4, 12) and pixels.shape == (None, 8, 16, 2)
    model = keras.Model(inputs, [grid, pixels])
    found = model(normal(3, 4, 8, 3))
    assert [tuple(v.shape) for v in found] == [(3, 2, 4, 12), (3, 8, 16, 2)]
    assert [keras.backend.standardize_dtype(v.dtype) for v in found] == ["bfloat16", "float32"]
    again = keras.Model.from_config(
        model.get_config(), {"SpaceToDepth": SpaceToDepth, "DepthToSpace": DepthToSpace}
    )
    assert again.get_config() == model.get_config()


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="grid of 4x9 cannot be cut into blocks of 2x2"):
        SpaceToDepth(2)(keras.Input((4, 9, 3)))
    with pytest.raises(ValueError, match="6 channels do not fill blocks of 2x2"):
        DepthToSpace(2)(keras.Input((4, 4, 6)))
    for layer in (SpaceToDepth, DepthToSpace):
        with pytest.raises(ValueError, match="block_size must be 1 or more, got 0"):
            layer(0)
