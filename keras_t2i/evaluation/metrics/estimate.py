"""What a metric gives: a number, its interval, and of how many pictures it is."""

from dataclasses import asdict
from dataclasses import dataclass

import numpy as np

from keras_t2i.utils.random_streams import random_stream


@dataclass(frozen=True)
class Estimate:
    """A number with what tells how far it can be trusted.

    Attributes:
        value: float; None where nothing counts.
        low, high: float, the 95 % interval; None where there is none.
        n: int, how many pictures (or trials) it is of.
        chance: float, what guessing gives; None where that is not known.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    chance: float | None = None

    def as_dict(self):
        """As reports hold it: `{"value", "low", "high", "n", "chance"}` without what is not known."""
        known = {key: value for key, value in asdict(self).items() if value is not None}
        return {"value": None, **known}


def mean_estimate(values, seeds_per_prompt=1, chance=None):
    """The mean of `values`, with `bootstrap_interval`. Returns `Estimate`."""
    if not len(values):
        return Estimate(None)
    low, high = bootstrap_interval(values, seeds_per_prompt)
    return Estimate(float(np.mean(values)), low, high, len(values), chance)


def bootstrap_interval(values, seeds_per_prompt=1, level=0.95, samples=2000, seed=0):
    """Bootstrap interval of a mean over prompts: (low, high); not a number where there are none.

    Args:
        values: `(seeds_per_prompt * n,)`: n prompts, seed after seed. The values of a prompt are drawn
            together, for they are not independent.
    """
    if not len(values):
        return float("nan"), float("nan")
    of_prompt = np.asarray(values, "float64").reshape(seeds_per_prompt, -1).mean(axis=0)
    draws = random_stream(seed, "bootstrap").integers(len(of_prompt), size=(samples, len(of_prompt)))
    tail = (1 - level) / 2
    return tuple(float(q) for q in np.quantile(of_prompt[draws].mean(axis=1), [tail, 1 - tail]))
