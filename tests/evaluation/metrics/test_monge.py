"""MIND: closed forms."""

import numpy as np
import pytest

from keras_t2i.evaluation.metrics.monge import monge_inception_distance


def normal(n, d, seed):
    return np.random.default_rng(seed).standard_normal((n, d))


def test_equal_sets_have_no_distance_in_any_order():
    features = normal(60, 5, 0)
    found = monge_inception_distance(features, features[::-1], folds=1)
    assert found.value == pytest.approx(0, abs=1e-20) and found.n == 60


def test_a_shift_costs_three_times_its_square():
    # Along a direction u a shift by m is one by u.m, whose mean square is |m|^2 / d.
    features, shift = normal(50, 4, 0), np.array([1.0, -2.0, 0.5, 0.0])
    found = monge_inception_distance(features, features + shift, projections=20_000, folds=1)
    # The two halves are drawn in different orders, but as all are taken, sorted they are the same.
    assert found.value == pytest.approx(3 * 5.25, rel=0.03)


def test_one_dimension_is_optimal_transport():
    x, y = normal(40, 1, 0), 2 * normal(40, 1, 1) + 1
    expected = 3 * np.square(np.sort(x[:, 0]) - np.sort(y[:, 0])).mean()
    assert monge_inception_distance(x, y).value == pytest.approx(expected)


def test_as_many_of_the_larger_set_are_taken():
    found = monge_inception_distance(normal(30, 3, 0), normal(500, 3, 1))
    assert found.n == 30 and found.low < found.value < found.high


def test_the_interval_is_that_of_other_samples():
    values, widths = [], []
    for seed in range(40):
        found = monge_inception_distance(normal(200, 6, 2 * seed) + 0.5, normal(200, 6, 2 * seed + 1), 100)
        values.append(found.value)
        widths.append((found.high - found.low) / 2)
    assert 0.6 < np.mean(widths) / (1.96 * np.std(values)) < 1.6


@pytest.mark.parametrize("features", [np.ones((1, 3)), np.full((4, 3), np.nan), np.ones((4, 2))])
def test_mistakes_are_named(features):
    with pytest.raises(ValueError):
        monge_inception_distance(features, np.ones((5, 3)))
