import itertools

import numpy as np
import pytest
from scipy.ndimage import convolve1d

from keras_t2i_runtime.smoothing import GAPS
from keras_t2i_runtime.smoothing import smoothed

pytestmark = pytest.mark.once


def random_pictures(*shape):
    return np.random.default_rng(0).uniform(-1, 1, (*shape, 3)).astype("float32")


def one_pass(colors, color, gap):
    """Dammertz et al. 2010, equation 2, pixel by pixel, of one picture in float64, colors from 0 to 1."""
    spline, found = {-2: 1, -1: 4, 0: 6, 1: 4, 2: 1}, np.zeros(colors.shape)
    for y, x in np.ndindex(*colors.shape[:2]):
        weights = 0
        for i, j in itertools.product(spline, spline):
            row, column = y + gap * i, x + gap * j
            if 0 <= row < colors.shape[0] and 0 <= column < colors.shape[1]:
                apart = np.sum((colors[row, column] - colors[y, x]) ** 2)
                weight = spline[i] * spline[j] * np.exp(-apart / (2 * color**2))
                found[y, x] += weight * colors[row, column]
                weights += weight
        found[y, x] /= weights
    return found


def by_definition(image, color):
    colors = (image.astype("float64") + 1) / 2
    for gap in GAPS:
        colors = one_pass(colors, color, gap)
    return 2 * colors - 1


@pytest.mark.parametrize("shape", [(3, 5), (19, 14), (1, 1)])
@pytest.mark.parametrize("color", [0.05, 0.4])
def test_it_is_the_edge_avoiding_transform(shape, color):
    images = random_pictures(2, *shape)
    found = smoothed(images, color)
    assert found.dtype == np.float32
    wanted = np.stack([by_definition(image, color) for image in images])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_where_colors_do_not_count_it_convolves_with_splines_apart():
    images = random_pictures(1, 40, 40)
    edge = 2 * sum(GAPS)
    around = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)), mode="wrap")
    wanted = images.astype("float64")
    for gap, axis in itertools.product(GAPS, (1, 2)):
        kernel = np.zeros(4 * gap + 1)
        kernel[::gap] = np.array([1, 4, 6, 4, 1]) / 16
        wanted = convolve1d(wanted, kernel, axis=axis, mode="wrap")
    found = smoothed(around, 1e4)[:, edge:-edge, edge:-edge]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_fills_become_flat_and_edges_stay():
    true = np.full((1, 24, 24, 3), -0.8, "float32")
    true[:, 6:18, 9:] = [0.9, 0.7, -0.5]
    mottled = true + np.random.default_rng(0).normal(0, 0.04, true.shape).astype("float32")
    found = smoothed(mottled, 0.075)
    assert np.abs(found - true).mean() < 0.3 * np.abs(mottled - true).mean()
    assert np.abs(found - true).max() < 0.1  # at the edge too
    np.testing.assert_array_equal(smoothed(mottled, 0.0), mottled)
