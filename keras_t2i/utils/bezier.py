"""Cubic Bezier curves through dense points (Schneider 1990, "An algorithm for automatically fitting digitized
curves", Graphics Gems, pp. 612-626)."""

import numpy as np

ITERATIONS = 2  # of finding each point's parameter anew, where a curve is nearly near enough
NEARLY = 3.0  # tolerances


def fit_closed(points, tolerance, corner=50.0):
    """Curves around a closed line of points.

    Args:
        points: float64 `(n, 2)`, n at least 3, the last next to the first, about evenly spaced.
        tolerance: float64 `(n,)` or float, how far a curve may be from each point.
        corner: float, degrees: a line that turns by more, within three points to each side, has a corner
            there, which stays one.

    Returns:
        float64 `(m, 4, 2)`: of each curve its start, two control points and its end, which is the next one's
        start.
    """
    points = np.asarray(points, "float64")
    tolerance = np.broadcast_to(np.asarray(tolerance, "float64"), len(points))
    corners = find_corners(points, corner)
    if len(corners) == 0:
        corners = np.array([0])
    n, curves = len(points), []
    for first, last in zip(corners, np.append(corners[1:], corners[0] + n), strict=True):
        piece = np.arange(first, last + 1) % n
        around = None if len(corners) > 1 else unit(points[1] - points[-1])  # round where it is closed
        curves += fit_open(points[piece], tolerance[piece], around)
    return np.array(curves)


def find_corners(points, corner, reach=3):
    """Places of corners in a closed line: int array, in order."""
    n = len(points)
    far = min(reach, max(1, n // 6))
    before, after = points - np.roll(points, far, axis=0), np.roll(points, -far, axis=0) - points
    crossed = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    turns = np.degrees(np.abs(np.arctan2(crossed, (before * after).sum(axis=1))))
    around = np.max([np.roll(turns, shift) for shift in range(-far, far + 1) if shift], axis=0)
    sharpest = (turns > around) | ((turns == around) & (np.arange(n) % (far + 1) == 0))
    return np.flatnonzero((turns > corner) & sharpest)


def fit_open(points, tolerance, direction=None):
    """Curves from the first point to the last: a list of float64 `(4, 2)`.

    Args:
        direction: of both ends, where the line is closed, float64 `(2,)`; `None`: as the points say.
    """
    reach = min(len(points) - 1, 2)
    start = unit(points[reach] - points[0]) if direction is None else direction
    end = unit(points[-1 - reach] - points[-1]) if direction is None else -direction
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    curves, pending = [], [(0, len(points) - 1, start, end)]
    while pending:
        first, last, start, end = pending.pop()
        piece, at = points[first : last + 1], along[first : last + 1] - along[first]
        curve, worst = fit_one(piece, at / max(at[-1], 1e-12), start, end, tolerance[first : last + 1])
        if worst is None or last - first < 2:
            curves.append(curve)
            continue
        middle = first + int(np.clip(worst, 1, last - first - 1))
        away = unit(points[max(middle - 2, first)] - points[min(middle + 2, last)])
        pending += [(middle, last, -away, end), (first, middle, start, away)]
    return curves


def fit_one(points, at, start, end, tolerance):
    """One curve, and the place of the point that it is too far from, or `None`."""
    straight = line(points[0], points[-1])
    if len(points) == 2:
        return straight, None
    basis, least = bernstein(at), np.inf
    gap, limit = basis @ straight - points, tolerance * tolerance
    if (squared(gap) <= 0.25 * limit).all():
        return straight, None
    for _ in range(ITERATIONS + 1):
        curve = least_squares(points, basis, start, end)
        gap = basis @ curve - points
        errors = squared(gap) / limit
        most = int(errors.argmax())
        if errors[most] <= 1.0:
            return curve, None
        if errors[most] < least:
            best, worst, least = curve, most, errors[most]
        if errors[most] > NEARLY**2:
            break
        at = nearer(curve, at, gap)
        basis = bernstein(at)
    return best, worst


def squared(gap):
    return gap[:, 0] * gap[:, 0] + gap[:, 1] * gap[:, 1]


def least_squares(points, basis, start, end):
    """The curve with given ends and directions that is nearest to points, by their `bernstein`."""
    first, last = points[0], points[-1]
    one, two = basis[:, 1], basis[:, 2]
    rest = points - basis @ np.array([first, first, last, last])
    a, c = one @ one, two @ two
    b = (one @ two) * (start @ end)
    x, y = (one @ rest) @ start, (two @ rest) @ end
    determinant, chord = a * c - b * b, float(np.hypot(*(last - first)))
    before = after = chord / 3.0
    if determinant > 1e-12 * a * c:
        before, after = (c * x - b * y) / determinant, (a * y - b * x) / determinant
        if min(before, after) < 1e-3 * chord:
            before = after = chord / 3.0
    return np.array([first, first + before * start, last + after * end, last])


def nearer(curve, at, gap):
    """Parameters at which a curve is nearer to points, by one step of Newton's; gap: how far it is now."""
    d1 = 3.0 * (curve[1:] - curve[:-1])
    d2 = 2.0 * (d1[1:] - d1[:-1])
    s = 1.0 - at
    first = np.stack([s * s, 2 * s * at, at * at], axis=1) @ d1
    second = np.stack([s, at], axis=1) @ d2
    slope = squared(first) + (gap * second).sum(axis=1)
    step = (gap * first).sum(axis=1) / np.where(slope > 1e-12, slope, np.inf)
    return np.maximum.accumulate(np.clip(at - step, 0.0, 1.0))


def evaluate(curve, at):
    """Points of a curve at parameters in [0, 1]: float64 `(n, 2)`."""
    return bernstein(at) @ curve


def bernstein(at):
    """The four polynomials at parameters: float64 `(n, 4)`, rows sum to 1."""
    s, basis = 1.0 - at, np.empty((len(at), 4))
    basis[:, 0] = s * s * s
    basis[:, 1] = 3 * s * s * at
    basis[:, 2] = 3 * s * at * at
    basis[:, 3] = at * at * at
    return basis


def line(first, last):
    return np.stack([first, (2 * first + last) / 3, (first + 2 * last) / 3, last])


def unit(vector):
    return vector / max(np.hypot(*vector), 1e-12)
