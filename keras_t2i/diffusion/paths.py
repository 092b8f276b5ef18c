"""Processes that do not preserve variance: exploding noise, EDM, straight lines, lines between pictures."""

import math
from dataclasses import dataclass

from keras_t2i.diffusion.namespace import divide
from keras_t2i.diffusion.namespace import log
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.namespace import sigmoid
from keras_t2i.diffusion.namespace import time
from keras_t2i.diffusion.process import Process


class _Exploding(Process):
    """alpha is 1: the picture stays, and noise is added."""

    def alpha(self, t):
        return 0.0 * time(t) + 1.0

    def alpha_dot(self, t):
        return 0.0 * time(t)

    def drift(self, t):
        return 0.0 * time(t)

    def log_snr(self, t):
        return -2.0 * log(self.sigma(t))


@dataclass(frozen=True)
class VarianceExploding(_Exploding):
    """The noise level grows geometrically (NCSN; Song et al. 2021, arXiv 2011.13456, eq. 9, 29 and 30).

    sigma(t)^2 = sigma_min^2 ((sigma_max / sigma_min)^(2t) - 1): the variance that the SDE has added by
    time t, so that t = 0 is the picture itself and not, as in the paper's discrete form, sigma_min off.
    """

    name = "variance_exploding"
    sigma_min: float = 0.01
    sigma_max: float = 50.0

    def __post_init__(self):
        if not 0 < self.sigma_min < self.sigma_max:
            raise ValueError(f"0 < sigma_min < sigma_max, received {self.sigma_min} and {self.sigma_max}")

    @property
    def _growth(self):
        return 2.0 * math.log(self.sigma_max / self.sigma_min)

    def sigma(self, t):
        t = time(t)
        xp = namespace(t)
        return self.sigma_min * xp.sqrt(xp.expm1(self._growth * t))

    def sigma_dot(self, t):
        return divide(0.5 * self.diffusion_squared(t), self.sigma(t))

    def diffusion_squared(self, t):
        t = time(t)
        return self.sigma_min**2 * self._growth * namespace(t).exp(self._growth * t)

    def time_of_log_snr(self, log_snr):
        log_snr = time(log_snr)
        xp = namespace(log_snr)
        return xp.log1p(xp.exp(-log_snr) / self.sigma_min**2) / self._growth


@dataclass(frozen=True)
class EDM(_Exploding):
    """The noise level is the time, in units of `sigma_max` (Karras et al. 2022, arXiv 2206.00364, table 1).

    Its schedule of sampling times is `edm_timesteps`, its training times are `normal_log_snr`.
    """

    name = "edm"
    timestep_schedule = "edm"
    sigma_max: float = 80.0

    def __post_init__(self):
        if self.sigma_max <= 0:
            raise ValueError(f"sigma_max must be above 0, received {self.sigma_max}")

    def sigma(self, t):
        return self.sigma_max * time(t)

    def sigma_dot(self, t):
        return 0.0 * time(t) + self.sigma_max

    def time_of_log_snr(self, log_snr):
        log_snr = time(log_snr)
        return namespace(log_snr).exp(-0.5 * log_snr) / self.sigma_max


@dataclass(frozen=True)
class RectifiedFlow(Process):
    """x_t = (1 - t) x_0 + t noise: flow matching, rectified flow (Lipman et al. 2023, arXiv 2210.02747;
    Liu et al. 2023, arXiv 2209.03003). The flow along it is noise - x_0 at every t; alpha(1) is 0."""

    name = "rectified_flow"

    def alpha(self, t):
        return 1.0 - time(t)

    def sigma(self, t):
        return 1.0 * time(t)

    def alpha_dot(self, t):
        return 0.0 * time(t) - 1.0

    def sigma_dot(self, t):
        return 0.0 * time(t) + 1.0

    def time_of_log_snr(self, log_snr):
        return sigmoid(-0.5 * time(log_snr))


@dataclass(frozen=True)
class InDI(RectifiedFlow):
    """x_t = (1 - t) x_0 + t y from a picture to its degraded self y (Delbracio and Milanfar 2023, arXiv
    2303.11435, section 3).

    Where other processes take noise this one takes y: `diffuse(x0, y, t)`, and samplers start from y. `ddim`
    and `euler` are the paper's iteration. There is no score and no SDE. The paper's variant with noise is
    this one with a little noise in y.
    """

    name = "indi"
    gaussian = False

    def start(self, noise, t=1.0):
        """What a sampler starts from: the degraded picture itself. `t` must be 1."""
        if t != 1.0:
            raise ValueError("Restoration starts from the degraded picture, at t = 1.")
        return noise
