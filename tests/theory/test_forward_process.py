import numpy as np
import pytest
from keras import ops
from theory_cases import every_gaussian

from keras_t2i.diffusion import DiscreteSchedule
from keras_t2i.diffusion.discrete import betas

PAIRS = [(0.1, 0.11), (0.1, 0.6), (0.9, 1.0), (0.3, 0.95)]


@every_gaussian
def test_moments_of_x_t_given_x_0(process):
    n, x0, t = 40_000, 0.7, 0.4
    noise = np.random.default_rng(0).standard_normal((n, 1), dtype="float32")
    pictures = ops.full((n, 1), x0, dtype="float32")
    times = ops.full((n,), t, dtype="float32")
    x = ops.convert_to_numpy(process.diffuse(pictures, ops.convert_to_tensor(noise), times)).astype("float64")
    alpha, sigma = process.alpha(t), process.sigma(t)
    centred = (x - alpha * x0) / sigma
    # Five standard errors of the first four moments of a standard normal distribution.
    for power, (moment, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        assert np.mean(centred**power) == pytest.approx(moment, abs=5 * np.sqrt(variance / n)), power


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
def test_the_chain_of_steps_has_the_moments_of_the_leap(kind):
    # q(x_i | x_(i-1)) one after the other (Ho et al. 2020, eq. 2) against q(x_i | x_0) (eq. 4).
    process, mean, variance = DiscreteSchedule(kind), 1.0, 0.0
    for i, beta in enumerate(betas(kind)):
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        if i % 99 == 0:
            assert process.alpha((i + 1) / 1000) == pytest.approx(mean, rel=1e-10)
            assert process.sigma((i + 1) / 1000) ** 2 == pytest.approx(variance, rel=1e-10)


@every_gaussian
@pytest.mark.parametrize(("s", "t"), PAIRS)
def test_the_posterior_is_bayes_rule_on_a_grid(process, s, t):
    x0, x_t = 0.6, process.alpha(t) * 0.6 + 0.8 * process.sigma(t)
    of_x, of_x0, variance = process.posterior(s, t)
    mean, std = of_x * x_t + of_x0 * x0, np.sqrt(variance)
    grid = mean + std * np.linspace(-9, 9, 4001)

    def log_normal(x, mean, variance):
        return -0.5 * (x - mean) ** 2 / variance

    kept = process.alpha(t) / process.alpha(s)
    new = process.sigma(t) ** 2 - kept**2 * process.sigma(s) ** 2
    joint = log_normal(x_t, kept * grid, new)
    joint = joint + log_normal(grid, process.alpha(s) * x0, process.sigma(s) ** 2)
    weights = np.exp(joint - joint.max())
    weights /= weights.sum()
    found_mean = weights @ grid
    assert found_mean == pytest.approx(mean, abs=1e-6 * std)
    assert weights @ (grid - found_mean) ** 2 == pytest.approx(variance, rel=1e-6)


@every_gaussian
@pytest.mark.parametrize(("s", "t"), [*PAIRS, (0.0, 0.5), (0.0, 1.0), (0.998, 0.999)])
def test_a_step_back_undoes_the_step_there(process, s, t):
    # The posterior, averaged over q(x_t | x_0), is q(x_s | x_0): its mean and its variance.
    of_x, of_x0, variance = process.posterior(s, t)
    assert of_x * process.alpha(t) + of_x0 == pytest.approx(process.alpha(s), rel=1e-9, abs=1e-12)
    found = of_x**2 * process.sigma(t) ** 2 + variance
    assert found == pytest.approx(process.sigma(s) ** 2, rel=1e-9, abs=1e-12)
