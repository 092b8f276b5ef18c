"""Averages of the weights over training, as an objective keeps them: exponential, or power functions."""

import dataclasses

import numpy as np
from keras import ops

WIDEST = 12**-0.5  # sigma_rel of the plain mean of all steps, whose exponent is 0


@dataclasses.dataclass(frozen=True)
class ExponentialMovingAverage:
    """A plain mean at first, later an exponential one.

    The decay of step t = 1, 2, ... is min(decay, t / (t + 9)), so that a short training is not ruled by the
    weights that it began with.

    Args:
        decay: float in (0, 1): the average forgets in about 1 / (1 - decay) steps.

    Raises: ValueError for another decay.
    """

    decay: float = 0.999

    def __post_init__(self):
        if not 0 < self.decay < 1:
            raise ValueError(f"decay must be in (0, 1), received {self.decay}")

    @property
    def count(self):
        """How many averages there are."""
        return 1

    def rates(self, step):
        """How far each average moves towards the weights at a step: a list of shares in [0, 1].

        Args:
            step: float32 scalar tensor, 1 at the first.
        """
        return [1.0 - ops.minimum(self.decay, step / (9.0 + step))]


@dataclasses.dataclass(frozen=True)
class PowerFunctionEMA:
    """Averages whose length can be chosen after training (EDM2: Karras et al. 2024, arXiv 2312.02696, section
    3).

    At step t the weights of each earlier step s count s^exponent: such an average forgets in proportion to
    how long training has lasted. Its relative width sigma_rel is the standard deviation of that profile,
    divided by t. A few of two widths, stored on the way, are enough to put together any other
    (`snapshots.reconstruct`).

    Args:
        sigma_rel: floats in (0, 0.2887], one for each average; the first is what validation and drawings use.

    Raises: ValueError for a width out of range.
    """

    sigma_rel: tuple = (0.05, 0.1)

    def __post_init__(self):
        object.__setattr__(self, "sigma_rel", tuple(float(width) for width in self.sigma_rel))
        object.__setattr__(self, "exponents", tuple(exponent(width) for width in self.sigma_rel))

    @property
    def count(self):
        """How many averages there are."""
        return len(self.sigma_rel)

    def rates(self, step):
        """1 - (1 - 1/step)^(exponent + 1), of each average; `step` as of `ExponentialMovingAverage.rates`."""
        # expm1 and log1p: late in training the rate is too small for a difference of float32 numbers.
        return [-ops.expm1((power + 1.0) * ops.log1p(-1.0 / step)) for power in self.exponents]


def exponent(sigma_rel):
    """The exponent of the profile of this relative width (gamma of EDM2, section 3.1).

    sigma_rel^2 = (exponent + 1) / ((exponent + 2)^2 (exponent + 3)).

    Raises:
        ValueError: `sigma_rel` is not in (0, 0.2887]; the widest is the plain mean.
    """
    if not 0 < sigma_rel <= WIDEST + 1e-9:
        raise ValueError(f"sigma_rel must be above 0 and at most {WIDEST:.4f}, received {sigma_rel}")
    t = float(sigma_rel) ** -2
    return max(float(np.roots([1, 7, 16 - t, 12 - t]).real.max()), 0.0)
