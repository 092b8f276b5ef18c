"""Distance of sets of features by one-dimensional optimal transport: for a thousand pictures or fewer."""

import statistics

import numpy as np

from keras_t2i.evaluation.metrics.distances import as_pair
from keras_t2i.evaluation.metrics.estimate import Estimate
from keras_t2i.utils.random_streams import random_stream


def monge_inception_distance(features, reference, projections=500, folds=20, level=0.95, seed=0):
    """MIND: 3 d times the squared sliced Wasserstein distance. Berthet et al. 2026, arXiv 2605.06797.

    Both sets are projected on random directions of length 1; along each, the sorted numbers of one are
    compared with those of the other, and the mean of their squared differences is taken. Unlike the Frechet
    distance it estimates no covariance, and sees more than two moments. It is biased upwards, the more the
    fewer the pictures: compare at one n only, beside real pictures.

    Args:
        features: float `(n, d)`.
        reference: float `(m, d)`; as many of each are taken, at random.
        projections: int; the paper takes 100 to 1,000.
        folds: int, of the jackknife that the interval is from: parts of both that are left out together.
        level: of the interval.

    Returns:
        `Estimate`.

    Raises:
        ValueError: there are fewer than two of one, or they are not finite or of different lengths.
    """
    features, reference = as_pair(features, reference, least=2)
    n, d = min(len(features), len(reference)), features.shape[1]
    directions = random_stream(seed, "monge directions").standard_normal((d, projections))
    directions /= np.linalg.norm(directions, axis=0)
    x, y = (
        part[random_stream(seed, "monge", i).permutation(len(part))[:n]] @ directions
        for i, part in enumerate((features, reference))
    )
    value, folds = 3 * d * _transport(x, y), min(folds, n // 2 + 1)
    fold = np.arange(n) % folds
    without = [3 * d * _transport(x[fold != k], y[fold != k]) for k in range(folds)] if folds > 1 else [value]
    variance = (folds - 1) / folds * np.square(np.array(without) - np.mean(without)).sum()
    margin = statistics.NormalDist().inv_cdf((1 + level) / 2) * float(np.sqrt(variance))
    return Estimate(float(value), float(value - margin), float(value + margin), n)


def _transport(x, y):
    """Mean over columns of the squared Wasserstein-2 distance between columns of as many numbers."""
    return np.square(np.sort(x, axis=0) - np.sort(y, axis=0)).mean()
