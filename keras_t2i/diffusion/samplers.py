"""Deterministic samplers: from noise to the picture along the probability-flow ODE, and back.

See `sampling.sampler` for how all of them are called. Each solves dx/dt = alpha' x_0 + sigma' epsilon (Song
et al. 2021, arXiv 2011.13456, eq. 13).
"""

import itertools
import math

from keras_t2i.diffusion.ode_coordinates import ODE_COORDINATES
from keras_t2i.diffusion.sampler import State
from keras_t2i.diffusion.sampler import draw
from keras_t2i.diffusion.sampler import level
from keras_t2i.diffusion.sampler import sampler


@sampler(evaluations=1, stochastic=True)
def ddim(denoiser, x, levels, process, eta=0.0, noise=None):
    """DDIM (Song et al. 2021, arXiv 2010.02502, eq. 12 and 16): exact where the estimate of x_0 is constant.

    Keyword Args:
        eta: float in [0, 1]: 0 draws no noise, 1 has the variance of DDPM.
        noise: needed for eta above 0.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must be in [0, 1], received {eta}")
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        x0 = denoiser(x, now.t)
        fresh = 0.0
        if eta and then.sigma:
            fresh = eta * math.sqrt(float(process.posterior(then.t, now.t)[2]))
        x = _towards(x, x0, now, then, math.sqrt(max(then.sigma**2 - fresh**2, 0.0)))
        if fresh:
            x = x + fresh * draw(noise, i)
        yield State(i, then.t, x, x0)


def _towards(x, x0, now, then, sigma):
    """alpha_then x_0 + sigma epsilon, where epsilon = (x - alpha_now x_0) / sigma_now."""
    of_x = sigma / now.sigma
    return of_x * x + (then.alpha - of_x * now.alpha) * x0


@sampler(evaluations=1, inverts=True)
def ddim_inversion(denoiser, x, levels, process, refinements=0):
    """The noise that DDIM would turn into this picture (Dhariwal and Nichol 2021, arXiv 2105.05233).

    The step back needs the estimate at a point not known yet. Plain inversion takes that at the point it
    comes from; each refinement takes it at the point that it found (Pan et al. 2023, arXiv 2309.04907). Where
    steps are short enough for that to converge, `ddim` over the same times then leads back to the picture.
    Inversion from t = 0, where x has no noise to be found, begins with the point it would reach without.

    Keyword Args:
        refinements: int, further evaluations a step.
    """
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        if now.sigma:
            x0 = denoiser(x, now.t)
            found = _towards(x, x0, now, then, then.sigma)
        else:
            found, x0 = (then.alpha / now.alpha) * x, x
        for _ in range(refinements + (0 if now.sigma else 1)):
            x0 = denoiser(found, then.t)
            if now.sigma and then.alpha < then.sigma:
                # Among noise the estimate of x_0 hardly moves with x; at alpha = 0 it is all that is known.
                found = _towards(x, x0, now, then, then.sigma)
                continue
            epsilon = (found - then.alpha * x0) * (1.0 / then.sigma)
            found = (then.alpha / now.alpha) * (x - now.sigma * epsilon) + then.sigma * epsilon
        x = found
        yield State(i, then.t, x, x0)


def _solve(denoiser, x, levels, process, coordinates, step):
    """All steps of a Runge-Kutta method: `step(slope, y, position, end)` to y at `end`.

    A step that ends at sigma 0 lands on the estimate of x_0 (as that of Karras et al. 2022, algorithm 1):
    the slope is not defined there.
    """
    if coordinates not in ODE_COORDINATES:
        raise ValueError(
            f"There is no ODE coordinates {coordinates!r}; there are {', '.join(ODE_COORDINATES)}."
        )
    coordinates = ODE_COORDINATES[coordinates]
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        if then.sigma:
            slope = _Slope(denoiser, process, coordinates)
            y, start, end = (
                x * (1.0 / coordinates.scale(now)),
                coordinates.position(now),
                coordinates.position(then),
            )
            x = coordinates.scale(then) * step(slope, y, (start, now), (end, then))
            x0 = slope.first
        else:
            x0 = denoiser(x, now.t)
            x = then.alpha * x0
        yield State(i, then.t, x, x0)


class _Slope:
    """d(x / scale) / d(position) in chosen coordinates; remembers the first estimate of x_0 that it took."""

    def __init__(self, denoiser, process, coordinates):
        self.denoiser, self.process, self.coordinates, self.first = denoiser, process, coordinates, None

    def __call__(self, y, position, at=None):
        at = at or level(self.process, float(self.coordinates.time(self.process, position)))
        a, b = self.coordinates.rates(self.process, at.t)
        scale = self.coordinates.scale(at)
        x0 = self.denoiser(scale * y, at.t)
        if self.first is None:
            self.first = x0
        return (b * scale / at.sigma) * y + (a - b * at.alpha / at.sigma) * x0


@sampler(evaluations=1)
def euler(denoiser, x, levels, process, coordinates="time"):
    """Euler's method, order 1. In the coordinates "straight" and "noise_ratio" it is DDIM.

    Keyword Args:
        coordinates: what is integrated: "time", "straight" or "noise_ratio"; see `ode_coordinates`.
    """

    def step(slope, y, start, end):
        return y + (end[0] - start[0]) * slope(y, *start)

    return _solve(denoiser, x, levels, process, coordinates, step)


@sampler(evaluations=2)
def heun(denoiser, x, levels, process, coordinates="straight"):
    """Heun's method, order 2. With coordinates "noise_ratio" it is EDM's algorithm 1 (arXiv 2206.00364).

    Keyword Args:
        coordinates: as of `euler`.
    """

    def step(slope, y, start, end):
        h = end[0] - start[0]
        first = slope(y, *start)
        second = slope(y + h * first, *end)
        return y + (0.5 * h) * (first + second)

    return _solve(denoiser, x, levels, process, coordinates, step)


@sampler(evaluations=4)
def rk4(denoiser, x, levels, process, coordinates="straight"):
    """The classical Runge-Kutta method, order 4.

    Keyword Args:
        coordinates: as of `euler`.
    """

    def step(slope, y, start, end):
        h = end[0] - start[0]
        middle = start[0] + 0.5 * h
        first = slope(y, *start)
        second = slope(y + (0.5 * h) * first, middle)
        third = slope(y + (0.5 * h) * second, middle)
        fourth = slope(y + h * third, *end)
        return y + (h / 6.0) * (first + 2.0 * second + 2.0 * third + fourth)

    return _solve(denoiser, x, levels, process, coordinates, step)


@sampler(evaluations=1)
def dpm_solver_pp_2m(denoiser, x, levels, process):
    """DPM-Solver++(2M), order 2 (Lu et al. 2022, arXiv 2211.01095, algorithm 2).

    A multistep method: it remembers the estimate before, and so is of order 1 in the first step; and in
    a step that starts or ends where logSNR is infinite.
    """
    before, h_before = None, None
    for i, (now, then) in enumerate(itertools.pairwise(levels)):
        x0 = denoiser(x, now.t)
        h = 0.5 * (then.log_snr - now.log_snr)
        estimate = x0
        if before is not None and math.isfinite(h) and math.isfinite(h_before):
            ahead = 0.5 * h / h_before
            estimate = (1.0 + ahead) * x0 - ahead * before
        x = (then.sigma / now.sigma) * x - (then.alpha * math.expm1(-h)) * estimate
        yield State(i, then.t, x, x0)
        before, h_before = x0, h
