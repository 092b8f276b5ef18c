"""Denoisers that are exact, with nothing learned: of a Gaussian mixture, and of a finite set of pictures.

They show what a perfect network would say: for teaching, for proofs of samplers, and, the second, as
the perfect memoriser. NumPy, float64 inside.
"""

import math

import numpy as np


class GaussianMixture:
    """Pictures drawn from a mixture of normal distributions: everything about their diffusion is closed form.

    With x_t = alpha x_0 + sigma noise, component k is at time t the normal distribution of mean alpha mean_k
    and covariance alpha^2 covariance_k + sigma^2.

    Args:
        weights: `(k,)`, above 0; they are divided by their sum.
        means: `(k, d)`.
        scales: float or `(k,)`, standard deviations of round components; or
        covariances: `(k, d, d)`, symmetric, positive semidefinite.

    Functions take x `(n, d)` and `alpha`, `sigma` as numbers or `(n,)`; the defaults are t = 0.
    """

    def __init__(self, weights, means, scales=None, covariances=None):
        self.weights, self.means = np.asarray(weights, "float64"), np.asarray(means, "float64")
        if self.means.ndim != 2 or self.weights.shape != self.means.shape[:1]:
            raise ValueError(f"weights (k,), means (k, d), received {self.weights.shape}, {self.means.shape}")
        if not np.all(self.weights > 0):
            raise ValueError("Weights must be above 0.")
        if (scales is None) == (covariances is None):
            raise ValueError("Pass either scales or covariances.")
        self.weights = self.weights / self.weights.sum()
        k, d = self.means.shape
        if covariances is None:
            self._axes = None  # those of the coordinates
            scales = np.broadcast_to(np.asarray(scales, "float64"), (k,))
            self._variances = np.broadcast_to(scales[:, None] ** 2, (k, d))
        else:
            covariances = np.asarray(covariances, "float64")
            if covariances.shape != (k, d, d):
                raise ValueError(f"covariances must be {(k, d, d)}, received {covariances.shape}")
            variances, self._axes = np.linalg.eigh(covariances)
            self._variances = np.maximum(variances, 0.0)

    def mean(self):
        """float64 `(d,)`: mean of pictures."""
        return self.weights @ self.means

    def covariance(self):
        """float64 `(d, d)`: covariance of pictures."""
        axes = np.eye(self.means.shape[1]) if self._axes is None else self._axes
        centred = self.means - self.mean()
        within = (axes * self._variances[:, None]) @ np.swapaxes(axes, -1, -2)
        between = centred[:, :, None] * centred[:, None, :]
        return np.einsum("k,kde->de", self.weights, within + between)

    def sample(self, n, generator):
        """float64 `(n, d)` pictures out of a NumPy generator."""
        component = generator.choice(len(self.weights), size=n, p=self.weights)
        z = generator.standard_normal((n, self.means.shape[1])) * np.sqrt(self._variances[component])
        if self._axes is not None:
            z = np.einsum("nde,ne->nd", self._axes[component], z)
        return self.means[component] + z

    def log_density(self, x, alpha=1.0, sigma=0.0):
        """float64 `(n,)`: log of the density of x_t."""
        log_joint = self._at(x, alpha, sigma)[1]
        highest = log_joint.max(0)
        return highest + np.log(np.exp(log_joint - highest).sum(0))

    def responsibilities(self, x, alpha=1.0, sigma=0.0):
        """float64 `(n, k)`: how probable each component is, given x_t."""
        return _softmax(self._at(x, alpha, sigma)[1]).T

    def score(self, x, alpha=1.0, sigma=0.0):
        """float64 `(n, d)`: gradient of `log_density`."""
        projected, log_joint, variances, _ = self._at(x, alpha, sigma)
        return -(_softmax(log_joint)[:, :, None] * self._turned(projected / variances, back=True)).sum(0)

    def denoise(self, x, alpha, sigma):
        """float64 `(n, d)`: the mean of x_0 given x_t."""
        projected, log_joint, variances, alpha = self._at(x, alpha, sigma)
        # Component by component the Wiener filter; not Tweedie's formula, which divides by alpha.
        filtered = self._turned(alpha * self._variances[:, None] / variances * projected, back=True)
        return (_softmax(log_joint)[:, :, None] * (self.means[:, None] + filtered)).sum(0)

    def denoiser(self, process):
        """`denoise` as samplers want it: (x, t) to x_0 in the dtype of x."""
        return lambda x, t: self.denoise(x, process.alpha(t), process.sigma(t)).astype(x.dtype)

    def _at(self, x, alpha, sigma):
        """What is between x_t and each component, along its axes: arrays `(k, n, d)`, and `(k, n)`."""
        alpha, sigma = (np.reshape(np.asarray(v, "float64"), (1, -1, 1)) for v in (alpha, sigma))
        projected = self._turned(np.asarray(x, "float64") - alpha * self.means[:, None])
        variances = alpha**2 * self._variances[:, None] + sigma**2
        log_normal = -0.5 * (projected**2 / variances + np.log(2 * math.pi * variances)).sum(2)
        return projected, log_normal + np.log(self.weights)[:, None], variances, alpha

    def _turned(self, vectors, back=False):
        if self._axes is None:
            return vectors
        return vectors @ (np.swapaxes(self._axes, 1, 2) if back else self._axes)


def _softmax(logarithms):
    shifted = np.exp(logarithms - logarithms.max(0))
    return shifted / shifted.sum(0)


class EmpiricalDenoiser:
    """The exact denoiser if these pictures are all there is: their mean, weighted by nearness to x_t.

    It is what a network would become that fitted its training set perfectly; samplers with it return
    training pictures (Karras et al. 2022, arXiv 2206.00364, appendix B.3).

    Args:
        pictures: float `(m, ...)`, in [-1, 1].
        process: `Process`.
        block: int, how many pictures are looked at at a time: memory is that of a block.

    Call: x `(n, ...)`, t, number or `(n,)`, and `log_weights`, broadcast to `(n, m)`: logarithms, up to a
    constant, of how often each picture comes; to the estimate of x_0, in the dtype of x. With x and pictures
    in float32, so are their products.
    """

    def __init__(self, pictures, process, block=1024):
        pictures = np.asarray(pictures)
        if not np.issubdtype(pictures.dtype, np.floating) or not len(pictures):
            raise ValueError("Pass one picture or more, as floats in [-1, 1].")
        self.shape, self.process, self.block = pictures.shape[1:], process, block
        self.pictures = pictures.reshape(len(pictures), -1)
        # Half of |p|^2: what of |x - alpha p|^2 / 2 depends on the picture alone.
        self._half_squares = 0.5 * np.einsum("md,md->m", self.pictures, self.pictures, dtype="float64")

    def __call__(self, x, t, log_weights=0.0):
        if tuple(x.shape[1:]) != self.shape:
            raise ValueError(f"x must be {('n', *self.shape)}, received {tuple(x.shape)}")
        flat, count = np.asarray(x).reshape(len(x), -1), len(self.pictures)
        alpha, sigma = (np.reshape(v, (-1, 1)) for v in (self.process.alpha(t), self.process.sigma(t)))
        if not np.all(sigma):
            raise ValueError("At t = 0 there is no noise to remove.")
        log_weights = np.broadcast_to(np.asarray(log_weights, "float64"), (len(flat), count))
        # A softmax over all pictures, a block at a time: sums are kept relative to the highest term so far.
        highest = np.full((len(flat), 1), -np.inf)
        total, mean = np.zeros((len(flat), 1)), np.zeros(flat.shape)
        for start in range(0, count, self.block):
            rows = slice(start, start + self.block)
            products = flat @ self.pictures[rows].T
            logarithms = (
                alpha * (products - alpha * self._half_squares[rows]) / sigma**2 + log_weights[:, rows]
            )
            higher = np.maximum(highest, logarithms.max(1, keepdims=True))
            kept, terms = np.exp(highest - higher), np.exp(logarithms - higher)
            near = np.flatnonzero(terms.max(0) > 1e-20)  # with little noise only a few count
            total = total * kept + terms.sum(1, keepdims=True)
            mean = mean * kept + terms[:, near] @ self.pictures[rows][near]
            highest = higher
        return (mean / total).reshape(x.shape).astype(x.dtype)
