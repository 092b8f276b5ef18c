import numpy as np
import pytest

from keras_t2i.utils.bezier import evaluate
from keras_t2i.utils.bezier import find_corners
from keras_t2i.utils.bezier import fit_closed
from keras_t2i.utils.bezier import fit_one
from keras_t2i.utils.bezier import fit_open
from keras_t2i.utils.bezier import unit


def circle(radius, n):
    angles = np.arange(n) * 2 * np.pi / n
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def densely(curves, n=50):
    return np.concatenate([evaluate(curve, np.linspace(0, 1, n, endpoint=False)) for curve in curves])


def test_a_known_curve_is_found_again():
    known = np.array([[0.0, 0.0], [30.0, 60.0], [80.0, 60.0], [100.0, 0.0]])
    at = np.linspace(0, 1, 200)
    points, ends = evaluate(known, at), (unit(known[1] - known[0]), unit(known[2] - known[3]))
    found, too_far = fit_one(points, at, *ends, np.full(200, 0.01))
    assert too_far is None
    np.testing.assert_allclose(found, known, atol=1e-6)
    curves = fit_open(points, np.full(200, 0.3))
    assert len(curves) <= 4
    assert np.linalg.norm(densely(curves)[:, None] - points, axis=-1).min(axis=1).max() < 0.6


@pytest.mark.parametrize("tolerance", [0.05, 0.5])
def test_a_circle_is_a_few_smooth_curves(tolerance):
    curves = fit_closed(circle(50.0, 320), tolerance)
    assert 2 <= len(curves) <= 16
    assert np.abs(np.linalg.norm(densely(curves), axis=1) - 50).max() < 1.5 * tolerance
    np.testing.assert_array_equal(curves[:, 3], np.roll(curves[:, 0], -1, axis=0))
    leaves = curves[:, 1] - curves[:, 0]
    arrives = np.roll(curves[:, 3] - curves[:, 2], 1, axis=0)
    crossed = leaves[:, 0] * arrives[:, 1] - leaves[:, 1] * arrives[:, 0]
    sines = crossed / np.linalg.norm(leaves, axis=1) / np.linalg.norm(arrives, axis=1)
    assert np.abs(sines).max() < 0.02  # no kinks, also where the line is closed


def test_corners_stay():
    side = np.linspace(0, 40, 40, endpoint=False)
    ends = np.zeros(40), np.full(40, 40.0)
    square = np.concatenate(
        [
            np.stack(pair, axis=1)
            for pair in ((side, ends[0]), (ends[1], side), (40 - side, ends[1]), (ends[0], 40 - side))
        ]
    )
    np.testing.assert_array_equal(find_corners(square, 50.0), [0, 40, 80, 120])
    curves = fit_closed(square, 0.5)
    assert len(curves) == 4
    np.testing.assert_allclose(curves[:, 0], [[0, 0], [40, 0], [40, 40], [0, 40]], atol=1e-9)
    np.testing.assert_allclose(curves[0, 1:3], [[40 / 3, 0], [80 / 3, 0]], atol=1e-9)


def test_what_is_hidden_needs_fewer_curves():
    n = 400
    line = circle(60.0, n) * (1 + 0.02 * np.sin(np.arange(n) * 2 * np.pi / n * 25))[:, None]
    tolerance = np.where(np.arange(n) < n // 2, 0.2, 3.0)
    all_seen, half_hidden = fit_closed(line, 0.2), fit_closed(line, tolerance)
    assert len(half_hidden) < 0.7 * len(all_seen)
    near = np.linalg.norm(densely(half_hidden)[:, None] - line[: n // 2], axis=-1).min(axis=0)
    assert near.max() < 0.8  # samples of the curves are apart too
    for points in (line[:3], np.zeros((3, 2))):
        assert np.isfinite(fit_closed(points, 0.2)).all()
