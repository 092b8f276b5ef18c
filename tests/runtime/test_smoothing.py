import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from keras_t2i_runtime.smoothing import DISTANCE
from keras_t2i_runtime.smoothing import REACH
from keras_t2i_runtime.smoothing import smoothed

pytestmark = pytest.mark.once


def random_pictures(*shape):
    return np.random.default_rng(0).uniform(-1, 1, (*shape, 3)).astype("float32")


def by_definition(image, color):
    """Tomasi and Manduchi 1998, pixel by pixel, of one picture in float64."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    colors, found = (image.astype("float64") + 1) / 2, np.zeros(image.shape)
    for y, x in np.ndindex(*image.shape[:2]):
        near = (abs(rows - y) <= REACH) & (abs(columns - x) <= REACH)
        away = (rows - y) ** 2 + (columns - x) ** 2
        apart = ((colors - colors[y, x]) ** 2).sum(-1)
        weight = near * np.exp(-away / (2 * DISTANCE**2) - apart / (2 * color**2))
        found[y, x] = (weight[..., None] * colors).sum((0, 1)) / weight.sum()
    return 2 * found - 1


@pytest.mark.parametrize("shape", [(3, 5), (9, 14), (1, 1)])
@pytest.mark.parametrize("color", [0.05, 0.4])
def test_it_is_the_bilateral_filter(shape, color):
    images = random_pictures(2, *shape)
    found = smoothed(images, color)
    assert found.dtype == np.float32
    wanted = np.stack([by_definition(image, color) for image in images])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_where_colors_do_not_count_it_is_a_gaussian_filter():
    images = random_pictures(1, 20, 20)
    sigma = (0, DISTANCE, DISTANCE, 0)
    wanted = gaussian_filter(images.astype("float64"), sigma, truncate=REACH / DISTANCE)
    inside = np.s_[:, REACH:-REACH, REACH:-REACH]
    np.testing.assert_allclose(smoothed(images, 1e4)[inside], wanted[inside], atol=1e-5)


def test_fills_become_flat_and_edges_stay():
    true = np.full((1, 24, 24, 3), -0.8, "float32")
    true[:, 6:18, 9:] = [0.9, 0.7, -0.5]
    mottled = true + np.random.default_rng(0).normal(0, 0.04, true.shape).astype("float32")
    found = smoothed(mottled, 0.075)
    assert np.abs(found - true).mean() < 0.3 * np.abs(mottled - true).mean()
    assert np.abs(found - true).max() < 0.1  # at the edge too
    np.testing.assert_array_equal(smoothed(mottled, 0.0), mottled)
