import json

import numpy as np
import pytest
from scipy.integrate import quad
from theory_cases import GAUSSIAN
from theory_cases import INSIDE
from theory_cases import every_gaussian
from theory_cases import every_process

from keras_t2i.diffusion import EDM
from keras_t2i.diffusion import PROCESSES
from keras_t2i.diffusion import CosineSchedule
from keras_t2i.diffusion import DiscreteSchedule
from keras_t2i.diffusion import InDI
from keras_t2i.diffusion import LaplaceSchedule
from keras_t2i.diffusion import LinearSchedule
from keras_t2i.diffusion import ScaledLinearSchedule
from keras_t2i.diffusion import VarianceExploding
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion.discrete import betas
from keras_t2i.diffusion.variance_preserving import VariancePreserving


@every_process
def test_from_the_picture_to_next_to_nothing_of_it(process):
    assert process.alpha(0.0) == pytest.approx(1.0, abs=1e-15)
    assert process.sigma(0.0) == 0.0
    assert process.log_snr(0.0) == np.inf
    assert process.alpha(1.0) / process.sigma(1.0) < 0.07
    assert np.all(np.diff(process.log_snr(np.linspace(0.0, 1.0, 1001)[1:-1])) < 0)


@every_process
def test_derivatives_are_the_limits_of_differences(process):
    h = 1e-6
    for value in ("alpha", "sigma", "log_snr"):
        differences = getattr(process, value)(INSIDE + h) - getattr(process, value)(INSIDE - h)
        derivative = getattr(process, f"{value}_dot")(INSIDE)
        np.testing.assert_allclose(derivative, differences / (2 * h), rtol=2e-7, atol=1e-9)


@every_process
def test_log_snr_and_its_inverse(process):
    alpha, sigma = process.alpha(INSIDE), process.sigma(INSIDE)
    np.testing.assert_allclose(process.log_snr(INSIDE), 2 * np.log(alpha / sigma), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(process.time_of_log_snr(process.log_snr(INSIDE)), INSIDE, rtol=1e-11)
    levels = np.linspace(process.log_snr(0.999), 9.0, 50)
    np.testing.assert_allclose(process.log_snr(process.time_of_log_snr(levels)), levels, atol=1e-9)


@every_gaussian
def test_the_sde_moves_mean_and_variance_as_alpha_and_sigma_say(process):
    # d mean / dt = f mean and d variance / dt = 2 f variance + g^2.
    f, g2, h = process.drift(INSIDE), process.diffusion_squared(INSIDE), 1e-6
    mean, variance = process.alpha(INSIDE), process.sigma(INSIDE) ** 2
    of_mean = (process.alpha(INSIDE + h) - process.alpha(INSIDE - h)) / (2 * h)
    of_variance = (process.sigma(INSIDE + h) ** 2 - process.sigma(INSIDE - h) ** 2) / (2 * h)
    np.testing.assert_allclose(f * mean, of_mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(2 * f * variance + g2, of_variance, rtol=1e-6, atol=1e-9)


def test_published_sdes():
    # Song et al. 2021, eq. 32 and 33, and 30: what is under the root of g.
    t = np.linspace(0, 1, 11)
    np.testing.assert_allclose(LinearSchedule().diffusion_squared(t), 0.1 + 19.9 * t)
    np.testing.assert_allclose(LinearSchedule().alpha(t), np.exp(-(t**2) * 19.9 / 4 - t * 0.1 / 2))
    exploding = VarianceExploding()
    g2 = (0.01 * (50 / 0.01) ** t) ** 2 * 2 * np.log(50 / 0.01)
    np.testing.assert_allclose(exploding.diffusion_squared(t), g2)
    added = quad(exploding.diffusion_squared, 0, 0.7, epsabs=0, epsrel=1e-10)[0]
    assert exploding.sigma(0.7) ** 2 == pytest.approx(added, rel=1e-8)
    assert exploding.sigma(1.0) == pytest.approx(50, rel=1e-6)
    rate = quad(ScaledLinearSchedule().rate, 0, 0.7)[0]
    assert ScaledLinearSchedule().alpha(0.7) ** 2 == pytest.approx(np.exp(-rate), rel=1e-10)


def test_published_cosine_and_laplace():
    t = np.linspace(0, 1, 12)
    cosine = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(CosineSchedule().alpha(t) ** 2, cosine / cosine[0], atol=1e-15)
    inside = t[1:-1]
    laplace = 0.3 - 0.5 * np.sign(0.5 - inside) * np.log(1 - 2 * np.abs(inside - 0.5))
    np.testing.assert_allclose(LaplaceSchedule(mean=0.3).log_snr(inside), laplace, rtol=1e-12)


@pytest.mark.parametrize("process", GAUSSIAN[:5], ids=lambda p: p.name)
def test_variance_is_preserved(process):
    assert isinstance(process, VariancePreserving)
    t = np.linspace(0, 1, 101)
    np.testing.assert_allclose(process.alpha(t) ** 2 + process.sigma(t) ** 2, 1.0, rtol=1e-14)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
def test_discrete_steps_are_products_of_the_betas(kind):
    process, product = DiscreteSchedule(kind), 1.0
    for i, beta in enumerate(betas(kind)):
        product *= 1.0 - beta
        if i % 111 == 0:
            assert process.alpha((i + 1) / 1000) ** 2 == pytest.approx(product, rel=1e-10)
    assert process.alpha(1.0) ** 2 == pytest.approx(product, rel=1e-10)


def test_discrete_steps_follow_the_continuous_schedule():
    # The same betas in 1000 steps or in one flow: they part by 1 % of the exponent.
    t = np.linspace(0.1, 1, 19)
    for kind, process in (("linear", LinearSchedule()), ("scaled_linear", ScaledLinearSchedule())):
        ratio = np.log(DiscreteSchedule(kind).alpha(t)) / np.log(process.alpha(t))
        np.testing.assert_allclose(ratio, 1.0, atol=0.012)


def test_what_a_network_sees_has_variance_one():
    x0, noise = 0.5 * np.random.default_rng(0).standard_normal((2, 100_000))
    for process in (EDM(), LinearSchedule()):
        for t in (0.001, 0.3, 1.0):
            assert np.std(process.c_in(t) * process.diffuse(x0, 2 * noise, t)) == pytest.approx(1, abs=0.01)


def test_restoration_runs_between_two_pictures():
    process, generator = InDI(), np.random.default_rng(0)
    x0, degraded = generator.uniform(-1, 1, (2, 1, 4, 4, 3))
    np.testing.assert_array_equal(process.diffuse(x0, degraded, 0.0), x0)
    np.testing.assert_array_equal(process.diffuse(x0, degraded, 1.0), degraded)
    np.testing.assert_array_equal(process.start(degraded), degraded)
    for ask in (
        lambda: process.drift(0.5),
        lambda: process.posterior(0.2, 0.5),
        lambda: process.start(x0, 0.5),
    ):
        with pytest.raises(ValueError):
            ask()


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_config_is_json_and_makes_the_same_process(name):
    process = from_config(name)
    assert from_config(json.loads(json.dumps(process.get_config()))) == process
    with pytest.raises(ValueError, match="has no"):
        from_config({"name": name, "beta_middle": 1})


@pytest.mark.parametrize(
    "config",
    [
        {"name": "linear", "beta_min": 0},
        {"name": "scaled_linear", "beta_min": 3, "beta_max": 2},
        {"name": "cosine", "offset": 1},
        {"name": "laplace", "scale": 0},
        {"name": "variance_exploding", "sigma_min": 60},
        {"name": "edm", "sigma_max": -1},
        {"name": "discrete", "kind": "quadratic"},
        {"name": "discrete", "kind": "cosine", "last": 0.1},
        {"name": "discrete", "first": 0.5, "last": 0.1},
        "brownian bridge",
    ],
)
def test_impossible_processes_are_refused(config):
    with pytest.raises(ValueError):
        from_config(config)
