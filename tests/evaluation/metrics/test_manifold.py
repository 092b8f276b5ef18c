import tracemalloc

import numpy as np
import pytest
from prdc import compute_prdc
from sklearn.neighbors import NearestNeighbors

from keras_t2i.evaluation.metrics.manifold import nearest
from keras_t2i.evaluation.metrics.manifold import precision_recall_density_coverage


def normal(n, d, seed=0, shift=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


@pytest.mark.parametrize("n, m, d, k", [(50, 70, 3, 1), (33, 128, 64, 5), (10, 9, 2, 9), (1, 40, 8, 17)])
def test_neighbors_are_those_of_a_tree(n, m, d, k):
    x, y = normal(n, d), normal(m, d, seed=1)
    distances, indices = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(y).kneighbors(x)
    for block in (7, 512):
        found = nearest(x, y, k, block)
        np.testing.assert_allclose(found[0], distances, rtol=1e-13)
        np.testing.assert_array_equal(found[1], indices)
        assert found[0].dtype == np.float64 and found[1].dtype == np.int64


def test_near_copies_far_from_the_origin_are_told_apart():
    """|x|^2 + |y|^2 - 2 x.y alone would lose all digits here."""
    y = 1e3 * normal(60, 16)
    y[:12] = y[0] + 1e-9 * np.arange(12)[:, None] * np.ones(16)
    x = y[:1]
    distances, indices = nearest(x, y, k=12)
    exact = np.sqrt(np.square(x.astype("longdouble") - y[:12]).sum(axis=1))
    np.testing.assert_array_equal(indices[0], np.arange(12))
    np.testing.assert_allclose(distances[0], exact.astype("float64"), rtol=1e-14)
    np.testing.assert_array_equal(nearest(x, y, k=3)[1][0], np.arange(3))
    products = np.square(x).sum() + np.square(y[:12]).sum(axis=1) - 2 * (y[:12] @ x[0])
    assert not np.allclose(products, exact**2, rtol=0.1, atol=0)


def test_equal_pictures_are_at_zero_and_the_first_comes_first():
    y = normal(30, 5)[np.arange(300) % 30]
    distances, indices = nearest(y[:30], y, k=10)
    assert (distances == 0).all()
    np.testing.assert_array_equal(indices, np.arange(30)[:, None] + 30 * np.arange(10))


def test_precision_recall_density_coverage_counted_by_hand():
    # Radii of the reference 1, 1, 2; of the features 9.6 both.
    found = precision_recall_density_coverage([[0.4], [10.0]], [[0.0], [1.0], [3.0]], k=1)
    expected = {"precision": 1 / 2, "recall": 1.0, "density": 2 / 2, "coverage": 2 / 3}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("n, m, d, k, shift", [(80, 120, 2, 3, 0), (120, 80, 16, 5, 0.5), (60, 60, 4, 1, 1)])
def test_equal_to_the_package_of_the_authors(n, m, d, k, shift):
    x, y = normal(n, d, shift=shift).astype("float32"), normal(m, d, seed=1, scale=1.3).astype("float32")
    expected = compute_prdc(y.astype("float64"), x.astype("float64"), k)
    assert 0 < expected["precision"] < 1 and 0 < expected["coverage"] < 1
    for block in (13, 512):
        assert precision_recall_density_coverage(x, y, k, block) == pytest.approx(expected, abs=1e-12)


def test_a_set_against_itself_is_perfect():
    """Every picture is on the rim of k balls or so: rounding must not decide."""
    x = 10 + normal(200, 32)
    for block in (31, 512):
        found = precision_recall_density_coverage(x, x, k=5, block=block)
        assert found == {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}


def test_what_the_four_numbers_are_for():
    real, good = normal(400, 4), normal(400, 4, seed=1)
    same = precision_recall_density_coverage(good, real)
    narrow = precision_recall_density_coverage(0.2 * good, real)
    wide = precision_recall_density_coverage(3 * good, real)
    collapsed = precision_recall_density_coverage(np.repeat(real[:1], 400, axis=0), real)
    assert narrow["precision"] >= same["precision"] > wide["precision"] + 0.3
    assert same["recall"] > narrow["recall"] + 0.3
    assert same["coverage"] > max(narrow["coverage"], wide["coverage"]) + 0.2
    assert collapsed["precision"] == 1 and collapsed["recall"] == 0 and collapsed["coverage"] < 0.05


def test_no_matrix_of_all_against_all_is_kept():
    x = normal(3000, 4)
    tracemalloc.start()
    try:
        nearest(x, x, block=50)
        precision_recall_density_coverage(x, x, block=50)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3000 * 3000 * 8 / 10


def test_bars_are_shown_when_asked_for(capsys):
    x = normal(20, 2)
    precision_recall_density_coverage(x, x)
    assert not capsys.readouterr().err
    precision_recall_density_coverage(x, x, progress=True)
    shown = capsys.readouterr().err
    assert "Nearest neighbours" in shown and "Precision and recall" in shown


def test_bad_input_is_an_error():
    x = normal(5, 2)
    for k in (0, 6):
        with pytest.raises(ValueError, match="k must be from 1 to the 5"):
            nearest(x, x, k)
    with pytest.raises(ValueError, match="block"):
        nearest(x, x, block=0)
    with pytest.raises(ValueError, match="at least 6 pictures, got 5"):
        precision_recall_density_coverage(x, normal(9, 2))
    with pytest.raises(ValueError, match="one extractor"):
        nearest(x, normal(5, 3))
