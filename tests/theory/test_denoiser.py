"""One denoiser for losses, samplers and teachers: the same numbers on NumPy arrays and on tensors."""

import numpy as np
import pytest
from keras import ops
from theory_cases import every_gaussian
from tiny_diffusion import filled
from tiny_diffusion import tiny_unet

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import Denoiser
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import RectifiedFlow


@pytest.fixture(scope="module")
def networks():
    return filled(tiny_unet()), filled(tiny_unet(), 2)


def conditions(n=3):
    random = np.random.default_rng(0)
    text = {
        "text_code": random.standard_normal((n, 32)).astype("float32"),
        "text_tokens": random.standard_normal((n, 8, 8)).astype("float32"),
        "text_mask": np.ones((n, 8), "float32"),
    }
    return [{**text, "condition_mask": np.full(n, value, "float32")} for value in (1, 0)]


def noisy(n=3):
    return np.random.default_rng(1).standard_normal((n, 8, 8, 3), dtype="float32")


def tensors(values):
    return {name: ops.convert_to_tensor(value) for name, value in values.items()}


def test_the_networks_input_has_unit_variance_and_its_output_is_converted(networks):
    told, _ = conditions()
    x, process = noisy(), EDM()
    denoiser = Denoiser(networks[0], process, "v", data_std=0.7)
    t = 0.6
    inputs = {
        "images": x * np.float32(process.c_in(t, 0.7)),
        "log_snr": np.full(3, process.log_snr(t), "float32"),
    }
    expected = networks[0].predict_on_batch({**inputs, **told})  # compiled, as the denoiser has it
    np.testing.assert_allclose(denoiser.output(x, t, told), expected, atol=5e-5)
    of_v = Parameterization("v", process)
    np.testing.assert_allclose(denoiser(x, t, told), of_v.x0(expected, x, t), atol=1e-4)
    pictures = np.random.default_rng(2).standard_normal((20000, 1)) * 0.7
    seen = process.diffuse(pictures, np.random.default_rng(3).standard_normal((20000, 1)), t)
    assert (seen * process.c_in(t, 0.7)).std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 0.0},
        {"scale": 2.5},
        {"scale": 2.5, "rescale": 0.7, "clip": 1.0},
        {"scale": 2.5, "interval": (-1.0, 9.0)},
        {"scale": 2.0, "guide": True},
        {"scale": 2.0, "known": True},
    ],
    ids=str,
)
def test_arrays_and_tensors_give_the_same(networks, options):
    told, nothing = conditions()
    x, known = noisy(), noisy()[::-1].copy()
    denoiser, guide = (Denoiser(network, RectifiedFlow()) for network in networks)
    options = dict(options)
    if options.pop("guide", False):
        options["guide"] = guide
    if options.pop("known", False):
        options["known"] = (np.arange(8)[None, :, None, None] < 3, known)
    for t in (0.3, 0.9):
        on_arrays = denoiser.guided(told, nothing, **options)(x, t)
        assert on_arrays.dtype == np.float32
        guided = denoiser.guided(tensors(told), tensors(nothing), **options)
        for time in (t, ops.convert_to_tensor(np.full(3, t, "float32"))):  # a sampler's, and a teacher's
            on_tensors = ops.convert_to_numpy(guided(ops.convert_to_tensor(x), time))
            np.testing.assert_allclose(on_arrays, on_tensors, atol=2e-5)
        if "known" in options:
            np.testing.assert_array_equal(on_arrays[:, :3], known[:, :3])


@every_gaussian
def test_a_network_that_says_the_noise_finds_the_picture(process):
    random = np.random.default_rng(4)
    x0, noise = random.standard_normal((2, 3, 4, 4, 1)).astype("float32")

    class Says:
        def predict_on_batch(self, inputs):
            return noise

    for t in (0.2, 0.7):
        x = process.diffuse(x0, noise, t)
        found = Denoiser(Says(), process, "epsilon")(x, t, {})
        np.testing.assert_allclose(
            found, x0, atol=2e-4 / float(process.alpha(t)) * max(1, float(process.sigma(t)))
        )


def test_wrong_names_are_told_at_once():
    with pytest.raises(ValueError, match="no process 'nowhere'"):
        Denoiser(None, "nowhere")
    with pytest.raises(ValueError, match="no parameterization 'truth'"):
        Denoiser(None, "cosine", "truth")
