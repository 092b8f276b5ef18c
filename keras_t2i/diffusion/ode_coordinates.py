"""In what coordinates the probability-flow ODE is solved: x / scale against a position, one class a choice.

The exact solution is the same in all; a solver's error is not. `time(process, position)` leads back to t, and
`rates` are a and b of d(x / scale) / d(position) = a x_0 + b epsilon.
"""

import math


class Straight:
    """x / (alpha + sigma) against sigma / (alpha + sigma): a straight path, finite at both ends."""

    @staticmethod
    def scale(at):
        return at.alpha + at.sigma

    @staticmethod
    def position(at):
        return at.sigma / (at.alpha + at.sigma)

    @staticmethod
    def time(process, position):
        return process.time_of_log_snr(2.0 * (math.log1p(-position) - math.log(position)))

    @staticmethod
    def rates(process, t):
        return -1.0, 1.0


class NoiseRatio:
    """x / alpha against sigma / alpha (Karras et al. 2022, arXiv 2206.00364, eq. 4 and table 1)."""

    @staticmethod
    def scale(at):
        if not at.alpha:
            raise ValueError("sigma / alpha is infinite at the start: begin later, or take other coordinates")
        return at.alpha

    @staticmethod
    def position(at):
        return at.sigma / at.alpha

    @staticmethod
    def time(process, position):
        return process.time_of_log_snr(-2.0 * math.log(position))

    @staticmethod
    def rates(process, t):
        return 0.0, 1.0


class Time:
    """x against t, as the equation is written (Song et al. 2021, arXiv 2011.13456, eq. 13)."""

    @staticmethod
    def scale(at):
        return 1.0

    @staticmethod
    def position(at):
        return at.t

    @staticmethod
    def time(process, position):
        return position

    @staticmethod
    def rates(process, t):
        rates = float(process.alpha_dot(t)), float(process.sigma_dot(t))
        if not all(map(math.isfinite, rates)):
            raise ValueError(f"{process.name!r} has no finite derivative at t = {t}: take other coordinates.")
        return rates


ODE_COORDINATES = {"straight": Straight, "noise_ratio": NoiseRatio, "time": Time}
