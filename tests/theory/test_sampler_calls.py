import keras
import numpy as np
import pytest
from keras import ops
from theory_cases import noise_of

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import InDI
from keras_t2i.diffusion import LaplaceSchedule
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import ddim
from keras_t2i.diffusion import ddim_inversion
from keras_t2i.diffusion import euler
from keras_t2i.diffusion import heun
from keras_t2i.diffusion import sampling_times

every_sampler = pytest.mark.parametrize("name", SAMPLERS)


def call(name, process, denoiser, start, steps, seed=0, **options):
    sampler = SAMPLERS[name]
    if sampler.stochastic:
        options["noise"] = lambda draw: noise_of(start.shape, seed)(draw).astype("float32")
    times = sampling_times(process, steps)
    return sampler(denoiser, start, times[::-1] if sampler.inverts else times, process, **options)


def pictures(n=3):
    return np.random.default_rng(0).uniform(-1, 1, (n, 4, 4, 3)).astype("float32")


@every_sampler
@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
def test_any_number_of_steps(name, steps):
    seen, evaluations, given = [], [], np.full((2, 1), 0.4, "float32")

    def denoiser(x, t):
        assert isinstance(t, float)
        assert x.dtype == "float32"
        evaluations.append(t)
        return given

    start = np.ones((2, 1), "float32")
    x = call(name, RectifiedFlow(), denoiser, start, steps, callback=lambda *state: seen.append(state))
    assert x.dtype == "float32"
    assert [state[0] for state in seen] == list(range(steps))
    assert seen[-1][1] == (1.0 if SAMPLERS[name].inverts else 0.0)
    assert seen[-1][2] is x
    np.testing.assert_array_equal(start, 1.0)
    # What is promised of evaluations; a step to sigma 0 needs fewer, or one for the estimate it ends with.
    assert abs(len(evaluations) - steps * SAMPLERS[name].evaluations) <= 3
    if not SAMPLERS[name].inverts:
        np.testing.assert_allclose(x, given, atol=1e-5)


class Counting(keras.Model):
    """A denoiser that knows how often it was traced."""

    def __init__(self):
        super().__init__()
        self.traces = 0

    def call(self, inputs):
        self.traces += 1
        x, t = inputs
        return ops.tanh(x) * ops.reshape(1.0 - t, (-1, 1, 1, 1))


def test_the_number_of_steps_changes_without_compiling_anew_or_stale_state():
    model, process, start = Counting(), RectifiedFlow(), pictures(2)

    def denoiser(x, t):
        return model.predict_on_batch([x, np.full(len(x), t, "float32")])

    names = ["ddim", "heun", "dpm_solver_pp_2m", "euler_maruyama"]
    fresh = {name: call(name, process, denoiser, start, 3) for name in names}
    traces = model.traces
    for name in names:
        call(name, process, denoiser, start, 6)
        np.testing.assert_array_equal(call(name, process, denoiser, start, 3), fresh[name])
    if keras.config.backend() != "torch":  # which does not compile
        assert model.traces == traces


@every_sampler
def test_tensors_are_sampled_as_arrays_are(name):
    process, start = RectifiedFlow(), pictures(2)
    found = call(name, process, lambda x, t: ops.tanh(x) * (1.0 - t), ops.convert_to_tensor(start), 4)
    wanted = call(name, process, lambda x, t: np.tanh(x) * (1.0 - t), start, 4)
    np.testing.assert_allclose(ops.convert_to_numpy(found), wanted, atol=2e-4)


@every_sampler
def test_a_picture_does_not_depend_on_its_batch(name):
    process, start = RectifiedFlow(), pictures(3)
    noise = noise_of(start.shape)
    options = [{}, {}]
    if SAMPLERS[name].stochastic:
        options = [{"noise": noise}, {"noise": lambda draw: noise(draw)[1:2]}]
    times = sampling_times(process, 5)
    times = times[::-1] if SAMPLERS[name].inverts else times

    def denoiser(x, t):
        return np.tanh(2 * x) * (1.0 - t)

    together = SAMPLERS[name](denoiser, start, times, process, **options[0])
    alone = SAMPLERS[name](denoiser, start[1:2], times, process, **options[1])
    np.testing.assert_array_equal(together[1:2], alone)


@every_sampler
def test_steps_can_be_watched_and_stopped(name):
    process, start = RectifiedFlow(), pictures(1)
    times = sampling_times(process, 8)
    times = times[::-1] if SAMPLERS[name].inverts else times
    options = {"noise": noise_of(start.shape)} if SAMPLERS[name].stochastic else {}
    calls = []

    def denoiser(x, t):
        calls.append(t)
        return np.tanh(x)

    states = SAMPLERS[name].steps(denoiser, start, times, process, **options)
    first, second = next(states), next(states)
    assert (first.step, second.step) == (0, 1)
    assert (first.t, second.t) == (times[1], times[2])
    assert first.x0.shape == start.shape
    assert len(calls) <= 2 * SAMPLERS[name].evaluations


def test_what_cannot_be_is_said():
    process, start = RectifiedFlow(), pictures(1)

    def denoiser(x, t):
        return x

    down = sampling_times(process, 4)
    for times in (
        [0.5],
        [[1.0, 0.0]],
        [1.0, 0.5, 0.5, 0.0],
        [0.0, 1.0],
        [1.5, 0.0],
        [1.0, np.nan],
        [0.1, -0.1],
    ):
        with pytest.raises(ValueError):
            ddim(denoiser, start, times, process)
    with pytest.raises(ValueError, match="must rise"):
        ddim_inversion(denoiser, start, down, process)
    with pytest.raises(ValueError, match="pass `noise`"):
        SAMPLERS["ddpm"](denoiser, start, down, process)
    with pytest.raises(ValueError, match="eta"):
        ddim(denoiser, start, down, process, eta=1.5)
    with pytest.raises(ValueError, match="small or large"):
        SAMPLERS["ddpm"](denoiser, start, down, process, noise=noise_of(start.shape), variance="learned")
    with pytest.raises(ValueError, match="no ODE coordinates"):
        heun(denoiser, start, down, process, coordinates="karras")
    with pytest.raises(ValueError, match="infinite at the start"):
        heun(denoiser, start, down, process, coordinates="noise_ratio")
    with pytest.raises(ValueError, match="take other coordinates"):
        euler(denoiser, start, down, LaplaceSchedule())
    with pytest.raises(ValueError, match="start later"):
        SAMPLERS["euler_maruyama"](denoiser, start, down, LaplaceSchedule(), noise=noise_of(start.shape))
    with pytest.raises(ValueError, match="has no"):
        SAMPLERS["ddpm"](denoiser, start, down, InDI(), noise=noise_of(start.shape))
