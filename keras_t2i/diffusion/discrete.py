"""The published step-by-step form: 1000 betas, as DDPM was printed and most weights trained."""

import functools
import math
from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_t2i.diffusion.namespace import cast
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.namespace import time
from keras_t2i.diffusion.rate_schedules import RateSchedule

# First and last beta of 1000 steps: DDPM (arXiv 2006.11239), latent diffusion (arXiv 2112.10752).
BETAS = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "cosine": (None, None)}


def betas(kind="linear", steps=1000, first=None, last=None):
    """The variances of the forward steps x_i = sqrt(1 - beta_i) x_(i-1) + sqrt(beta_i) noise.

    Args:
        kind: "linear", "scaled_linear" (its root is linear) or "cosine" (Nichol and Dhariwal 2021, arXiv
            2102.09672, eq. 17, no beta above 0.999).
        steps: int.
        first, last: floats in (0, 1), instead of the published ones; not for "cosine".

    Returns:
        float64 `(steps,)`.
    """
    if kind not in BETAS:
        raise ValueError(f"There are no betas {kind!r}; there are {', '.join(BETAS)}.")
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, received {steps}")
    if kind == "cosine":
        if first is not None or last is not None:
            raise ValueError("The cosine has no first and last beta.")
        cosines = np.cos((np.arange(steps + 1) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
        return np.minimum(1.0 - cosines[1:] / cosines[:-1], 0.999)
    first, last = (
        default if given is None else given for given, default in zip((first, last), BETAS[kind], strict=True)
    )
    if not 0 < first <= last < 1:
        raise ValueError(f"0 < first <= last < 1, received {first} and {last}")
    if kind == "linear":
        return np.linspace(first, last, steps)
    return np.linspace(math.sqrt(first), math.sqrt(last), steps) ** 2


@dataclass(frozen=True)
class DiscreteSchedule(RateSchedule):
    """`betas` as a process in continuous time: exact at the steps, of constant rate between two of them.

    The published step i (0 to steps - 1) is the time (i + 1) / steps, and t = 0 is the picture. Over
    `published_times`, `ddpm`, `ddim`, `heun` (coordinates "noise_ratio") and `dpm_solver_pp_2m` are the
    published recurrences.
    """

    name = "discrete"
    kind: str = "linear"
    steps: int = 1000
    first: float | None = None
    last: float | None = None

    def __post_init__(self):
        betas(self.kind, self.steps, self.first, self.last)

    @functools.cached_property
    def _integrals(self):
        """float64 `(steps + 1,)`: -log of the product of the 1 - beta, up to each step."""
        rates = -np.log1p(-betas(self.kind, self.steps, self.first, self.last))
        return np.concatenate([[0.0], np.cumsum(rates)])

    def _look_up(self, t):
        """Position in steps, the integral at the step before, and how much it grows within this step."""
        position = time(t) * float(self.steps)
        xp, table = namespace(position), self._integrals
        if xp is ops:
            table = ops.convert_to_tensor(table, dtype=position.dtype)
        index = cast(xp.clip(position, 0, self.steps - 1), "int32")
        before = xp.take(table, index)
        return position - cast(index, position.dtype), before, xp.take(table, index + 1) - before

    def rate(self, t):
        return self._look_up(t)[2] * float(self.steps)

    def integral(self, t):
        within, before, growth = self._look_up(t)
        return before + within * growth

    def time_of_integral(self, integral):
        xp, table = namespace(integral), self._integrals
        if xp is ops:
            table = ops.convert_to_tensor(table, dtype=integral.dtype)
        index = xp.clip(xp.searchsorted(table, integral, side="right") - 1, 0, self.steps - 1)
        before = xp.take(table, index)
        within = (integral - before) / (xp.take(table, index + 1) - before)
        return (cast(index, before.dtype) + xp.minimum(within, 1.0)) / float(self.steps)

    def published_times(self, count, spacing="leading"):
        """Published choices of `count` out of all steps (Lin et al. 2023, arXiv 2305.08891, table 2).

        Args:
            count: int, 1 to `steps`.
            spacing: "leading" (DDPM, DDIM), "trailing" (starts at the last step), or "linspace".

        Returns:
            float64 `(count + 1,)`: falling times, the last is 0.
        """
        if not 1 <= count <= self.steps:
            raise ValueError(f"count must be between 1 and {self.steps}, received {count}")
        if spacing == "leading":
            chosen = np.arange(count)[::-1] * (self.steps // count)
        elif spacing == "trailing":
            chosen = np.round(self.steps - np.arange(count) * self.steps / count) - 1
        elif spacing == "linspace":
            chosen = np.round(np.linspace(0, self.steps - 1, count))[::-1]
        else:
            raise ValueError(f"spacing must be leading, trailing or linspace, received {spacing!r}")
        return np.append((chosen + 1.0) / self.steps, 0.0)
