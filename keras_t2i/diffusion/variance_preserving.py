"""Processes whose variance stays 1 for pictures of variance 1: alpha^2 + sigma^2 = 1. Cosine, Laplace."""

import math
from dataclasses import dataclass

import numpy as np

from keras_t2i.diffusion.namespace import divide
from keras_t2i.diffusion.namespace import log
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.namespace import sigmoid
from keras_t2i.diffusion.namespace import time
from keras_t2i.diffusion.process import Process


class VariancePreserving(Process):
    """alpha^2 + sigma^2 = 1 (Song et al. 2021, arXiv 2011.13456, eq. 11). A schedule is a subclass."""

    def sigma_dot(self, t):
        return divide(-self.alpha(t) * self.alpha_dot(t), self.sigma(t))

    def log_snr_dot(self, t):
        return divide(2.0 * self.alpha_dot(t), self.alpha(t) * self.sigma(t) ** 2)


@dataclass(frozen=True)
class CosineSchedule(VariancePreserving):
    """alpha is a cosine (Nichol and Dhariwal 2021, arXiv 2102.09672, eq. 17). alpha(1) is 0.

    Args:
        offset: float in [0, 1), s of the paper: keeps the first steps from being too small.
    """

    name = "cosine"
    offset: float = 0.008

    def __post_init__(self):
        if not 0 <= self.offset < 1:
            raise ValueError(f"offset must be in [0, 1), received {self.offset}")

    @property
    def _quarter(self):
        """Radians per unit of time, and the angle at t = 0."""
        speed = 0.5 * math.pi / (1.0 + self.offset)
        return speed, speed * self.offset

    def alpha(self, t):
        (speed, first), t = self._quarter, time(t)
        # The cosine as a sine of what is left, so that it is 0 at the end in float32 too.
        return namespace(t).sin(speed * (1.0 - t)) / math.cos(first)

    def sigma(self, t):
        (speed, first), t = self._quarter, time(t)
        xp = namespace(t)
        return xp.sqrt(xp.sin(speed * t) * xp.sin(speed * t + 2.0 * first)) / math.cos(first)

    def alpha_dot(self, t):
        (speed, first), t = self._quarter, time(t)
        return -speed * namespace(t).cos(speed * (1.0 - t)) / math.cos(first)

    def time_of_log_snr(self, log_snr):
        speed, first = self._quarter
        log_snr = time(log_snr)
        xp = namespace(log_snr)
        cosine = math.cos(first) * xp.sqrt(sigmoid(log_snr))
        sine = xp.sqrt(math.sin(first) ** 2 + math.cos(first) ** 2 * sigmoid(-log_snr))
        return (xp.arctan2(sine, cosine) - first) / speed


@dataclass(frozen=True)
class LaplaceSchedule(VariancePreserving):
    """logSNR has a Laplace distribution if t is uniform (Hang and Gu 2024, arXiv 2407.03297, table 1).

    Half of the time is spent within 0.69 `scale` of logSNR `mean`. alpha(1) is 0. At t = 0 and
    t = 1 themselves alpha and sigma have no finite derivatives: take samplers that need none.
    """

    name = "laplace"
    timestep_schedule = "edm"
    mean: float = 0.0
    scale: float = 0.5

    def __post_init__(self):
        if self.scale <= 0:
            raise ValueError(f"scale must be above 0, received {self.scale}")

    def log_snr(self, t):
        t = time(t)
        xp = namespace(t)
        tail = self.scale * log(2.0 * xp.minimum(t, 1.0 - t))
        return self.mean - xp.where(t < 0.5, tail, -tail)

    def log_snr_dot(self, t):
        t = time(t)
        return divide(-self.scale, namespace(t).minimum(t, 1.0 - t))

    def alpha(self, t):
        log_snr = self.log_snr(t)
        return namespace(log_snr).sqrt(sigmoid(log_snr))

    def sigma(self, t):
        log_snr = self.log_snr(t)
        return namespace(log_snr).sqrt(sigmoid(-log_snr))

    def alpha_dot(self, t):
        with np.errstate(invalid="ignore"):
            return 0.5 * self.alpha(t) * self.sigma(t) ** 2 * self.log_snr_dot(t)

    def time_of_log_snr(self, log_snr):
        distance = (time(log_snr) - self.mean) / self.scale
        xp = namespace(distance)
        half = 0.5 * xp.exp(-xp.abs(distance))
        return xp.where(distance > 0, half, 1.0 - half)
