"""Variance preserving schedules that are given by the rate at which noise comes in: linear, scaled linear."""

import math
from dataclasses import dataclass

from keras_t2i.diffusion.namespace import log
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.namespace import softplus
from keras_t2i.diffusion.namespace import time
from keras_t2i.diffusion.variance_preserving import VariancePreserving


class RateSchedule(VariancePreserving):
    """A schedule given by its rate beta: dx = -beta/2 x dt + sqrt(beta) dw; alpha^2 is exp(-integral)."""

    def rate(self, t):
        """beta(t), above 0."""
        raise NotImplementedError

    def integral(self, t):
        """The integral of beta from 0 to t."""
        raise NotImplementedError

    def time_of_integral(self, integral):
        """The time at which `integral(t)` is this."""
        raise NotImplementedError

    def alpha(self, t):
        integral = self.integral(t)
        return namespace(integral).exp(-0.5 * integral)

    def sigma(self, t):
        integral = self.integral(t)
        xp = namespace(integral)
        return xp.sqrt(-xp.expm1(-integral))

    def alpha_dot(self, t):
        return -0.5 * self.rate(t) * self.alpha(t)

    def drift(self, t):
        return -0.5 * self.rate(t)

    def diffusion_squared(self, t):
        return self.rate(t)

    def log_snr(self, t):
        integral = self.integral(t)
        return -log(namespace(integral).expm1(integral))

    def time_of_log_snr(self, log_snr):
        return self.time_of_integral(softplus(-time(log_snr)))


def _check_rates(start, end):
    if not 0 < start <= end:
        raise ValueError(f"Rates must be 0 < beta_min <= beta_max, received {start} and {end}")


@dataclass(frozen=True)
class LinearSchedule(RateSchedule):
    """beta grows linearly (Ho et al. 2020; in continuous time Song et al. 2021, eq. 32).

    The defaults are DDPM's 1e-4 to 0.02 in each of 1000 steps. `DiscreteSchedule` has those very steps.
    """

    name = "linear"
    beta_min: float = 0.1
    beta_max: float = 20.0

    def __post_init__(self):
        _check_rates(self.beta_min, self.beta_max)

    def rate(self, t):
        return self.beta_min + (self.beta_max - self.beta_min) * time(t)

    def integral(self, t):
        t = time(t)
        return t * (self.beta_min + 0.5 * (self.beta_max - self.beta_min) * t)

    def time_of_integral(self, integral):
        # The quadratic's root in the form without a difference of like numbers.
        root = namespace(integral).sqrt(self.beta_min**2 + 2.0 * (self.beta_max - self.beta_min) * integral)
        return 2.0 * integral / (self.beta_min + root)


@dataclass(frozen=True)
class ScaledLinearSchedule(RateSchedule):
    """The square root of beta grows linearly (latent diffusion, Rombach et al. 2022, arXiv 2112.10752)."""

    name = "scaled_linear"
    beta_min: float = 0.85
    beta_max: float = 12.0

    def __post_init__(self):
        _check_rates(self.beta_min, self.beta_max)

    @property
    def _line(self):
        start = math.sqrt(self.beta_min)
        return start, math.sqrt(self.beta_max) - start

    def rate(self, t):
        start, slope = self._line
        return (start + slope * time(t)) ** 2

    def integral(self, t):
        (start, slope), t = self._line, time(t)
        return t * (start**2 + t * (start * slope + t * slope**2 / 3.0))

    def time_of_integral(self, integral):
        start, slope = self._line
        root = (start**3 + 3.0 * slope * integral) ** (1.0 / 3.0)
        return 3.0 * integral / (root**2 + root * start + start**2)
