import functools
import itertools

import numpy as np
import pytest
from theory_cases import every_gaussian
from theory_cases import plane_mixture
from theory_cases import response
from theory_cases import wiener

from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import LinearSchedule
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import VarianceExploding
from keras_t2i.diffusion import ddim
from keras_t2i.diffusion import ddim_inversion
from keras_t2i.diffusion import ddpm
from keras_t2i.diffusion import dpm_solver_pp_2m
from keras_t2i.diffusion import euler
from keras_t2i.diffusion import euler_maruyama
from keras_t2i.diffusion import heun
from keras_t2i.diffusion import predictor_corrector
from keras_t2i.diffusion import rk4
from keras_t2i.diffusion import sampling_times
from keras_t2i.diffusion.ode_coordinates import ODE_COORDINATES

# Orders are those of the global error between two times inside, as steps grow.
FIRST, LAST = 0.85, 0.2
ORDERS = [
    *((euler, 1, {"coordinates": f}) for f in ODE_COORDINATES),
    *((heun, 2, {"coordinates": f}) for f in ODE_COORDINATES),
    *((rk4, 4, {"coordinates": f}) for f in ODE_COORDINATES),
    (ddim, 1, {}),
    (dpm_solver_pp_2m, 2, {}),
]


def observed_orders(errors, steps):
    """By how many powers of the step size the error falls, from each number of steps to the next."""
    return [np.log(errors[m] / errors[n]) / np.log(n / m) for m, n in itertools.pairwise(steps)]


@functools.lru_cache
def flow(process):
    """The exact denoiser of a mixture, eight points at FIRST, and where the flow takes them by LAST."""
    mixture, generator = plane_mixture(), np.random.default_rng(0)
    start = process.diffuse(mixture.sample(8, generator), generator.standard_normal((8, 2)), FIRST)
    denoiser = mixture.denoiser(process)
    return denoiser, start, rk4(denoiser, start, np.linspace(FIRST, LAST, 513), process)


@pytest.mark.parametrize("process", [RectifiedFlow(), CosineSchedule()], ids=lambda p: p.name)
@pytest.mark.parametrize(
    ("sampler", "order", "options"), ORDERS, ids=lambda v: getattr(v, "__name__", str(v))
)
def test_the_error_falls_with_the_order_of_the_solver(process, sampler, order, options):
    denoiser, start, exact = flow(process)

    def end(n):
        return sampler(denoiser, start, np.linspace(FIRST, LAST, n + 1), process, **options)

    steps = [32, 64, 128] if order == 4 else [64, 128, 256]
    errors = {n: np.abs(end(n) - exact).max() for n in steps}
    assert errors[steps[-1]] > 1e-11  # rounding does not decide
    assert observed_orders(errors, steps)[-1] == pytest.approx(order, abs=0.12 * order)


@every_gaussian
def test_rk4_solves_a_normal_distribution_exactly(process):
    # Of normal pictures the flow is known: x scales with the standard deviation of x_t.
    variance, times = 0.3, np.linspace(0.9, 0.1, 65)
    found, _ = response(rk4, process, times, wiener(process, variance), 0)
    std = np.sqrt(process.alpha(times) ** 2 * variance + process.sigma(times) ** 2)
    assert found == pytest.approx(std[-1] / std[0], rel=1e-4)


@pytest.mark.parametrize("sampler", [euler_maruyama, ddpm])
@pytest.mark.parametrize(
    "process", [LinearSchedule(), RectifiedFlow(), VarianceExploding()], ids=lambda p: p.name
)
def test_stochastic_samplers_are_of_order_one_in_law(process, sampler):
    # With normal pictures every state is normal: its variance is the start's times the squared response.
    variance, errors, steps = 0.3, {}, [128, 256, 512]
    for n in steps:
        times = np.linspace(0.8, 0.4, n + 1)
        of_start, of_noise = response(sampler, process, times, wiener(process, variance), n)
        marginal = process.alpha(times) ** 2 * variance + process.sigma(times) ** 2
        errors[n] = abs(of_start**2 * marginal[0] + np.sum(of_noise**2) - marginal[-1]) / marginal[-1]
    assert errors[steps[-1]] < 0.02
    assert observed_orders(errors, steps)[-1] == pytest.approx(1.0, abs=0.12)


@every_gaussian
def test_ddim_with_eta_one_has_the_variance_of_ddpm(process):
    times = [0.95, 0.7, 0.5, 0.3, 0.1, 0.0]
    denoiser = wiener(process, 0.3)
    ancestral = response(ddpm, process, times, denoiser, 5)
    implicit = response(ddim, process, times, denoiser, 5, eta=1.0)
    np.testing.assert_allclose(implicit[1], ancestral[1], rtol=1e-9)
    assert implicit[0] == pytest.approx(ancestral[0], rel=1e-8)
    for eta in (0.0, 0.4):
        _, found = response(ddim, process, times, wiener(process, 0.0), 5, eta=eta)
        _, wanted = response(ddpm, process, times, wiener(process, 0.0), 5)
        # The last draw but one step is carried on by the flow, which vanishes with the picture at 0.
        assert np.abs(found).max() == pytest.approx(eta * np.abs(wanted).max(), abs=1e-12)


@every_gaussian
def test_ddim_and_ddpm_are_exact_if_there_is_one_picture(process):
    # The estimate is constant then: any number of steps, down to one, gives the law of x_t exactly.
    picture, start = np.full((1, 1), 0.4), np.array([[0.7]])
    for times in ([0.9, 0.3], [0.9, 0.8, 0.75, 0.3]):
        noise = (start - process.alpha(0.9) * picture) / process.sigma(0.9)
        found = ddim(lambda x, t: picture, start, times, process)
        np.testing.assert_allclose(found, process.diffuse(picture, noise, 0.3), rtol=1e-9)
        of_start, of_noise = response(ddpm, process, times, lambda x, t: 0 * x, len(times) - 1)
        variance = of_start**2 * process.sigma(0.9) ** 2 + np.sum(of_noise**2)
        assert variance == pytest.approx(process.sigma(0.3) ** 2, rel=1e-9)


def test_correction_brings_the_predictor_nearer_to_the_marginal():
    process, variance = RectifiedFlow(), 0.3
    times = np.linspace(0.95, 0.1, 11)
    marginal = process.alpha(times) ** 2 * variance + process.sigma(times) ** 2
    errors = []
    for corrections in (0, 1, 4):
        of_start, of_noise = response(
            predictor_corrector, process, times, wiener(process, variance), 50, corrections=corrections
        )
        errors.append(abs(of_start**2 * marginal[0] + np.sum(of_noise**2) - marginal[-1]))
    assert errors[2] < errors[1] < errors[0]


@pytest.mark.parametrize(
    "process", [RectifiedFlow(), LinearSchedule(), VarianceExploding()], ids=lambda p: p.name
)
def test_inversion_finds_the_noise_that_ddim_started_from(process):
    mixture = plane_mixture()
    denoiser = mixture.denoiser(process)

    def ladder(steps):
        return sampling_times(process, steps, "uniform_log_snr", start=0.9, highest=5.0)[:-1]

    times = ladder(50)
    start = process.start(np.random.default_rng(0).standard_normal((16, 2)), 0.9)
    pictures = ddim(denoiser, start, times, process)
    errors = []
    for refinements in (0, 1, 30):
        found = ddim_inversion(denoiser, pictures, times[::-1], process, refinements=refinements)
        errors.append(np.abs(ddim(denoiser, found, times, process) - pictures).max())
    assert errors[1] < 0.3 * errors[0]
    assert errors[2] < 1e-5
    # Plain inversion is of order 1, as DDIM is.
    finer = ladder(400)
    found = ddim_inversion(denoiser, ddim(denoiser, start, finer, process), finer[::-1], process)
    coarse = ddim_inversion(denoiser, pictures, times[::-1], process)
    assert np.abs(found - start).mean() < 0.3 * np.abs(coarse - start).mean()


def test_inversion_from_the_picture_itself_comes_back_to_it():
    process = CosineSchedule()
    mixture = plane_mixture()
    denoiser, times = mixture.denoiser(process), np.linspace(1.0, 0.0, 101)
    pictures = mixture.sample(16, np.random.default_rng(0))
    noise = ddim_inversion(denoiser, pictures, times[::-1], process, refinements=3)
    assert np.std(noise) == pytest.approx(1.0, abs=0.35)
    back = ddim(denoiser, noise, times, process)
    assert np.abs(back - pictures).mean() < 0.02
