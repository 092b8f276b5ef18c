"""What a diffusion process is: x_t = alpha(t) x_0 + sigma(t) noise, from picture (t = 0) to noise (1)."""

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from keras_t2i.diffusion.namespace import divide
from keras_t2i.diffusion.namespace import expand
from keras_t2i.diffusion.namespace import log
from keras_t2i.diffusion.namespace import namespace

PROCESSES = {}
FORMER_NAMES = {"straight": "rectified_flow"}  # as presets of 0.5 have them


@dataclass(frozen=True)
class Process:
    """A Gaussian path between pictures and noise, in continuous time (Kingma et al. 2021, arXiv 2107.00630).

    All functions of time take a float, a NumPy array or a float tensor, `()` or `(n,)`, in [0, 1], and
    return the same shape: float64 NumPy on the host, tensors for tensors, also within a compiled function.
    t = 0 is the picture itself (sigma 0); at t = 1 nothing or next to nothing is left of it. At the very
    ends logarithms and some derivatives are infinite. Subclasses are frozen dataclasses that define
    `alpha`, `sigma`, their derivatives and `time_of_log_snr`; their fields are what presets store.
    """

    name: ClassVar[str] = ""
    # Of the sampling times that suit it: a name out of `timesteps.TIMESTEP_SCHEDULES`.
    timestep_schedule: ClassVar[str] = "uniform"
    # Whether what stands at t = 1 is Gaussian noise: else there is no score and no SDE.
    gaussian: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("name"):
            PROCESSES[cls.name] = cls

    def alpha(self, t):
        """How much of the picture is left, in [0, 1]."""
        raise NotImplementedError

    def sigma(self, t):
        """Standard deviation of the noise, at least 0."""
        raise NotImplementedError

    def alpha_dot(self, t):
        """d alpha / dt."""
        raise NotImplementedError

    def sigma_dot(self, t):
        """d sigma / dt."""
        raise NotImplementedError

    def time_of_log_snr(self, log_snr):
        """The time at which `log_snr(t)` is this: its inverse, in closed form."""
        raise NotImplementedError

    def log_snr(self, t):
        """log(alpha^2 / sigma^2): infinite at t = 0, falling."""
        return 2.0 * (log(self.alpha(t)) - log(self.sigma(t)))

    def log_snr_dot(self, t):
        """d log_snr / dt, below 0."""
        return 2.0 * (divide(self.alpha_dot(t), self.alpha(t)) - divide(self.sigma_dot(t), self.sigma(t)))

    def drift(self, t):
        """f of the forward SDE dx = f x dt + g dw: d log(alpha) / dt (Song et al. 2021, arXiv 2011.13456)."""
        self._check_gaussian("SDE")
        return divide(self.alpha_dot(t), self.alpha(t))

    def diffusion_squared(self, t):
        """g^2 of the same SDE: d sigma^2 / dt - 2 f sigma^2 (Kingma et al. 2021, appendix A)."""
        sigma = self.sigma(t)
        return 2.0 * (sigma * self.sigma_dot(t) - self.drift(t) * sigma * sigma)

    def diffuse(self, x0, noise, t):
        """x_t = alpha x_0 + sigma noise, the forward process (Ho et al. 2020, arXiv 2006.11239, eq. 4).

        Args:
            x0: float `(n, ...)`, pictures.
            noise: the same shape and dtype, standard normal.
            t: `()` or `(n,)`.
        """
        return expand(self.alpha(t), x0) * x0 + expand(self.sigma(t), x0) * noise

    def start(self, noise, t=1.0):
        """What a sampler starts from at time `t`: sigma(t) noise. The mean of pictures counts as 0."""
        return expand(self.sigma(t), noise) * noise

    def c_in(self, t, data_std=0.5):
        """1 / sqrt(alpha^2 data_std^2 + sigma^2): x_t times this has variance 1.

        For networks on paths whose x_t grows (EDM's c_in: Karras et al. 2022, arXiv 2206.00364, table 1).
        """
        alpha, sigma = self.alpha(t), self.sigma(t)
        return 1.0 / namespace(alpha).sqrt((data_std * alpha) ** 2 + sigma**2)

    def posterior(self, s, t):
        """q(x_s | x_t, x_0) for s < t is normal (Ho et al. 2020, eq. 6, 7; in general Kingma et al.).

        Returns:
            `(of_x_t, of_x0, variance)`: the mean is of_x_t x_t + of_x0 x_0.
        """
        self._check_gaussian("posterior")
        (alpha_s, sigma_s), (alpha_t, sigma_t) = ((self.alpha(u), self.sigma(u)) for u in (s, t))
        # Of x_t's noise that part which x_s had not; from the logarithms, for small steps lose no digits.
        new = -namespace(alpha_s, alpha_t).expm1(self.log_snr(t) - self.log_snr(s))
        of_x_t = alpha_t / alpha_s * (sigma_s / sigma_t) ** 2
        return of_x_t, alpha_s * new, sigma_s**2 * new

    def _check_gaussian(self, what):
        if not self.gaussian:
            raise ValueError(f"{self.name!r} ends in a degraded picture, not in noise: it has no {what}.")

    def get_config(self):
        """A plain dict for JSON: the name and the parameters. `from_config` reads it."""
        return {"name": self.name, **dataclasses.asdict(self)}


def from_config(config):
    """A process from what `get_config` gave, or from its name alone.

    Args:
        config: dict with "name" and parameters, or string: a name out of `PROCESSES`; a `Process` is returned
            as it is.

    Raises:
        ValueError: if there is no process of that name, or a parameter is unknown or out of its range.
    """
    if isinstance(config, Process):
        return config
    options = dict(config) if isinstance(config, dict) else {"name": config}
    name = options.pop("name", None)
    name = FORMER_NAMES.get(name, name)
    if name not in PROCESSES:
        raise ValueError(f"There is no process {name!r}; there are {', '.join(sorted(PROCESSES))}.")
    known = {field.name for field in dataclasses.fields(PROCESSES[name])}
    if unknown := set(options) - known:
        raise ValueError(f"{name!r} has no {sorted(unknown)}; it has {sorted(known)}.")
    return PROCESSES[name](**options)
