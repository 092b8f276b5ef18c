import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.layers import FourierFeatures


def features(x, layer=None):
    return ops.convert_to_numpy((layer or FourierFeatures(16))(np.asarray(x, dtype="float32")))


def test_features_are_waves():
    x = np.linspace(-20, 20, 41, dtype="float32")
    frequencies = (np.pi / 80) * (4 / (np.pi / 80)) ** (np.arange(8) / 7)
    angles = x[:, None] * frequencies
    np.testing.assert_allclose(features(x), np.hstack([np.sin(angles), np.cos(angles)]), atol=2e-5)


def test_levels_are_told_apart():
    found = features(np.arange(-20, 20.05, 0.1))
    distances = np.linalg.norm(found[:, None] - found, axis=-1) + 9 * np.eye(len(found))
    assert distances.min() > 0.3


def test_infinity_is_the_limit():
    found = features([-np.inf, -25, -20, 20, 99, np.inf])
    assert np.isfinite(found).all()
    for i, j in [(0, 2), (1, 2), (4, 3), (5, 3)]:
        np.testing.assert_array_equal(found[i], found[j])
    assert np.abs(found[2] - found[3]).max() > 1


def test_float32_whatever_the_policy():
    layer = FourierFeatures(8, limit=5, fastest=2, dtype="mixed_bfloat16", name="waves")
    found = layer(np.array([0.3], dtype="float32"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    again = FourierFeatures.from_config(layer.get_config())
    np.testing.assert_array_equal(features([0.3], again), ops.convert_to_numpy(found))
    assert again.get_config() == layer.get_config()
    for dim in (2, 7):
        with pytest.raises(ValueError, match="even and 4 or more"):
            FourierFeatures(dim)
