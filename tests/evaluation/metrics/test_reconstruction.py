import numpy as np
import pytest

from keras_t2i.evaluation import mean_psnr
from keras_t2i.evaluation import principal_components_psnr
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float


def pictures(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 4, 4, 3), dtype="uint8")


def test_mean_psnr_asks_the_autoencoder_in_its_own_range():
    class Darker:
        def predict(self, images, verbose):
            assert images.dtype == "float32" and -1 <= images.min() < images.max() <= 1
            return images - 0.2

    shown = pictures(5) // 2 + 100  # so that nothing is clipped
    assert mean_psnr(Darker(), shown) == pytest.approx(20, abs=1e-3)


@pytest.mark.parametrize("known", [20, 80])  # fewer and more pictures than the 48 numbers of one
def test_principal_components_are_those_of_the_singular_value_decomposition(known):
    learned, unseen = pictures(known), pictures(10, seed=1)
    x, y = (to_float(p).reshape(len(p), -1).astype("float64") for p in (learned, unseen))
    axes = np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:12]
    decoded = (y - x.mean(0)) @ axes.T @ axes + x.mean(0)
    expected = psnr(y.reshape(unseen.shape), decoded.reshape(unseen.shape)).mean()
    assert principal_components_psnr(learned, unseen, 12) == pytest.approx(expected, abs=1e-3)


def test_all_components_lose_nothing_of_what_was_known():
    learned = pictures(10)
    assert principal_components_psnr(learned, learned, 512) > 80
    assert principal_components_psnr(learned, pictures(10, seed=1), 512) < 20
