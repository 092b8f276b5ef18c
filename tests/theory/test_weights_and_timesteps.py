from pathlib import Path

import numpy as np
import pytest
from keras import ops
from scipy import stats
from theory_cases import INSIDE
from theory_cases import every_gaussian

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import DiscreteSchedule
from keras_t2i.diffusion import LinearSchedule
from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import loss_weight
from keras_t2i.diffusion import sampling_times
from keras_t2i.diffusion import training_times
from keras_t2i.diffusion.parameterization import PARAMETERIZATIONS
from keras_t2i.diffusion.timesteps import TIMESTEP_SCHEDULES
from keras_t2i.diffusion.timesteps import stratified
from keras_t2i.diffusion.weights import WEIGHTS


def test_published_weights():
    process = LinearSchedule()
    snr = np.exp(process.log_snr(INSIDE))
    capped = np.minimum(snr, 5.0)
    # Hang et al. 2023, section 3.4; Karras et al. 2022, table 1.
    for kind, divisor in (("x0", 1.0), ("epsilon", snr), ("v", snr + 1)):
        found = loss_weight("min_snr", Parameterization(kind, process), INSIDE)
        np.testing.assert_allclose(found, capped / divisor, rtol=1e-9)
    sigma = EDM().sigma(INSIDE)
    wanted = (sigma**2 + 0.25) / (sigma * 0.5) ** 2
    np.testing.assert_allclose(loss_weight("edm", Parameterization("x0", EDM()), INSIDE), wanted)
    velocity = loss_weight("velocity", Parameterization("x0", RectifiedFlow()), INSIDE)
    np.testing.assert_allclose(velocity, 1 / np.maximum(INSIDE, 0.05) ** 2)
    assert np.all(loss_weight("none", Parameterization("score", process), INSIDE) == 1.0)


@every_gaussian
@pytest.mark.parametrize("name", ["min_snr", "edm", "velocity"])
def test_a_weight_says_the_same_of_every_prediction(process, name):
    # One wrong estimate of x_0, told as each kind: the weighted squared error is one number.
    x0, noise, wrong = np.random.default_rng(0).standard_normal((3, len(INSIDE), 5))
    x, losses = process.diffuse(x0, noise, INSIDE), []
    options = {"largest": np.inf} if name == "velocity" else {}
    for kind in PARAMETERIZATIONS:
        prediction = Parameterization(kind, process)
        output = Parameterization("x0", process).convert(x0 + wrong, x, INSIDE, kind)
        error = np.sum((output - prediction.target(x0, noise, INSIDE)) ** 2, axis=1)
        losses.append(loss_weight(name, prediction, INSIDE, **options) * error)
    np.testing.assert_allclose(
        losses, np.broadcast_to(losses[0], (len(PARAMETERIZATIONS), len(INSIDE))), rtol=1e-6
    )


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_of_tensors_are_those_of_arrays(name):
    t = np.array([0.02, 0.3, 0.97], "float32")
    for kind in PARAMETERIZATIONS:
        prediction = Parameterization(kind, CosineSchedule())
        found = ops.convert_to_numpy(loss_weight(name, prediction, ops.convert_to_tensor(t)))
        np.testing.assert_allclose(found, loss_weight(name, prediction, t), rtol=1e-4)


QUANTILES = {
    "uniform": lambda t, process: stats.uniform.cdf(t),
    "logit_normal": lambda t, process: stats.norm.cdf(np.log(t / (1 - t)), 0.5, 1.2),
    "normal_log_snr": lambda t, process: stats.norm.sf(process.log_snr(t), 1.0, 2.0),
    "laplace_log_snr": lambda t, process: stats.laplace.sf(process.log_snr(t), 1.0, 0.7),
}
OPTIONS = {
    "uniform": {},
    "logit_normal": {"mean": 0.5, "std": 1.2},
    "normal_log_snr": {"mean": 1.0, "std": 2.0},
    "laplace_log_snr": {"mean": 1.0, "scale": 0.7},
}


@pytest.mark.parametrize("name", QUANTILES)
@pytest.mark.parametrize("process", [RectifiedFlow(), CosineSchedule(), EDM()], ids=lambda p: p.name)
def test_training_times_are_the_inverse_of_their_distribution(name, process):
    u = np.linspace(0.05, 0.95, 19)
    t = training_times(name, u, process, **OPTIONS[name])
    if name == "normal_log_snr":
        t = t[t < 0.9]
        u = u[: len(t)]
    np.testing.assert_allclose(QUANTILES[name](t, process), u, rtol=1e-9)
    tensor = training_times(name, ops.convert_to_tensor(u.astype("float32")), process, **OPTIONS[name])
    np.testing.assert_allclose(ops.convert_to_numpy(tensor), t, rtol=2e-4)


def test_training_times_stay_off_the_ends():
    ends = np.array([0.0, 1.0], "float32")
    for name in QUANTILES:
        for u in (ends, ops.convert_to_tensor(ends)):
            t = ops.convert_to_numpy(training_times(name, u, RectifiedFlow()))
            assert np.all((t > 0) & (t < 1)), name


def test_the_normal_of_log_snr_is_logit_normal_on_straight_paths():
    u = np.linspace(0.01, 0.99, 33)
    logit = training_times("logit_normal", u, RectifiedFlow(), mean=0.3, std=0.8)
    normal = training_times("normal_log_snr", u, RectifiedFlow(), mean=-0.6, std=1.6)
    np.testing.assert_allclose(normal, logit, rtol=1e-12)


def test_stratified_numbers_fall_one_into_each_part():
    for first in (0.0, 0.31, 0.999):
        assert sorted(np.floor(stratified(first, 16) * 16)) == list(range(16))


@every_gaussian
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
def test_ladders_fall_from_the_start_to_the_picture(process, steps):
    for schedule in (None, *TIMESTEP_SCHEDULES):
        times = sampling_times(process, steps, schedule)
        assert times.shape == (steps + 1,)
        assert times[-1] == 0.0
        assert process.log_snr(times[0]) <= max(process.log_snr(1.0), -8.6)
        assert np.all(np.diff(times) < 0)
        assert sampling_times(process, steps, schedule, start=0.6)[0] == pytest.approx(0.6)


def test_published_ladders():
    i = np.arange(18)
    # Karras et al. 2022, eq. 5.
    sigma = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    np.testing.assert_allclose(EDM().sigma(sampling_times(EDM(), 18)[:-1]), sigma, rtol=1e-9)
    levels = LinearSchedule().log_snr(sampling_times(LinearSchedule(), 10, "uniform_log_snr")[:-1])
    np.testing.assert_allclose(np.diff(levels), (levels[-1] - levels[0]) / 9, rtol=1e-9)
    np.testing.assert_allclose(
        sampling_times(RectifiedFlow(), 4, "uniform", power=2), [1, 0.5625, 0.25, 0.0625, 0]
    )
    steep = sampling_times(RectifiedFlow(), 4, "uniform", start=0.81, power=0.5)  # squares evenly apart
    np.testing.assert_allclose(np.square(steep), 0.81**2 * np.linspace(1, 0, 5), atol=1e-12)
    for steps in (1, 4, 7):  # between them lie the roots of U, Chebyshev's polynomials of the second kind
        inner = np.polynomial.Chebyshev.basis(steps).deriv().roots()
        expected = np.concatenate([[1.0], np.sort(1 + inner)[::-1] / 2, [0.0]])
        times = sampling_times(RectifiedFlow(), steps, "chebyshev", start=0.6)
        np.testing.assert_allclose(times, 0.6 * expected, atol=1e-12)


def test_discrete_ladders_are_the_published_timesteps():
    reference = np.load(Path(__file__).with_name("reference.npz"))
    for steps in (10, 20):
        for name, spacing in (("ddpm", "leading"), ("dpm_solver_pp_2m", "trailing")):
            times = DiscreteSchedule().published_times(steps, spacing)
            chosen = np.round(times[:-1] * 1000 - 1)[::-1]
            np.testing.assert_array_equal(chosen, reference[f"linear/{name}/{steps}/timesteps"])
    # Lin et al. 2023, table 2: 5 of 1000 steps, counted from 1 there.
    np.testing.assert_allclose(
        DiscreteSchedule().published_times(5, "linspace") * 1000, [1000, 750, 500, 251, 1, 0], atol=1
    )


def test_wrong_names_and_numbers_are_refused():
    process = RectifiedFlow()
    for wrong in (
        lambda: loss_weight("p2", Parameterization("x0", process), 0.5),
        lambda: training_times("beta", np.zeros(1), process),
        lambda: sampling_times(process, 0),
        lambda: sampling_times(process, 4, "cubic"),
        lambda: sampling_times(process, 4, start=1.2),
        lambda: sampling_times(process, 4, "edm", start=0.001),
        lambda: DiscreteSchedule().published_times(1001),
        lambda: DiscreteSchedule().published_times(10, "random"),
    ):
        with pytest.raises(ValueError):
            wrong()
