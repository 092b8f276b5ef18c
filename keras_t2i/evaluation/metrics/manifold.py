"""Nearest neighbours in a space of features, and what they say of faithfulness and variety.

In NumPy float64, block by block: no matrix of all pictures against all is kept.
"""

import numpy as np
from tqdm.auto import tqdm

from keras_t2i.evaluation.metrics.distances import as_pair

SPARE = 16  # neighbours more than asked for, among which exact distances settle the order


def _blocks(x, y, block, progress, text):
    """For each block of x: (its start, lower bounds of the squared distances to y `(b, m)`, slack `(b, 1)`).

    One matrix product is fast but rounds; the squared distance is at most 2 * slack above its lower bound.
    """
    if block < 1:
        raise ValueError(f"block must be at least 1, got {block}")
    center = y.mean(axis=0)  # around it the squares are small, and so is the error of their difference
    other = y - center
    squares = np.square(other).sum(axis=1)
    rounding = 4 * (x.shape[1] + 4) * np.finfo("float64").eps
    for start in tqdm(range(0, len(x), block), desc=text, disable=not progress):
        part = x[start : start + block] - center
        own = np.square(part).sum(axis=1)[:, None]
        slack = rounding * (own + squares.max())
        lower = (-2 * part) @ other.T
        lower += squares
        lower += own - slack
        yield start, lower, slack


def _distances(x, y, rows, columns):
    """Distances of the pairs x[rows], y[columns], from differences: as exact as float64 is."""
    found = np.empty(len(rows))
    step = max(1, 2**21 // x.shape[1])
    for i in range(0, len(rows), step):
        difference = x[rows[i : i + step]] - y[columns[i : i + step]]
        found[i : i + step] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return found


def nearest(features, reference, k=1, block=512, progress=False):
    """The k nearest reference features of each feature, by Euclidean distance.

    Args:
        features: float `(n, d)`.
        reference: float `(m, d)`, m at least k. Given the features themselves, each is its own nearest.
        k: int.
        block: int, features at a time; `16 * block * m` bytes are needed.
        progress: bool, whether to show a bar.

    Returns:
        (distances, indices): float64 and int64 `(n, k)`, ascending; the lower index first where two are
        equal. The distances are made from differences, so that equal pictures are at 0.

    Raises:
        ValueError: the features are empty, not finite or of different lengths, or k does not fit.
    """
    x, y = as_pair(features, reference)
    if not 1 <= k <= len(y):
        raise ValueError(f"k must be from 1 to the {len(y)} reference pictures, got {k}")
    distances, indices = np.empty((len(x), k)), np.empty((len(x), k), dtype="int64")
    kept = min(k + SPARE, len(y))
    for start, lower, _ in _blocks(x, y, block, progress, "Nearest neighbours"):
        near = np.argpartition(lower, kept - 1, axis=1)[:, :kept]
        rows = np.arange(start, start + len(near)).repeat(kept)
        exact = _distances(x, y, rows, near.ravel()).reshape(near.shape)
        order = np.lexsort((near, exact), axis=1)[:, :k]
        distances[start : start + len(near)] = np.take_along_axis(exact, order, axis=1)
        indices[start : start + len(near)] = np.take_along_axis(near, order, axis=1)
    return distances, indices


def _pairs_within(x, y, start, lower, slack, radii):
    """Pairs (rows of x, rows of y) of a block that are nearer than `radii`, `(1, m)` or `(b, 1)`."""
    rows, columns = np.nonzero(lower < np.square(radii))
    limits = np.broadcast_to(radii, lower.shape)[rows, columns]
    within = lower[rows, columns] + 2 * slack[rows, 0] < np.square(limits)
    unsure = np.flatnonzero(~within)
    exact = _distances(x, y, start + rows[unsure], columns[unsure])
    within[unsure] = exact < limits[unsure]
    return start + rows[within], columns[within]


def precision_recall_density_coverage(features, reference, k=5, block=512, progress=False):
    """How faithful and how varied pictures are, by balls that reach to each picture's k-th neighbour.

    Precision and recall: Kynkaanniemi et al. 2019, arXiv 1904.06991, equation 1. Density and coverage, which
    outliers mislead less: Naeem et al. 2020, arXiv 2002.09797, equations 3 and 4. All depend on n and m:
    compare at the same numbers, beside real pictures against real ones.

    Args:
        features: float `(n, d)`, of the judged pictures; n at least k + 1.
        reference: float `(m, d)`, of real ones; m at least k + 1.
        k: int, which neighbour; a picture is not its own.
        block: int, features at a time; `16 * block * max(n, m)` bytes are needed.
        progress: bool, whether to show bars.

    Returns:
        Dict of floats: "precision", share of features within a ball of the reference; "recall", share of the
        reference within a ball of the features; "density", the number of the reference's balls that a feature
        is within, over k (the mean; it may exceed 1); "coverage", share of the reference's balls with a
        feature. On the rim is not within, as in the authors' code.

    Raises:
        ValueError: as in `nearest`.
    """
    x, y = as_pair(features, reference, least=k + 1)
    own, real = (nearest(z, z, k + 1, block, progress)[0][:, k] for z in (x, y))
    faithful, recalled, covered, pairs = (
        np.zeros(len(x), bool),
        np.zeros(len(y), bool),
        np.zeros(len(y), bool),
        0,
    )
    for start, lower, slack in _blocks(x, y, block, progress, "Precision and recall"):
        rows, columns = _pairs_within(x, y, start, lower, slack, real[None])
        faithful[rows], covered[columns] = True, True
        pairs += len(rows)
        columns = _pairs_within(x, y, start, lower, slack, own[start : start + len(lower), None])[1]
        recalled[columns] = True
    return {
        "precision": float(faithful.mean()),
        "recall": float(recalled.mean()),
        "density": pairs / (k * len(x)),
        "coverage": float(covered.mean()),
    }
