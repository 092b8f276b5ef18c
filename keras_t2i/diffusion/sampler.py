"""What every sampler shares: its place in a registry, and a loop over steps that can be watched."""

import functools
from typing import Any
from typing import NamedTuple

import numpy as np

SAMPLERS = {}


class State(NamedTuple):
    """Where a sampler is after a step: the step (from 0), the time reached, x there, and the estimate of x_0
    that led there."""

    step: int
    t: float
    x: Any
    x0: Any


class Level(NamedTuple):
    """A time of the schedule, as Python floats, which leave the dtype of any array or tensor as it is."""

    t: float
    alpha: float
    sigma: float
    log_snr: float


def level(process, t):
    """`Level` of one time."""
    return Level(*(float(v) for v in (t, process.alpha(t), process.sigma(t), process.log_snr(t))))


def sampler(evaluations, stochastic=False, inverts=False):
    """Make a sampler of a generator function `steps(denoiser, x, levels, process, **options)` of `State`.

    The sampler is called `sampler(denoiser, x, times, process, callback=None, **options)` and returns the
    last x; it is registered in `SAMPLERS` under the function's name.

    * denoiser: function of (x, t), t a Python float, to the estimate of x_0, like x. It may be compiled; the
      loop around it is plain Python, so that any number of steps runs without compiling anew.
    * x: float `(n, ...)`, where to start: any array or tensor that can be added and multiplied by floats.
    * times: falling floats in [0, 1], one more than steps (inverts, if the sampler inverts).
    * process: `Process`.
    * callback: function of the fields of `State`, called after every step.
    * noise (if stochastic): function of the number of the draw, 0, 1, 2, ..., to standard normal
      noise like x.

    Nothing is kept between calls. `sampler.steps` takes the same arguments without the callback and gives the
    states one by one, so that one may look, and stop.

    Args:
        evaluations: int, how often the denoiser is called a step, at default options.
        stochastic: whether it can draw noise.
        inverts: whether it goes from the picture to the noise.
    """

    def register(function):
        def steps(denoiser, x, times, process, **options):
            times = _check_times(times, inverts)
            return function(denoiser, x, [level(process, t) for t in times], process, **options)

        @functools.wraps(function)
        def run(denoiser, x, times, process, callback=None, **options):
            for state in steps(denoiser, x, times, process, **options):
                if callback is not None:
                    callback(*state)
            return state.x

        run.steps, run.evaluations = steps, evaluations
        run.stochastic, run.inverts = stochastic, inverts
        SAMPLERS[function.__name__] = run
        return run

    return register


def _check_times(times, inverts):
    times = np.asarray(times, "float64")
    if times.ndim != 1 or len(times) < 2:
        raise ValueError(f"A schedule of times has two or more, received the shape {times.shape}")
    if not (np.all(times >= 0) and np.all(times <= 1)):
        raise ValueError("Times must be between 0 (the picture) and 1 (the noise).")
    if not np.all(np.diff(times) * (1 if inverts else -1) > 0):
        raise ValueError(f"These times must {'rise' if inverts else 'fall'} from each to the next.")
    return times


def draw(noise, number):
    """Noise of that number, or an error that says what is missing."""
    if noise is None:
        raise ValueError("This sampler draws noise: pass `noise`, a function of the draw's number.")
    return noise(number)
