"""From which earlier time a consistency model is taught: the schedule of Easy Consistency Tuning.

Geng et al. 2024, arXiv 2406.14548, section 3.3 and appendix A. The paper's t is EDM's noise level; on any
process here that is sigma / alpha, the noise beside a picture of its own size.
"""

import math

from keras_t2i.diffusion.namespace import namespace
from keras_t2i.diffusion.namespace import sigmoid
from keras_t2i.diffusion.parameterization import Parameterization

LARGEST_LOG_NOISE = 30.0  # beyond it, as at t = 1 of many a process, there is nothing but noise


def noise_ratio(process, t, stage, spread=0.5, q=2.0, k=8.0, b=1.0, boundary=0.05):
    """How much of the noise at time t is left at the earlier time r: max(0, 1 - n / q^(stage + 1)), of
    n = 1 + k sigmoid(-b noise). From stage to stage r comes nearer to t.

    Args:
        process: `Process`.
        t: `(n,)`, in (0, 1): a tensor, or NumPy.
        stage: number of whole value, 0 or more, or a scalar tensor.
        spread: float above 0, standard deviation of what is not known of pictures. Noise is counted in twice
            of it: in the paper that of pictures is 0.5.
        q: float above 1; k, b: floats, 0 or more.
        boundary: float, 0 or more: where less noise than this would be left, in the same units, r is 0.

    Returns:
        `(n,)` in [0, 1), (sigma_r / alpha_r) / (sigma_t / alpha_t): like `t`.
    """
    log_noise = -0.5 * process.log_snr(t) - math.log(2.0 * spread)
    xp = namespace(log_noise, stage)
    noise = xp.exp(xp.minimum(log_noise, LARGEST_LOG_NOISE))
    ratio = 1.0 - (1.0 + k * sigmoid(-b * noise)) * xp.exp(-math.log(q) * (stage + 1.0))
    nothing = xp.logical_or(ratio <= 0.0, ratio * noise < boundary)
    return xp.where(nothing, 0.0 * ratio, ratio)


def earlier_time(process, t, ratio):
    """The time r at which sigma / alpha is `ratio` times what it is at `t`; `t` itself for a ratio of 0,
    whose time is 0, where logarithms are infinite.

    Args: as of `noise_ratio`; ratio: like `t`, in [0, 1].
    """
    xp = namespace(t, ratio)
    some = ratio > 0.0
    return xp.where(
        some, process.time_of_log_snr(process.log_snr(t) - 2.0 * xp.log(xp.where(some, ratio, 1.0))), t
    )


def pseudo_huber(square, constant=None):
    """sqrt(square + constant^2) - constant, of a mean square: it grows as its root, so that no example counts
    for many (Song and Dhariwal 2023, arXiv 2310.14189, section 3.3). `None`: the square itself.

    There the constant is 0.00054 of the root mean square of the error, of pictures in [-1, 1].
    """
    if constant is None:
        return square
    return namespace(square).sqrt(square + constant**2) - constant


def step_from(process, x, x0, t, r):
    """x_r, along the noise that x_t and an estimate of x_0 say: a step of DDIM, for each example its own
    (arXiv 2010.02502, eq. 12).

    Args:
        x, x0: float `(n, ...)`: x_t, and the estimate.
        t, r: `(n,)`, in (0, 1).
    """
    return process.diffuse(x0, Parameterization("x0", process).epsilon(x0, x, t), r)
