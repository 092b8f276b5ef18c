import numpy as np
import pytest
from theory_cases import line_mixture
from theory_cases import noise_of
from theory_cases import plane_mixture

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import GaussianMixture
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import VarianceExploding
from keras_t2i.diffusion import annealed_langevin
from keras_t2i.diffusion import sampling_times
from keras_t2i.diffusion.stochastic_samplers import langevin_step

STEPS, N = 50, 2000
# What 50 steps leave of bias, beside 4 standard errors: of a weight, of the covariance.
BIAS = {"annealed_langevin": (0.05, 0.12), "ddpm": (0.015, 0.06), "predictor_corrector": (0.025, 0.06)}


def sampled(name, process, mixture, n=N, **options):
    sampler, times = SAMPLERS[name], sampling_times(process, STEPS)
    shape = (n, mixture.means.shape[1])
    if sampler.stochastic:
        options["noise"] = noise_of(shape)
    if name == "ddim":
        options["eta"] = 0.3
    if name == "annealed_langevin":
        options["steps_per_level"] = 10
    start = process.start(np.random.default_rng(1).standard_normal(shape), times[0])
    return sampler(mixture.denoiser(process), start, times, process, **options)


# "consistency" is for networks that say where a path ends, not the mean of x_0 (test_consistency_tuning.py).
@pytest.mark.parametrize("name", [n for n, s in SAMPLERS.items() if not s.inverts and n != "consistency"])
@pytest.mark.parametrize("process", [RectifiedFlow(), EDM()], ids=lambda p: p.name)
def test_weights_and_moments_of_a_mixture_in_50_steps(name, process):
    mixture = plane_mixture()
    x = sampled(name, process, mixture)
    weights, weights_found = mixture.weights, mixture.responsibilities(x).mean(0)
    of_weight, of_covariance = BIAS.get(name, (0.01, 0.04))
    room = 4 * np.sqrt(weights * (1 - weights) / N)
    assert np.all(np.abs(weights_found - weights) < room + of_weight), weights_found
    assert np.all(
        np.abs(x.mean(0) - mixture.mean()) < 4 * np.sqrt(np.diag(mixture.covariance()) / N) + of_covariance
    )
    spread = np.abs(np.cov(x.T) - mixture.covariance())
    assert np.all(spread < 4 * np.sqrt(2 / N) * np.diag(mixture.covariance()).max() + of_covariance), spread


def test_one_step_alone_does_not_recover_the_weights():
    # So that the test above can fail: a single step ends in the mean of all.
    process, mixture = RectifiedFlow(), plane_mixture()
    times = sampling_times(process, 1)
    x = SAMPLERS["ddim"](mixture.denoiser(process), np.zeros((1, 2)), times, process)
    np.testing.assert_allclose(x[0], mixture.mean(), atol=1e-12)


@pytest.mark.parametrize("variance", [0.5, 2.0])
@pytest.mark.parametrize("step_size", [0.05, 0.4])
def test_the_stationary_law_of_langevin_steps(variance, step_size):
    # For a normal law the chain is linear, and its stationary variance is variance / (1 - step / 2 variance).
    n, steps = 20_000, 400
    generator = np.random.default_rng(0)
    x = np.full((n, 1), 3.0)
    for _ in range(steps):
        x = langevin_step(x, -x / variance, step_size, generator.standard_normal((n, 1)))
    wanted = variance / (1 - step_size / (2 * variance))
    assert x.mean() == pytest.approx(0.0, abs=4 * np.sqrt(wanted / n))
    assert x.var() == pytest.approx(wanted, rel=4 * np.sqrt(2 / n))


def test_langevin_steps_stay_in_a_mixture_that_they_start_in():
    mixture, n = line_mixture(), 20_000
    generator = np.random.default_rng(0)
    x = mixture.sample(n, generator)
    for _ in range(50):
        x = langevin_step(x, mixture.score(x), 0.001, generator.standard_normal(x.shape))
    grid = np.linspace(-2, 2, 81)[:, None]
    middle, width = 0.5 * (grid[1:] + grid[:-1]), 0.05
    found = np.histogram(x[:, 0], grid[:, 0])[0] / (n * width)
    assert np.abs(found - np.exp(mixture.log_density(middle))).sum() * width < 0.06


def test_annealed_langevin_recovers_weights_where_plain_langevin_cannot():
    # Modes 12 standard deviations apart: without annealing a chain never leaves the side it starts on.
    mixture, n = GaussianMixture([0.3, 0.7], [[-1.5], [1.5]], scales=0.25), 2000
    start = np.random.default_rng(1).standard_normal((n, 1))
    x = start
    for k in range(300):
        x = langevin_step(x, mixture.score(x), 0.01, np.random.default_rng([2, k]).standard_normal((n, 1)))
    plain = mixture.responsibilities(x).mean(0)
    process = VarianceExploding()
    times = np.append(process.time_of_log_snr(-2 * np.log(np.geomspace(10, 0.05, 40))), 0.0)
    first = process.start(start, times[0])
    options = {"noise": noise_of((n, 1)), "steps_per_level": 20}
    annealed = annealed_langevin(mixture.denoiser(process), first, times, process, **options)
    found = mixture.responsibilities(annealed).mean(0)
    assert abs(plain[0] - 0.3) > 0.08
    assert abs(found[0] - 0.3) < 4 * np.sqrt(0.21 / n) + 0.01
    assert annealed.var() == pytest.approx(mixture.covariance()[0, 0], rel=0.06)


def test_the_mixture_is_a_density_with_the_moments_it_claims():
    mixture = plane_mixture()
    axis = np.linspace(-3, 3, 301)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    for alpha, sigma in ((1.0, 0.0), (0.8, 0.3)):
        density = np.exp(mixture.log_density(grid, alpha, sigma)) * 0.02**2
        assert density.sum() == pytest.approx(1.0, abs=1e-6)
        mean = density @ grid
        np.testing.assert_allclose(mean, alpha * mixture.mean(), atol=1e-6)
        covariance = (density[:, None] * (grid - mean)).T @ (grid - mean)
        np.testing.assert_allclose(
            covariance, alpha**2 * mixture.covariance() + sigma**2 * np.eye(2), atol=1e-5
        )
    drawn = mixture.sample(40_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.mean(0), mixture.mean(), atol=0.02)
    np.testing.assert_allclose(np.cov(drawn.T), mixture.covariance(), atol=0.02)


def test_the_denoiser_is_the_mean_of_pictures_by_bayes_rule():
    mixture, process, t = line_mixture(), CosineSchedule(), 0.4
    alpha, sigma = process.alpha(t), process.sigma(t)
    pictures = np.linspace(-3, 3, 6001)[:, None]
    prior = np.exp(mixture.log_density(pictures))
    for x in (-1.0, 0.1, 2.0):
        posterior = prior * np.exp(-0.5 * ((x - alpha * pictures[:, 0]) / sigma) ** 2)
        wanted = posterior @ pictures[:, 0] / posterior.sum()
        assert mixture.denoise(np.array([[x]]), alpha, sigma)[0, 0] == pytest.approx(wanted, abs=1e-9)


def test_impossible_mixtures_are_refused():
    for wrong in (
        {"weights": [1.0, 0.0], "means": [[0.0], [1.0]], "scales": 1.0},
        {"weights": [1.0], "means": [[0.0], [1.0]], "scales": 1.0},
        {"weights": [1.0], "means": [[0.0]]},
        {"weights": [1.0], "means": [[0.0]], "covariances": np.eye(2)},
    ):
        with pytest.raises(ValueError):
            GaussianMixture(**wrong)
