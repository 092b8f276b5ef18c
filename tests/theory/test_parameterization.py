import itertools

import keras
import numpy as np
import pytest
from keras import ops
from theory_cases import INSIDE
from theory_cases import every_gaussian
from theory_cases import every_process
from theory_cases import plane_mixture

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import InDI
from keras_t2i.diffusion import LinearSchedule
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion.parameterization import PARAMETERIZATIONS


def pair(n, dtype="float64"):
    return np.random.default_rng(0).standard_normal((2, n, 4, 4, 3)).astype(dtype)


@every_process
def test_any_target_is_turned_into_any_other(process):
    x0, noise = pair(len(INSIDE))
    x = process.diffuse(x0, noise, INSIDE)
    kinds = [k for k in PARAMETERIZATIONS if process.gaussian or k != "score"]
    targets = {k: Parameterization(k, process).target(x0, noise, INSIDE) for k in kinds}
    for given, wanted in itertools.product(kinds, repeat=2):
        found = Parameterization(given, process).convert(targets[given], x, INSIDE, wanted)
        scale = np.abs(targets[wanted]).max()
        np.testing.assert_allclose(
            found, targets[wanted], rtol=1e-9, atol=1e-9 * scale, err_msg=f"{given} {wanted}"
        )


@every_gaussian
def test_there_and_back_is_exact_for_any_output(process):
    # What a network says is not a target: any numbers must survive the way there and back.
    output, x = pair(len(INSIDE))
    for given, wanted in itertools.product(PARAMETERIZATIONS, repeat=2):
        there = Parameterization(given, process).convert(output, x, INSIDE, wanted)
        back = Parameterization(wanted, process).convert(there, x, INSIDE, given)
        np.testing.assert_allclose(back, output, atol=1e-7, err_msg=f"{given} {wanted}")


@every_gaussian
def test_float32_tensors_are_turned_as_float64_arrays(process):
    x0, noise = pair(3, "float32")
    t = np.array([0.2, 0.5, 0.8], "float32")
    x = process.diffuse(x0, noise, t)
    for given, wanted in itertools.product(PARAMETERIZATIONS, repeat=2):
        prediction = Parameterization(given, process)
        output = prediction.target(*(ops.convert_to_tensor(v) for v in (x0, noise, t)))
        np.testing.assert_allclose(
            ops.convert_to_numpy(output), prediction.target(x0, noise, t), rtol=1e-3, atol=1e-4
        )
        found = prediction.convert(output, *(ops.convert_to_tensor(v) for v in (x, t)), wanted)
        exact = Parameterization(wanted, process).target(*(v.astype("float64") for v in (x0, noise, t)))
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
        # Rounding x_t to float32 is an error of up to sigma / alpha times as much in x_0.
        room = 3e-5 * max(1.0, (process.sigma(t) / process.alpha(t)).max()) * np.abs(exact).max()
        np.testing.assert_allclose(ops.convert_to_numpy(found), exact, atol=room, err_msg=f"{given} {wanted}")


def test_v_is_that_of_the_paper_and_an_angle_elsewhere():
    x0, noise = pair(1)
    for t in (0.1, 0.6):
        process = LinearSchedule()
        wanted = process.alpha(t) * noise - process.sigma(t) * x0
        np.testing.assert_allclose(Parameterization("v", process).target(x0, noise, t), wanted, rtol=1e-12)
        # Straight paths, put back onto the circle: the same angle, the same v.
        straight = RectifiedFlow()
        u = float(straight.time_of_log_snr(process.log_snr(t)))
        np.testing.assert_allclose(Parameterization("v", straight).target(x0, noise, u), wanted, rtol=1e-12)


def test_v_is_edms_preconditioned_network():
    # Karras et al. 2022, table 1: x_0 = c_skip x + c_out F, for pictures of standard deviation 1.
    output, x = pair(3)
    t = np.array([0.001, 0.02, 0.9])
    sigma = EDM().sigma(t)[:, None, None, None]
    wanted = x / (sigma**2 + 1) + sigma / np.sqrt(sigma**2 + 1) * output
    np.testing.assert_allclose(Parameterization("v", EDM()).x0(-output, x, t), wanted, rtol=1e-9)


@every_process
def test_the_flow_is_the_velocity_of_x_t(process):
    (x0, noise), h = pair(len(INSIDE)), 1e-6
    differences = process.diffuse(x0, noise, INSIDE + h) - process.diffuse(x0, noise, INSIDE - h)
    flow = Parameterization("flow", process).target(x0, noise, INSIDE)
    np.testing.assert_allclose(flow, differences / (2 * h), rtol=1e-6, atol=1e-6)


def test_the_flow_of_a_straight_path_is_noise_less_picture():
    x0, noise = pair(3)
    for t in (0.0, 0.5, 1.0):
        np.testing.assert_array_equal(
            Parameterization("flow", RectifiedFlow()).target(x0, noise, t), noise - x0
        )


@every_gaussian
def test_the_score_is_the_gradient_of_log_density(process):
    # Tweedie's formula: the exact denoiser's x_0, as a score, against differences of the exact density.
    mixture, t, h = plane_mixture(), 0.4, 1e-5
    alpha, sigma = process.alpha(t), process.sigma(t)
    x = process.diffuse(mixture.sample(20, np.random.default_rng(0)), pair(1).ravel()[:40].reshape(20, 2), t)
    score = Parameterization("x0", process).convert(mixture.denoise(x, alpha, sigma), x, t, "score")
    for axis in range(2):
        up, down = (mixture.log_density(x + s * h * np.eye(2)[axis], alpha, sigma) for s in (1, -1))
        np.testing.assert_allclose(score[:, axis], (up - down) / (2 * h), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(score, mixture.score(x, alpha, sigma), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("tensors", [False, True])
def test_at_the_ends_the_undetermined_is_zero_and_the_rest_exact(tensors):
    process = CosineSchedule()
    x0, noise = pair(1, "float32")
    wrap = ops.convert_to_tensor if tensors else np.asarray
    start, end = wrap(np.zeros(1, "float32")), wrap(np.ones(1, "float32"))
    x0, noise = wrap(x0), wrap(noise)

    def convert(given, output, x, t, wanted):
        return ops.convert_to_numpy(Parameterization(given, process).convert(output, x, t, wanted))

    zeros = np.zeros(x0.shape)
    np.testing.assert_array_equal(convert("epsilon", noise, noise, end, "x0"), zeros)
    np.testing.assert_array_equal(convert("x0", x0, x0, start, "epsilon"), zeros)
    np.testing.assert_array_equal(convert("x0", x0, x0, start, "score"), zeros)
    np.testing.assert_allclose(convert("v", -x0, noise, end, "x0"), x0, atol=1e-6)
    np.testing.assert_allclose(convert("v", noise, x0, start, "epsilon"), noise, atol=1e-6)
    np.testing.assert_allclose(convert("x0", x0, noise, end, "epsilon"), noise, atol=1e-6)
    np.testing.assert_allclose(convert("epsilon", noise, x0, start, "x0"), x0, atol=1e-6)


def test_a_network_becomes_a_denoiser():
    process = RectifiedFlow()
    x0, noise = pair(2)
    denoiser = Parameterization("flow", process).denoiser(lambda x, t: noise - x0)
    np.testing.assert_allclose(denoiser(process.diffuse(x0, noise, 0.3), 0.3), x0, atol=1e-12)


def test_impossible_predictions_are_refused():
    with pytest.raises(ValueError, match="there are x0, epsilon"):
        Parameterization("mean", RectifiedFlow())
    with pytest.raises(ValueError, match="no score"):
        Parameterization("score", InDI())
