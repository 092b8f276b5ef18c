"""The schedule of consistency tuning, and multistep sampling with an exact consistency function."""

import numpy as np
import pytest
from keras import ops
from theory_cases import noise_of
from theory_cases import response

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import PROCESSES
from keras_t2i.diffusion import InDI
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import consistency
from keras_t2i.diffusion import ddim
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.diffusion.consistency_tuning import earlier_time
from keras_t2i.diffusion.consistency_tuning import noise_ratio
from keras_t2i.diffusion.consistency_tuning import pseudo_huber
from keras_t2i.diffusion.consistency_tuning import step_from

GAUSSIAN = sorted(name for name in PROCESSES if from_config(name).gaussian)
every_process = pytest.mark.parametrize("process", [from_config(name) for name in GAUSSIAN], ids=GAUSSIAN)


def noise_level(process, t):
    return process.sigma(t) / process.alpha(t)


@pytest.mark.parametrize("stage", [0, 1, 4, 7])
def test_on_edm_it_is_the_published_schedule(stage):
    """r = t max(0, 1 - (1 + k sigmoid(-b t)) / q^(stage + 1)), t the noise level (2406.14548, eq. 18)."""
    process, level = EDM(), np.geomspace(0.01, 60, 40)
    t = level / 80
    for q, k, b in ((2.0, 8.0, 1.0), (4.0, 8.0, 2.0), (256.0, 0.0, 1.0)):
        ratio = noise_ratio(process, t, stage, q=q, k=k, b=b, boundary=0.0)
        by_hand = level * np.maximum(0, 1 - (1 + k / (1 + np.exp(b * level))) / q ** (stage + 1))
        np.testing.assert_allclose(level * ratio, by_hand, atol=1e-9)
        some = by_hand > 0
        np.testing.assert_allclose(80 * earlier_time(process, t, ratio)[some], by_hand[some], rtol=1e-9)
        anchored = noise_ratio(process, t, stage, q=q, k=k, b=b, boundary=0.05)
        np.testing.assert_allclose(level * anchored, np.where(by_hand < 0.05, 0, by_hand), atol=1e-9)


@every_process
def test_r_is_before_t_on_every_process_and_tensors_say_the_same(process):
    t = np.linspace(0.02, 0.98, 25)
    tensor = ops.convert_to_tensor(t.astype("float32"))
    for stage in (0, 3, 6):
        ratio = noise_ratio(process, t, stage, spread=0.3)
        r = earlier_time(process, t, ratio)
        some = ratio > 0
        assert (r[some] < t[some]).all() and (r[~some] == t[~some]).all()
        np.testing.assert_allclose(
            noise_level(process, r[some]), (ratio * noise_level(process, t))[some], rtol=1e-6
        )
        stage = ops.convert_to_tensor(float(stage))
        found = noise_ratio(process, tensor, stage, spread=0.3)
        assert np.abs(ops.convert_to_numpy(found) - ratio).max() < 1e-3
        found = ops.convert_to_numpy(earlier_time(process, tensor, found))
        assert np.abs(found - r).max() < 2e-3 and np.isfinite(found).all()


def test_noise_is_counted_beside_what_is_not_known():
    """Pictures, noise and spread all twice as large: the same."""
    t, process = np.linspace(0.05, 0.9, 9), EDM()
    once, twice = (noise_ratio(process, s * t, 3, spread=0.2 * s) for s in (1.0, 1.1))
    np.testing.assert_allclose(once, twice)
    assert (noise_ratio(process, t, 3, spread=0.5) <= once).all()  # there is less noise beside more


def test_pseudo_huber_is_between_the_square_and_its_root():
    square = np.array([0.0, 1e-8, 0.25, 4.0])
    np.testing.assert_array_equal(pseudo_huber(square), square)
    np.testing.assert_allclose(pseudo_huber(square, 1e-7), np.sqrt(square), atol=2e-7)
    np.testing.assert_allclose(2e3 * pseudo_huber(square, 1e3), square, atol=1e-5)


@every_process
def test_a_step_of_each_example_is_that_of_ddim(process):
    x, x0 = np.random.default_rng(0).standard_normal((2, 3, 4))
    t, r = np.array([0.9, 0.5, 0.3]), np.array([0.6, 0.45, 0.02])
    found = step_from(process, x, x0, t, r)
    for i in range(3):
        wanted = ddim(lambda _, t, i=i: x0[i : i + 1], x[i : i + 1], [t[i], r[i]], process)
        np.testing.assert_allclose(found[i : i + 1], wanted, atol=1e-12)


def end_of_path(process, variance, mean=0.0):
    """Where the path through x_t ends if pictures are normal: the consistency function, exactly."""

    def function(x, t):
        alpha, sigma = process.alpha(t), process.sigma(t)
        scale = np.sqrt(variance / (alpha**2 * variance + sigma**2))
        return mean + scale * (x - alpha * mean)

    return function


@every_process
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_what_is_drawn_has_the_variance_of_pictures_in_any_number_of_steps(process, steps):
    """Of a start of the variance that pictures with noise have at the first time."""
    variance, times = 0.09, sampling_times(process, steps)
    of_start, of_noise = response(consistency, process, times, end_of_path(process, variance), steps)
    first = process.alpha(times[0]) ** 2 * variance + process.sigma(times[0]) ** 2
    assert first * of_start**2 + np.square(of_noise).sum() == pytest.approx(variance)
    assert (of_noise[: steps - 1] != 0).all() and not of_noise[steps - 1 :].any()


def test_one_step_is_the_estimate_and_further_steps_forget_it():
    process, start = RectifiedFlow(), noise_of((3, 2))(9)
    function, seen = end_of_path(process, 0.09, 0.5), []
    drawn = consistency(function, start, [1.0, 0.0], process, noise=None)  # draws none
    np.testing.assert_allclose(drawn, 0.5 + 0.3 * start)
    noise = noise_of((3, 2))
    drawn = consistency(
        function, start, [1.0, 0.4, 0.0], process, noise=noise, callback=lambda *state: seen.append(state)
    )
    again = 0.6 * (0.5 + 0.3 * start) + 0.4 * noise(0)
    np.testing.assert_allclose(seen[0][2], again)
    np.testing.assert_allclose(seen[0][3], 0.5 + 0.3 * start)
    np.testing.assert_allclose(drawn, function(again, 0.4))
    with pytest.raises(ValueError, match="draws noise"):
        consistency(function, start, [1.0, 0.4, 0.0], process)
    with pytest.raises(ValueError, match="does not end in noise"):
        consistency(function, start, [1.0, 0.0], InDI())
