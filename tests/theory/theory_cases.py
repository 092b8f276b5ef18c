"""What the proofs share: every process, small mixtures, and noise that is a function of its number."""

import numpy as np
import pytest

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import Denoiser
from keras_t2i.diffusion import DiscreteSchedule
from keras_t2i.diffusion import GaussianMixture
from keras_t2i.diffusion import InDI
from keras_t2i.diffusion import LaplaceSchedule
from keras_t2i.diffusion import LinearSchedule
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import ScaledLinearSchedule
from keras_t2i.diffusion import VarianceExploding

GAUSSIAN = [
    LinearSchedule(),
    ScaledLinearSchedule(),
    CosineSchedule(),
    LaplaceSchedule(),
    DiscreteSchedule(),
    VarianceExploding(),
    EDM(),
    RectifiedFlow(),
]
# None on a step of the discrete schedule, where its rate jumps, nor on Laplace's kink at 0.5.
INSIDE = np.array([0.01237, 0.1003, 0.25043, 0.47771, 0.73399, 0.9017, 0.98765])

every_process = pytest.mark.parametrize("process", [*GAUSSIAN, InDI()], ids=lambda p: p.name)
every_gaussian = pytest.mark.parametrize("process", GAUSSIAN, ids=lambda p: p.name)


class ExactNetwork:
    """In place of a network: exact denoisers, functions of (x, t) to x_0, one told a condition and one not.

    It has a network's inputs, x_t scaled and logSNR, and the row "condition_mask" says which is asked.
    """

    def __init__(self, process, conditional, unconditional, data_std=0.5):
        self.process, self.data_std, self.calls = process, data_std, []
        self.denoisers = [unconditional, conditional]

    def predict_on_batch(self, inputs):
        t = float(self.process.time_of_log_snr(np.float64(inputs["log_snr"][0])))
        mask = inputs["condition_mask"].astype(int)
        x = inputs["images"] / np.float64(self.process.c_in(t, self.data_std))
        x0 = np.zeros_like(x)
        for told in set(mask.tolist()):
            x0[mask == told] = self.denoisers[told](x[mask == told], t)
        self.calls.append((t, mask.tolist()))
        return x0


def exact_guidance(process, conditional, unconditional, n, scale, guide=None, **options):
    """`Denoiser.guided`, by which everything draws, with exact networks; and the network."""
    network = ExactNetwork(process, conditional, unconditional)
    mask = {"condition_mask": np.ones(n, "float32")}
    nothing = {"condition_mask": np.zeros(n, "float32")}
    denoiser = Denoiser(network, process)
    guide = None if guide is None else Denoiser(ExactNetwork(process, guide, guide), process)
    return denoiser.guided(mask, nothing, scale, guide=guide, **options), network


def line_mixture():
    """Two modes on a line."""
    return GaussianMixture([0.3, 0.7], [[-1.0], [1.0]], scales=[0.3, 0.2])


def plane_mixture():
    """Three modes in the plane, of different widths, one of them slanting."""
    slanting = [[0.04, 0.02], [0.02, 0.03]]
    round_ones = [np.eye(2) * 0.02, np.eye(2) * 0.05]
    return GaussianMixture(
        [0.2, 0.3, 0.5], [[-1, -0.6], [1, -0.6], [0, 0.8]], covariances=[slanting, *round_ones]
    )


def noise_of(shape, seed=0):
    """Noise as stochastic samplers want it."""
    return lambda draw: np.random.default_rng([seed, draw]).standard_normal(shape)


def response(sampler, process, times, denoiser, width, **options):
    """What a sampler makes of a linear denoiser: factors of the start and of each of `width` draws.

    All at once, as rows of one batch: the first starts from 1 and draws zeros, the others start from 0
    and draw a single 1.
    """

    def one(draw):
        impulse = np.zeros((width + 1, 1))
        impulse[draw + 1] = 1.0
        return impulse

    start = one(-1)
    if sampler.stochastic:
        options["noise"] = one
    factors = sampler(denoiser, start, times, process, **options)[:, 0]
    return factors[0], factors[1:]


def wiener(process, variance):
    """The exact denoiser of normal pictures of mean 0: linear in x."""

    def denoiser(x, t):
        alpha, sigma = process.alpha(t), process.sigma(t)
        return (alpha * variance / (alpha**2 * variance + sigma**2)) * x

    return denoiser
