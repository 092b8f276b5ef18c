import numpy as np
import pytest

from keras_t2i.evaluation.metrics.mode_coverage import block_means
from keras_t2i.evaluation.metrics.mode_coverage import mode_coverage

RANDOM = np.random.default_rng(0)
# Eight kinds of pictures, each a plain colour of its own with a little noise; twelve of each.
COLORS = RANDOM.integers(0, 256, (8, 1, 1, 3)).repeat(12, axis=0)
REAL, LIKE = (np.clip(COLORS + RANDOM.normal(0, 20, (96, 16, 16, 3)), 0, 255).astype("uint8") for _ in "ab")


def test_block_means_are_means_of_blocks():
    found = block_means(REAL, 4).reshape(96, 4, 4, 3)
    np.testing.assert_allclose(found[5, 1, 2], REAL[5, 4:8, 8:12].mean((0, 1)) / 127.5 - 1, atol=1e-5)
    np.testing.assert_allclose(block_means(REAL, 16), REAL.reshape(96, -1) / 127.5 - 1, atol=1e-6)


def test_what_is_left_out_is_seen():
    all_kinds, half = mode_coverage(LIKE, REAL), mode_coverage(LIKE[:48], REAL)
    assert all_kinds["coverage"] > 0.9 and all_kinds["recall"] > 0.9
    assert 0.4 < half["coverage"] <= 0.5 and 0.4 < half["recall"] <= 0.5
    assert min(all_kinds["precision"], half["precision"]) > 0.9
    collapsed = mode_coverage(np.stack([REAL[0]] * 96), REAL)
    assert collapsed["coverage"] < 0.15 and collapsed["recall"] < 0.15


def test_seeds_are_measured_in_differences_of_real_pictures():
    assert mode_coverage(LIKE, REAL, LIKE)["seeds"] == 0
    assert mode_coverage(REAL, REAL, np.roll(REAL, 1, axis=0))["seeds"] == pytest.approx(1)


def test_wrong_pictures_are_named():
    with pytest.raises(ValueError, match="must be uint8"):
        block_means(REAL / 255)
    with pytest.raises(ValueError, match="cannot be cut into 5x5 blocks"):
        block_means(REAL, 5)
