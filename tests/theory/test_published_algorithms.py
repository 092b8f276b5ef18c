"""Samplers against their papers' algorithms as printed; see also `test_reference_recurrences.py`."""

import itertools

import numpy as np
import pytest
from theory_cases import every_gaussian
from theory_cases import noise_of
from theory_cases import plane_mixture

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import InDI
from keras_t2i.diffusion import LinearSchedule
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import VarianceExploding
from keras_t2i.diffusion import annealed_langevin
from keras_t2i.diffusion import ddim
from keras_t2i.diffusion import euler
from keras_t2i.diffusion import euler_maruyama
from keras_t2i.diffusion import heun
from keras_t2i.diffusion import predictor_corrector
from keras_t2i.diffusion import sampling_times


def test_euler_on_straight_lines_is_ddim():
    process, mixture = RectifiedFlow(), plane_mixture()
    start, times = np.random.default_rng(0).standard_normal((9, 2)), sampling_times(RectifiedFlow(), 7)
    wanted = ddim(mixture.denoiser(process), start, times, process)
    for coordinates in ("time", "straight"):
        found = euler(mixture.denoiser(process), start, times, process, coordinates=coordinates)
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


@every_gaussian
def test_euler_in_either_frame_of_noise_is_ddim(process):
    mixture, times = plane_mixture(), np.linspace(0.9, 0.1, 7)
    start = process.start(np.random.default_rng(0).standard_normal((9, 2)), 0.9)
    wanted = ddim(mixture.denoiser(process), start, times, process)
    for coordinates in ("straight", "noise_ratio"):
        found = euler(mixture.denoiser(process), start, times, process, coordinates=coordinates)
        np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


def test_heun_is_edms_algorithm():
    # Karras et al. 2022, algorithm 1, as printed.
    mixture, process, steps = plane_mixture(), EDM(), 9
    times = sampling_times(process, steps)
    t = process.sigma(times)
    start = x = 80 * np.random.default_rng(0).standard_normal((9, 2))
    for i in range(steps):
        d = (x - mixture.denoise(x, 1.0, t[i])) / t[i]
        then = x + (t[i + 1] - t[i]) * d
        if t[i + 1]:
            d_then = (then - mixture.denoise(then, 1.0, t[i + 1])) / t[i + 1]
            then = x + (t[i + 1] - t[i]) * 0.5 * (d + d_then)
        x = then
    found = heun(mixture.denoiser(process), start, times, process, coordinates="noise_ratio")
    np.testing.assert_allclose(found, x, rtol=1e-9, atol=1e-10)


def test_restoration_is_the_papers_iteration():
    # Delbracio and Milanfar 2023: x_(t - d) = d / t F(x_t, t) + (1 - d / t) x_t.
    process, steps = InDI(), 5
    x = degraded = np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 3))

    def restore(x, t):
        return np.tanh(2 * x) + 0.1 * t

    times = sampling_times(process, steps)
    for t, then in itertools.pairwise(times):
        x = (t - then) / t * restore(x, t) + (1 - (t - then) / t) * x
    for sampler in (ddim, euler):
        np.testing.assert_allclose(sampler(restore, process.start(degraded), times, process), x, rtol=1e-10)


@pytest.mark.parametrize(
    "process", [LinearSchedule(), RectifiedFlow(), VarianceExploding()], ids=lambda p: p.name
)
def test_euler_maruyama_is_the_reverse_sde_as_printed(process):
    # Song et al. 2021, eq. 6: dx = (f x - g^2 score) dt + g dw, in steps short enough to be stable.
    mixture, noise = plane_mixture(), noise_of((5, 2))
    times = np.linspace(0.8, 0.7, 21)
    start = x = process.start(noise(99), times[0])
    for i, (t, then) in enumerate(itertools.pairwise(times)):
        score = mixture.score(x, process.alpha(t), process.sigma(t))
        g2 = process.diffusion_squared(t)
        x = x + (process.drift(t) * x - g2 * score) * (then - t) + np.sqrt(g2 * (t - then)) * noise(i)
    found = euler_maruyama(mixture.denoiser(process), start, times, process, noise=noise)
    np.testing.assert_allclose(found, x, rtol=1e-8)
    flow = euler_maruyama(mixture.denoiser(process), start, times, process, diffusion_squared=lambda t: 0.0)
    np.testing.assert_allclose(flow, euler(mixture.denoiser(process), start, times, process), rtol=1e-8)


def test_the_predictor_corrector_as_printed():
    # Song et al. 2021, appendix F (ancestral predictor) and algorithm 4, with |z| / |score| = sigma.
    mixture, process, noise, ratio = plane_mixture(), VarianceExploding(), noise_of((5, 2)), 0.2
    times = [0.8, 0.75, 0.7]
    start = x = process.start(noise(99), times[0])
    draw = 0
    for t, then in itertools.pairwise(times):
        now2, then2 = process.sigma(t) ** 2, process.sigma(then) ** 2
        x = x + (now2 - then2) * mixture.score(x, 1.0, process.sigma(t))
        x = x + np.sqrt(then2 * (now2 - then2) / now2) * noise(draw)
        for k in (1, 2):
            step = 2 * (ratio * process.sigma(then)) ** 2
            x = x + step * mixture.score(x, 1.0, process.sigma(then)) + np.sqrt(2 * step) * noise(draw + k)
        draw += 3
    options = {"noise": noise, "corrections": 2, "ratio": ratio}
    found = predictor_corrector(mixture.denoiser(process), start, times, process, **options)
    np.testing.assert_allclose(found, x, rtol=1e-8)


@pytest.mark.parametrize("process", [VarianceExploding(), RectifiedFlow()], ids=lambda p: p.name)
def test_annealed_langevin_as_printed(process):
    # Song and Ermon 2019, algorithm 1, on x / alpha: step sizes e sigma_i^2 / sigma_L^2, half of one is ours.
    mixture, noise, times = plane_mixture(), noise_of((5, 2)), [0.8, 0.7, 0.6]
    alphas = process.alpha(np.array(times))
    sigmas = process.sigma(np.array(times)) / alphas
    start = process.start(noise(99), times[0])
    y, draw, smallest = start / alphas[0], 0, 0.2 * sigmas[1] ** 2
    for sigma in sigmas[:2]:
        size = smallest * sigma**2 / sigmas[1] ** 2
        for _ in range(3):
            y = y + 0.5 * size * mixture.score(y, 1.0, sigma) + np.sqrt(size) * noise(draw)
            draw += 1
    options = {"noise": noise, "steps_per_level": 3, "rate": 0.1}
    found = annealed_langevin(mixture.denoiser(process), start, times, process, **options)
    np.testing.assert_allclose(found, alphas[-1] * y, rtol=1e-8)
