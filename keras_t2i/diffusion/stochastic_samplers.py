"""Samplers that draw noise on their way: ancestral sampling, the reverse SDE, Langevin dynamics, and that of
consistency models.

See `sampling.sampler` for how all of them are called; `noise` is needed by each.
"""

import itertools
import math

from keras_t2i.diffusion.sampler import State
from keras_t2i.diffusion.sampler import draw
from keras_t2i.diffusion.sampler import sampler


def _ancestor(x, x0, now, then, process, variance="small"):
    """Mean of q(x_then | x_now, x_0), and the standard deviation of the noise to add."""
    of_x, of_x0, small = (float(v) for v in process.posterior(then.t, now.t))
    if variance == "large":
        small = -math.expm1(now.log_snr - then.log_snr) * now.sigma**2
    return of_x * x + of_x0 * x0, math.sqrt(small) if then.sigma else 0.0


@sampler(evaluations=1, stochastic=True)
def ddpm(denoiser, x, levels, process, noise=None, variance="small"):
    """DDPM's ancestral sampling (Ho et al. 2020, arXiv 2006.11239, algorithm 2), over any schedule of times.

    Keyword Args:
        variance: "small" (the posterior's, right if pictures were points) or "large" (beta of the step,
            right if they were standard normal); section 3.2 of the paper.
    """
    if variance not in ("small", "large"):
        raise ValueError(f"variance must be small or large, received {variance!r}")
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        x0 = denoiser(x, now.t)
        x, fresh = _ancestor(x, x0, now, then, process, variance)
        if fresh:
            x = x + fresh * draw(noise, i)
        yield State(i, then.t, x, x0)


@sampler(evaluations=1, stochastic=True)
def euler_maruyama(denoiser, x, levels, process, noise=None, diffusion_squared=None):
    """The reverse SDE by Euler and Maruyama's method: dx = (f x - g^2 score) dt + g dw, time running back
    (Anderson 1982; Song et al. 2021, arXiv 2011.13456, eq. 6). Of order 1 in law.

    Any g keeps the marginals, if the flow's part of the drift stays (Karras et al. 2022, arXiv 2206.00364,
    eq. 6; Ma et al. 2024, arXiv 2401.08740). That is used where the method would be unstable, with few steps
    or near an end where g is infinite: a g^2 h above sigma^2 counts as sigma^2. The step to sigma 0 lands
    on the estimate.

    Keyword Args:
        diffusion_squared: function of t to g^2, instead of the process's own; `lambda t: 0` is `euler`.
    """
    diffusion_squared = diffusion_squared or process.diffusion_squared
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        x0 = denoiser(x, now.t)
        if not then.sigma:
            x = then.alpha * x0
        else:
            h = now.t - then.t
            alpha_dot, sigma_dot = float(process.alpha_dot(now.t)), float(process.sigma_dot(now.t))
            if not (math.isfinite(alpha_dot) and math.isfinite(sigma_dot)):
                raise ValueError(f"{process.name!r} has no finite derivative at t = {now.t}: start later.")
            variance = min(float(diffusion_squared(now.t)) * h, now.sigma**2)
            of_epsilon = -(h * sigma_dot + 0.5 * variance / now.sigma) / now.sigma
            x = (1.0 + of_epsilon) * x - (h * alpha_dot + of_epsilon * now.alpha) * x0
            if variance:
                x = x + math.sqrt(variance) * draw(noise, i)
        yield State(i, then.t, x, x0)


def langevin_step(x, score, step_size, noise):
    """x + step_size score + sqrt(2 step_size) noise: stationary where the score says, for small steps.

    Args:
        x, score, noise: float `(n, ...)`: the point, the gradient of log density there, normal noise.
        step_size: float above 0. (The papers' epsilon is this, or twice this.)
    """
    return x + step_size * score + math.sqrt(2.0 * step_size) * noise


def _corrected(denoiser, x, at, rate, noise):
    """A Langevin step at one level, its size `rate` sigma^2: the same share of the noise at every level."""
    x0 = denoiser(x, at.t)
    score = (at.alpha * x0 - x) * (1.0 / at.sigma**2)
    return langevin_step(x, score, rate * at.sigma**2, noise), x0


@sampler(evaluations=2, stochastic=True)
def predictor_corrector(denoiser, x, levels, process, noise=None, corrections=1, ratio=0.16):
    """Ancestral steps, each corrected by Langevin steps at the level it reached (Song et al. 2021, arXiv
    2011.13456, algorithms 1, 4 and 5).

    The paper's step size is 2 (ratio |noise| / |score|)^2 with norms over the batch. |noise| / |score| is
    about sigma, and to take sigma itself keeps a picture independent of its batch.

    Keyword Args:
        corrections: int, Langevin steps after each predictor step (not after the last).
        ratio: float, the paper's r, "signal-to-noise ratio".
    """
    drawn = 0
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        x0 = denoiser(x, now.t)
        x, fresh = _ancestor(x, x0, now, then, process)
        if fresh:
            x = x + fresh * draw(noise, drawn)
            drawn += 1
            for _ in range(corrections):
                x, x0 = _corrected(denoiser, x, then, 2.0 * ratio**2, draw(noise, drawn))
                drawn += 1
        yield State(i, then.t, x, x0)


@sampler(evaluations=5, stochastic=True)
def annealed_langevin(denoiser, x, levels, process, noise=None, steps_per_level=5, rate=0.1):
    """Langevin dynamics at falling noise levels (Song and Ermon 2019, arXiv 1907.05600, algorithm 1), then
    the estimate of x_0 (Jolicoeur-Martineau et al. 2021, arXiv 2009.05475). In the paper alpha is 1;
    elsewhere x / alpha is what is carried from level to level.

    Keyword Args:
        steps_per_level: int, Langevin steps at every time but the last.
        rate: float, step size by sigma^2; 0.1 is the paper's.
    """
    drawn = 0
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        for _ in range(steps_per_level):
            x, x0 = _corrected(denoiser, x, now, rate, draw(noise, drawn))
            drawn += 1
        if not then.sigma:
            x0 = denoiser(x, now.t)
            x = then.alpha * x0
        elif now.alpha:
            x = (then.alpha / now.alpha) * x
        yield State(i, then.t, x, x0)


@sampler(evaluations=1, stochastic=True)
def consistency(denoiser, x, levels, process, noise=None):
    """Multistep consistency sampling (Song et al. 2023, arXiv 2303.01469, algorithm 1): the estimate, with
    new noise on it, is estimated again. In one step it is the estimate at the first time.

    It is for consistency models, whose estimate is itself a picture. That of a denoiser is a mean of
    pictures, and what is drawn of it so has too little variance.
    """
    if not process.gaussian:
        raise ValueError(f"{process.name!r} does not end in noise, which 'consistency' draws anew.")
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        x0 = denoiser(x, now.t)
        x = then.alpha * x0
        if then.sigma:
            x = x + then.sigma * draw(noise, i)
        yield State(i, then.t, x, x0)
