"""The noise levels that training draws, as functions of uniform numbers, and the schedules of sampling."""

import math
import statistics

import numpy as np
from keras import ops

from keras_t2i.diffusion.namespace import log
from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.namespace import sigmoid
from keras_t2i.diffusion.namespace import time

# Training never meets the two ends, where logarithms are infinite.
NEAREST = 1e-5


def stratified(uniform, n):
    """n uniform numbers from one, each in its own n-th of [0, 1): a batch covers all levels (Kingma et al.
    2021, arXiv 2107.00630).

    Args:
        uniform: float in [0, 1).
        n: int.

    Returns:
        float32 `(n,)`.
    """
    return ((uniform + np.arange(n) / n) % 1.0).astype("float32")


def uniform_times(uniforms, process):
    """Every t alike."""
    return _inside(time(uniforms))


def logit_normal(uniforms, process, mean=0.0, std=1.0):
    """logit(t) is normal (Esser et al. 2024, arXiv 2403.03206, section 3.1).

    On straight paths logSNR is -2 logit(t): the defaults are centred on logSNR 0 with standard deviation 2.
    """
    return _inside(sigmoid(mean + std * _normal_quantile(uniforms)))


def normal_log_snr(uniforms, process, mean=2.4, std=2.4):
    """logSNR is normal, on any process. The defaults are EDM's log(sigma) of mean -1.2 and deviation 1.2
    (Karras et al. 2022, arXiv 2206.00364, table 1). On straight paths this is `logit_normal`."""
    return _inside(process.time_of_log_snr(mean - std * _normal_quantile(uniforms)))


def laplace_log_snr(uniforms, process, mean=0.0, scale=0.5):
    """logSNR has a Laplace distribution, on any process (Hang and Gu 2024, arXiv 2407.03297, table 1)."""
    u = _inside(time(uniforms))
    xp = namespace(u)
    tail = scale * log(2.0 * xp.minimum(u, 1.0 - u))
    return _inside(process.time_of_log_snr(mean - xp.where(u < 0.5, tail, -tail)))


TRAINING_TIMES = {
    "uniform": uniform_times,
    "logit_normal": logit_normal,
    "normal_log_snr": normal_log_snr,
    "laplace_log_snr": laplace_log_snr,
}


def training_times(name, uniforms, process, **options):
    """Training times of the distribution `name`, see `TRAINING_TIMES`: its inverse cumulative function.

    Args:
        uniforms: float `(n,)` in [0, 1]: a tensor, or NumPy.
        process: `Process`.

    Returns:
        `(n,)` in [1e-5, 1 - 1e-5], rising with `uniforms`: a tensor for a tensor, else float64 NumPy.

    Raises:
        ValueError: if there is none of that name.
    """
    if name not in TRAINING_TIMES:
        raise ValueError(f"There are no times {name!r}; there are {', '.join(TRAINING_TIMES)}.")
    return TRAINING_TIMES[name](uniforms, process, **options)


def _inside(t):
    return namespace(t).clip(t, NEAREST, 1.0 - NEAREST)


def _normal_quantile(uniforms):
    u = _inside(time(uniforms))
    if namespace(u) is ops:
        return math.sqrt(2.0) * ops.erfinv(2.0 * u - 1.0)
    return np.vectorize(statistics.NormalDist().inv_cdf, otypes=["float64"])(u)


def uniform_timesteps(process, steps, start=1.0, power=1.0):
    """Times evenly spaced from `start` to 0; or their roots are, for `power` 2 (the quadratic schedule of
    Song et al. 2021, arXiv 2010.02502, appendix D.2), and so on: more of them near the picture. Below 1 there
    are more near the noise."""
    _check(steps, start)
    return _falling(start, np.linspace(start ** (1.0 / power), 0.0, steps + 1) ** power)


def chebyshev_timesteps(process, steps, start=1.0):
    """(1 + cos(pi i / steps)) / 2 of `start`, for i from 0 to `steps`: near to each other at both ends.

    They are Chebyshev's points, by which polynomials err little (Trefethen 2019, Approximation Theory and
    Approximation Practice, chapters 2 and 8); multistep samplers draw polynomials through what they saw. Few
    steps near the noise cost what is drawn, and few near the picture leave grain."""
    _check(steps, start)
    return _falling(start, start * (1.0 + np.cos(np.pi * np.arange(steps + 1) / steps)) / 2.0)


def uniform_log_snr_timesteps(process, steps, start=1.0, lowest=-10.0, highest=10.0):
    """Evenly spaced in logSNR (Lu et al. 2022, arXiv 2206.00927), from `start`, or `lowest` where there is
    less signal at `start`, to `highest`; then 0."""
    _check(steps, start)
    start = min(start, float(process.time_of_log_snr(lowest)))
    first = float(process.log_snr(start))
    levels = np.linspace(first, highest, steps) if steps > 1 else np.array([first])
    return _falling(start, np.append(process.time_of_log_snr(levels), 0.0))


def edm_timesteps(process, steps, start=1.0, sigma_min=0.002, sigma_max=80.0, rho=7.0):
    """sigma / alpha runs from `sigma_max`, or its value at `start` where that is less, to `sigma_min`, evenly
    in the power 1 / rho; then 0 (Karras et al. 2022, arXiv 2206.00364, eq. 5)."""
    _check(steps, start)
    start = min(start, float(process.time_of_log_snr(-2.0 * math.log(sigma_max))))
    first = math.exp(-0.5 * float(process.log_snr(start)))
    ends = first ** (1.0 / rho), sigma_min ** (1.0 / rho)
    ratios = np.linspace(*ends, steps) ** rho if steps > 1 else np.array([first])
    return _falling(start, np.append(process.time_of_log_snr(-2.0 * np.log(ratios)), 0.0))


TIMESTEP_SCHEDULES = {
    "uniform": uniform_timesteps,
    "chebyshev": chebyshev_timesteps,
    "uniform_log_snr": uniform_log_snr_timesteps,
    "edm": edm_timesteps,
}


def sampling_times(process, steps, schedule=None, **options):
    """Falling times of a sampler's `steps` steps.

    Args:
        process: `Process`.
        steps: int, 1 or more.
        schedule: a name out of `TIMESTEP_SCHEDULES`; None is the one that suits the process.

    Returns:
        float64 `(steps + 1,)`, from the start, at most 1, to 0. Samplers start from
        `process.start(noise, times[0])`.

    Raises:
        ValueError: if there is no schedule of that name, or `steps` is below 1.
    """
    schedule = schedule or process.timestep_schedule
    if schedule not in TIMESTEP_SCHEDULES:
        raise ValueError(f"There is no schedule {schedule!r}; there are {', '.join(TIMESTEP_SCHEDULES)}.")
    return TIMESTEP_SCHEDULES[schedule](process, steps, **options)


def _check(steps, start):
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, received {steps}")
    if not 0 < start <= 1:
        raise ValueError(f"start must be in (0, 1], received {start}")


def _falling(start, times):
    """`times`, whose ends are exact."""
    times = np.array(times, "float64")
    times[0], times[-1] = start, 0.0
    if not np.all(np.diff(times) < 0):
        raise ValueError(f"From a start at t = {start} this schedule has nowhere to fall: start nearer to 1.")
    return times
