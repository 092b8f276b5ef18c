import itertools

import numpy as np
import pytest
from scipy.linalg import solve_banded
from scipy.special import ndtr
from theory_cases import line_mixture
from theory_cases import noise_of

from keras_t2i.diffusion import LinearSchedule
from keras_t2i.diffusion import RectifiedFlow
from keras_t2i.diffusion import VarianceExploding
from keras_t2i.diffusion import ddpm
from keras_t2i.diffusion import euler_maruyama
from keras_t2i.diffusion import heun

N = 6000


def distance(x, mixture, process, t):
    """Kolmogorov and Smirnov's: the largest difference between distribution functions."""
    alpha, sigma = process.alpha(t), process.sigma(t)
    x = np.sort(x[:, 0])
    std = np.sqrt(alpha**2 * mixture._variances[:, 0] + sigma**2)
    exact = ndtr((x[:, None] - alpha * mixture.means[:, 0]) / std) @ mixture.weights
    rank = np.arange(len(x) + 1) / len(x)
    return max(np.abs(exact - rank[1:]).max(), np.abs(exact - rank[:-1]).max())


@pytest.mark.parametrize(
    "process", [LinearSchedule(), RectifiedFlow(), VarianceExploding()], ids=lambda p: p.name
)
def test_flow_and_sde_have_the_same_marginals(process):
    mixture, first = line_mixture(), 0.9
    denoiser = mixture.denoiser(process)
    generator = np.random.default_rng(0)
    start = process.diffuse(mixture.sample(N, generator), generator.standard_normal((N, 1)), first)
    stops = np.linspace(first, 0.1, 161)
    limit = 1.95 / np.sqrt(N)  # passed by one in a thousand samples of the right law
    assert distance(start, mixture, process, 0.1) > 2 * limit  # and not by a wrong one
    for sampler in (heun, euler_maruyama, ddpm):
        options = {"noise": noise_of((N, 1))} if sampler.stochastic else {}
        for state in sampler.steps(denoiser, start, stops, process, **options):
            if state.step in (79, 159):
                found = distance(state.x, mixture, process, state.t)
                assert found < limit + (0.01 if sampler.stochastic else 0.0), (sampler.__name__, state.t)


def fokker_planck(process, density, grid, times):
    """The density of x_t by Crank and Nicolson's method: dp/dt = -d(f x p)/dx + g^2/2 d2p/dx2."""
    h = grid[1] - grid[0]
    for t, then in itertools.pairwise(times):
        middle, step = 0.5 * (t + then), then - t
        drift, spread = float(process.drift(middle)) * grid, 0.5 * float(process.diffusion_squared(middle))
        bands = np.zeros((3, len(grid)))  # above, on and below the diagonal of the operator
        bands[0, 1:] = -drift[1:] / (2 * h) + spread / h**2
        bands[1] = -2 * spread / h**2
        bands[2, :-1] = drift[:-1] / (2 * h) + spread / h**2
        right = density * (1 + 0.5 * step * bands[1])
        right[:-1] += 0.5 * step * bands[0, 1:] * density[1:]
        right[1:] += 0.5 * step * bands[2, :-1] * density[:-1]
        left = -0.5 * step * bands
        left[1] += 1
        density = solve_banded((1, 1), left, right)
    return density


@pytest.mark.parametrize(
    ("process", "last"), [(LinearSchedule(), 0.3), (RectifiedFlow(), 0.6)], ids=["linear", "straight"]
)
def test_fokker_planck_against_histograms_of_paths(process, last):
    mixture, n, steps = line_mixture(), 20_000, 200
    grid, times = np.linspace(-5, 5, 1001), np.linspace(0.0, last, steps + 1)
    density = fokker_planck(process, np.exp(mixture.log_density(grid[:, None])), grid, times)
    exact = np.exp(mixture.log_density(grid[:, None], process.alpha(last), process.sigma(last)))
    assert density.sum() * 0.01 == pytest.approx(1.0, abs=1e-4)
    assert np.abs(density - exact).max() < 2e-3

    def difference(x):  # L1, in bins of 0.1; sampling alone makes about 0.8 sqrt(bins / n) = 0.03
        counts, edges = np.histogram(x[:, 0], bins=grid[::10])
        wanted = [density[(grid >= a) & (grid < b)].mean() for a, b in itertools.pairwise(edges)]
        return np.abs(counts / (n * 0.1) - wanted).sum() * 0.1

    generator = np.random.default_rng(0)
    start = x = mixture.sample(n, generator)
    for t, then in itertools.pairwise(times):  # the forward SDE
        g = np.sqrt(process.diffusion_squared(t) * (then - t))
        x = x + process.drift(t) * x * (then - t) + g * generator.standard_normal(x.shape)
    assert difference(start) > 0.2
    assert difference(x) < 0.06
    # and the reverse SDE, from noise down to the same time
    noise = process.start(generator.standard_normal((n, 1)))
    down = np.linspace(1.0, last, steps + 1)
    x = euler_maruyama(mixture.denoiser(process), noise, down, process, noise=noise_of((n, 1)))
    assert difference(x) < 0.06
