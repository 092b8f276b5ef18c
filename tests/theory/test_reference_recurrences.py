"""Step by step against diffusers (see `make_reference.py`), around a toy network that predicts epsilon."""

from pathlib import Path

import numpy as np
import pytest
from reference_network import noise
from reference_network import toy_network

from keras_t2i.diffusion import DiscreteSchedule
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import ddim
from keras_t2i.diffusion import ddpm
from keras_t2i.diffusion import dpm_solver_pp_2m
from keras_t2i.diffusion import heun

RUNS = {
    "ddpm": (ddpm, "leading", {"noise": noise}),
    "ddpm_large": (ddpm, "leading", {"noise": noise, "variance": "large"}),
    "ddim": (ddim, "leading", {}),
    "ddim_half": (ddim, "leading", {"noise": noise, "eta": 0.5}),
    "heun": (heun, "leading", {"coordinates": "noise_ratio"}),
    "dpm_solver_pp_2m": (dpm_solver_pp_2m, "trailing", {}),
}


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("steps", [10, 20])
def test_every_state_is_that_of_diffusers(kind, name, steps):
    reference = np.load(Path(__file__).with_name("reference.npz"))
    sampler, spacing, options = RUNS[name]
    process = DiscreteSchedule(kind)
    times, start = process.published_times(steps, spacing), reference["start"]
    scales = np.ones(steps)
    if name == "heun":  # its states there are x / alpha
        scales = process.alpha(times[1:])
        start = start * process.sigma(times[0])

    def network(x, t):
        return toy_network(x, t * 1000 - 1)

    denoiser = Parameterization("epsilon", process).denoiser(network)
    states = [state.x for state in sampler.steps(denoiser, start, times, process, **options)]
    wanted = reference[f"{kind}/{name}/{steps}"] * scales[:, None, None]
    assert np.abs(wanted[-1]).max() > 0.1
    np.testing.assert_allclose(states, wanted, rtol=1e-5, atol=1e-5)
