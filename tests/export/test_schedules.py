"""A sampler's numbers do what the sampler does."""

import numpy as np
import pytest
from tiny_diffusion import tiny_diffusion_generator

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.export.schedules import schedule
from keras_t2i_runtime.diffusion import diffuse

pytestmark = pytest.mark.once
NO_WORDS = {"with_text": True, "image_code": False, "threshold": 1.0}


@pytest.fixture(scope="module")
def stage():
    return tiny_diffusion_generator().base


@pytest.mark.parametrize("process", ["rectified_flow", "cosine", "edm"])
@pytest.mark.parametrize("parameterization", ["x0", "v"])
@pytest.mark.parametrize("sampler", ["dpm_solver_pp_2m", "ddim", "heun"])
def test_a_schedule_is_its_sampler(sampler, parameterization, process, stage):
    settings = {"sampler": sampler, "parameterization": parameterization, "data_std": 0.7}
    for name, value in {**settings, "process": from_config(process).get_config()}.items():
        setattr(stage, name, value)

    def network(inputs):
        return np.tanh(inputs["images"]) * np.cos(inputs["log_snr"].clip(-20, 20))[:, None, None, None]

    def denoise(x, t):
        full = np.full(len(x), float(process.log_snr(t)), "float32")
        said = network({"images": np.float32(process.c_in(t, 0.7)) * x, "log_snr": full})
        return np.clip(stage.denoiser().x0(said, x, t), -1, 1)

    process = from_config(process)
    noise, times = (
        np.random.default_rng(0).standard_normal((2, 4, 4, 3), "float32"),
        sampling_times(process, 5),
    )
    wanted = SAMPLERS[sampler](denoise, process.start(noise, times[0]), times, process)
    found = diffuse(network, {}, noise, schedule(stage, 5), 1.0, NO_WORDS)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_sampler_that_draws_is_refused(stage):
    stage.sampler = "ddpm"
    with pytest.raises(ValueError, match="'ddpm' draws noise on its way"):
        schedule(stage, 3)
