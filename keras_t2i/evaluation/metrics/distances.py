"""How far one set of features is from another: KID, CMMD and the Frechet distance.

All in NumPy float64, block by block, so that 50,000 pictures against 50,000 need little memory.
"""

import math
import statistics

import numpy as np

from keras_t2i.evaluation.metrics.estimate import Estimate
from keras_t2i.utils.random_streams import random_stream

BLOCK = 512  # pictures; a block of the kernel's matrix then stays in a core's cache


def as_features(features, name="features", least=1):
    """`features` as float64 `(n, d)`; ValueError if it is not a finite matrix of at least `least` rows."""
    features = np.asarray(features, dtype="float64")
    if features.ndim != 2 or not features.shape[1]:
        raise ValueError(f"{name} must be a matrix (pictures, numbers), got shape {features.shape}")
    if len(features) < least:
        raise ValueError(f"{name} must be those of at least {least} pictures, got {len(features)}")
    if not np.isfinite(features).all():
        raise ValueError(f"{name} must be finite; some are not a number or infinite")
    return features


def as_pair(features, reference, least=1):
    """Both as `as_features`, and of one length."""
    features, reference = as_features(features, "features", least), as_features(reference, "reference", least)
    if features.shape[1] != reference.shape[1]:
        raise ValueError(
            f"features and reference must come from one extractor, got {features.shape[1]} and "
            f"{reference.shape[1]} numbers per picture"
        )
    return features, reference


def polynomial_kernel(x, y):
    """(x.y / d + 1)^3, that of KID: `(..., n, d)` and `(..., m, d)` to `(..., n, m)`."""
    inner = x @ y.swapaxes(-1, -2) / x.shape[-1] + 1
    return inner * inner * inner


def gaussian_kernel(x, y, sigma=10.0):
    """exp(-|x - y|^2 / (2 sigma^2)): `(..., n, d)` and `(..., m, d)` to `(..., n, m)`."""
    squares = np.square(x).sum(-1)[..., :, None] + np.square(y).sum(-1)[..., None, :]
    return np.exp((x @ y.swapaxes(-1, -2) - squares / 2) / sigma**2)


def _kernel_sums(kernel, x, y=None):
    """Sums of the rows and of the columns of kernel(x, y); without y of kernel(x, x), each pair once."""
    other = x if y is None else y
    rows, columns = np.zeros(len(x)), np.zeros(len(other))
    for i in range(0, len(x), BLOCK):
        for j in range(i if y is None else 0, len(other), BLOCK):
            values = kernel(x[i : i + BLOCK], other[j : j + BLOCK])
            rows[i : i + BLOCK] += values.sum(axis=1)
            if y is not None or j > i:
                columns[j : j + BLOCK] += values.sum(axis=0)
    return (rows + columns,) * 2 if y is None else (rows, columns)


def _within(kernel, x, seeds_per_prompt, unbiased):
    """Mean of the kernel within one set, and the means with one prompt's pictures left out each."""
    groups = x.reshape(seeds_per_prompt, -1, x.shape[1]).swapaxes(0, 1)
    own = kernel(groups, groups)
    diagonal = own.trace(axis1=1, axis2=2)
    rows = _kernel_sums(kernel, x)[0]
    total, n, rest = rows.sum(), len(x), len(x) - seeds_per_prompt
    without = total - 2 * rows.reshape(seeds_per_prompt, -1).sum(axis=0) + own.sum(axis=(1, 2))
    if unbiased:
        without -= diagonal.sum() - diagonal
        return (total - diagonal.sum()) / (n * (n - 1)), without / (rest * (rest - 1))
    return total / n**2, without / rest**2


def _jackknife_variance(values):
    return (len(values) - 1) / len(values) * np.square(values - values.mean()).sum()


def _discrepancy(kernel, features, reference, seeds_per_prompt, unbiased, level):
    """Maximum mean discrepancy, squared, with a jackknife interval. Returns `Estimate`."""
    x, y = as_pair(features, reference, least=3)
    if seeds_per_prompt < 1 or len(x) % seeds_per_prompt or len(x) == seeds_per_prompt:
        raise ValueError(
            f"seeds_per_prompt must divide the {len(x)} pictures into two prompts or more, "
            f"got {seeds_per_prompt}"
        )
    n, m = len(x), len(y)
    xx, xx_without = _within(kernel, x, seeds_per_prompt, unbiased)
    yy, yy_without = _within(kernel, y, 1, unbiased)
    rows, columns = _kernel_sums(kernel, x, y)
    total, by_prompt = rows.sum(), rows.reshape(seeds_per_prompt, -1).sum(axis=0)
    value = xx + yy - 2 * total / (n * m)
    variance = _jackknife_variance(xx_without - 2 * (total - by_prompt) / ((n - seeds_per_prompt) * m))
    variance += _jackknife_variance(yy_without - 2 * (total - columns) / (n * (m - 1)))
    margin = statistics.NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance)
    return Estimate(float(value), float(value - margin), float(value + margin), n)


def kid(features, reference, seeds_per_prompt=1, level=0.95):
    """Kernel distance of features: the unbiased estimate of the squared MMD under (x.y / d + 1)^3.

    Binkowski et al. 2018, arXiv 1801.01401; over all pairs, not over random subsets, which have the same mean
    and more noise. It does not grow or shrink with the number of pictures, and may be slightly negative. The
    interval is the jackknife's over prompts and reference pictures, a little wide where the sets are alike.

    Args:
        features: float `(n, d)`, of the judged pictures.
        reference: float `(m, d)`, of real ones; n and m at least 3, in any order.
        seeds_per_prompt: pictures of each prompt in `features`, all prompts by one seed after all by another;
            they are left out together, for they are not independent.
        level: of the interval.

    Returns:
        `Estimate`.

    Raises:
        ValueError: the features are too few, not finite, of different lengths, or not of whole prompts.
    """
    return _discrepancy(polynomial_kernel, features, reference, seeds_per_prompt, True, level)


def cmmd(features, reference, sigma=10.0, scale=1000.0, seeds_per_prompt=1, level=0.95):
    """Squared MMD under a Gaussian kernel, biased (V-statistic), times `scale`.

    Jayasumana et al. 2024, arXiv 2401.09603, who take CLIP's embeddings of length 1. At `sigma` 10 these are
    all near each other, and it measures little more than the distance of the means. The bias falls as 1 / n:
    compare at one n only. Arguments, interval and errors as in `kid`. Returns `Estimate`.
    """
    found = _discrepancy(
        lambda x, y: gaussian_kernel(x, y, sigma), features, reference, seeds_per_prompt, False, level
    )
    return Estimate(scale * found.value, scale * found.low, scale * found.high, found.n)


class FeatureStatistics:
    """Mean and covariance of features that come in batches.

    Attributes:
        n: int, how many there were.
        mean: float64 `(d,)`, or None before the first.
    """

    def __init__(self):
        self.n, self.mean, self._scatter = 0, None, None

    def update(self, features):
        """Take in features `(n, d)`, n at least 1. Returns the object itself."""
        features = as_features(features)
        n, mean = len(features), features.mean(axis=0)
        centered = features - mean
        scatter = centered.T @ centered
        # Chan, Golub and LeVeque 1983: no difference of large numbers.
        if not self.n:
            self.n, self.mean, self._scatter = n, mean, scatter
            return self
        if len(mean) != len(self.mean):
            raise ValueError(f"features had {len(self.mean)} numbers per picture, now {len(mean)}")
        total, step = self.n + n, mean - self.mean
        self._scatter += scatter + np.outer(step, step) * (self.n * n / total)
        self.mean = self.mean + step * (n / total)
        self.n = total
        return self

    @property
    def covariance(self):
        """float64 `(d, d)`, divided by n - 1."""
        if self.n < 2:
            raise ValueError(f"A covariance needs the features of at least 2 pictures, got {self.n}")
        return self._scatter / (self.n - 1)


def _square_root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def frechet_distance(a, b):
    """Squared Frechet distance of two Gaussians. Heusel et al. 2017, arXiv 1706.08500, equation 6.

    |m - n|^2 + tr(A + B - 2 (AB)^(1/2)); the last trace is the sum of the singular values of A^(1/2) B^(1/2).
    It is biased upwards, the more the fewer the pictures: compare at one n only (`frechet_at`).

    Args:
        a, b: `FeatureStatistics` of at least 2 pictures each.
    """
    if a.n and b.n and len(a.mean) != len(b.mean):
        raise ValueError(
            f"Both must have one length, got {len(a.mean)} and {len(b.mean)} numbers per picture"
        )
    root = np.linalg.norm(_square_root(a.covariance) @ _square_root(b.covariance), "nuc")
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * root
    return float(max(np.square(a.mean - b.mean).sum() + spread, 0.0))


def frechet_at(features, reference, n, seed=0):
    """`frechet_distance` of exactly n features of each, drawn without replacement.

    Raises:
        ValueError: there are fewer than n of one, or n is less than 2.
    """
    features, reference = as_pair(features, reference, least=max(n, 2))
    drawn = [
        FeatureStatistics().update(part[random_stream(seed, "frechet", i).permutation(len(part))[:n]])
        for i, part in enumerate((features, reference))
    ]
    return frechet_distance(*drawn)
