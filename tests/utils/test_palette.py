import numpy as np
from scipy import ndimage

from keras_t2i.utils.palette import blurred
from keras_t2i.utils.palette import find_palette
from keras_t2i.utils.palette import nearest
from keras_t2i.utils.palette import refit

COLORS = np.array([[1, 1, 1], [0.9, 0.1, 0.1], [0.1, 0.2, 0.8], [0.05, 0.05, 0.05]])


def patches(side=32):
    return np.kron(np.array([[0, 1], [2, 3]]), np.ones((side, side), int))


def test_a_picture_of_four_colors_has_four():
    found = find_palette(COLORS[patches()].reshape(-1, 3), 1e-6, 20)
    assert len(found) == 4
    np.testing.assert_allclose(found[nearest(COLORS, found)], COLORS, atol=1e-9)
    assert len(find_palette(COLORS[patches()].reshape(-1, 3), 1e-6, 3)) == 3
    assert len(find_palette(np.ones((10, 3)), 0.0, 5)) == 1


def test_splitting_ends_where_the_error_is_small():
    ramp = np.linspace(0, 1, 4096)[:, None] * np.ones(3)
    for error in (0.03, 0.003):
        found = find_palette(ramp, error, 100)
        gaps = ramp - found[nearest(ramp, found)]
        assert error / 8 < (gaps**2).sum(axis=1).mean() < 1.1 * error


def test_blurred_is_a_gaussian():
    x = np.random.default_rng(0).random((30, 40, 2)).astype("float32")
    expected = ndimage.gaussian_filter(x, (1.2, 1.2, 0), mode="nearest", truncate=4 / 1.2)
    np.testing.assert_allclose(blurred(x, 1.2), expected, atol=1e-4)
    assert blurred(x, 0) is x


def test_the_blur_and_the_colors_of_a_blurred_picture_are_found():
    labels = patches()
    for sigma in (0.0, 2.0):
        picture = blurred(COLORS[labels].astype("float32"), sigma)
        off = (0.9 * COLORS + 0.05).clip(0, 1)
        colors, found, residuals = refit(picture, labels, off, (0.0, 1.0, 2.0))
        assert found == sigma and residuals.shape == (32, 32, 3)
        np.testing.assert_allclose(colors, COLORS, atol=0.01)
        assert np.abs(residuals).max() < 0.06
    assert refit(picture[:-1, :-3], labels[:-1, :-3], COLORS, (1.0,))[2].shape == (32, 31, 3)
