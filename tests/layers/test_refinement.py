import numpy as np
import pytest
from keras import ops

from keras_t2i.diffusion.exact_denoisers import GaussianMixture
from keras_t2i.layers import GuessVariance
from keras_t2i.layers import Refinement


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


LOG_SNRS = np.array([-np.inf, -6, -1, 0.5, 3, 9, np.inf], "float32")


def refined(variance, change):
    """Guesses of a Refinement, x_0 of 2 x 2 pixels and noise; x_t scaled to unit variance; what is said."""
    n = len(LOG_SNRS)
    guess, x0, noise = (normal(n, 2, 2, 1, seed=seed) for seed in range(3))
    alpha = np.sqrt(1 / (1 + np.exp(-LOG_SNRS.astype("float64"))))[:, None, None, None]
    sigma = np.sqrt(1 - alpha**2)
    x_t = alpha * x0 + sigma * noise
    scaled = (x_t / np.sqrt(alpha**2 * 0.8**2 + sigma**2)).astype("float32")
    variance = np.full(n, variance, "float32")
    said = Refinement(0.8)(scaled, LOG_SNRS, guess, variance, np.full_like(guess, change))
    return guess, x_t, alpha, sigma, ops.convert_to_numpy(said)


def test_a_refinement_is_the_mean_of_what_is_normal_around_the_guess():
    guess, x_t, alpha, sigma, said = refined(0.05, 0.0)
    for i in range(len(LOG_SNRS)):
        exact = GaussianMixture([1.0], guess[i].reshape(1, 4), scales=0.05**0.5)
        expected = exact.denoise(x_t[i].reshape(1, 4), alpha[i].item(), sigma[i].item())
        np.testing.assert_allclose(said[i].ravel(), expected[0], atol=1e-5)


def test_a_change_is_in_standard_deviations_of_what_is_left():
    *_, without = refined(0.05, 0.0)
    *_, said = refined(0.05, 2.0)
    left = 1 / np.sqrt(1 / 0.05 + np.exp(LOG_SNRS.astype("float64")))
    expected = np.broadcast_to(2 * left[:, None, None, None], said.shape)
    np.testing.assert_allclose(said - without, expected, atol=1e-5)


def test_a_refinement_of_no_guess_is_preconditioned_as_in_edm():
    guess, x_t, alpha, sigma, said = refined(0.8**2, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        level, x = sigma / alpha, x_t / alpha  # EDM's sigma, and x without alpha
        c_skip, c_out = 0.8**2 / (level**2 + 0.8**2), level * 0.8 / np.sqrt(level**2 + 0.8**2)
        expected = c_skip * x + c_out + (1 - c_skip) * guess
    np.testing.assert_allclose(said[1:], expected[1:], atol=1e-5)  # the first is at infinity there
    np.testing.assert_allclose(said[0], guess[0] + 0.8, atol=1e-5)


def test_a_refinement_needs_a_size():
    with pytest.raises(ValueError, match="data_std"):
        Refinement(0.0)


def test_how_far_off_a_guess_is_follows_from_its_doubt():
    random, layer = np.random.default_rng(0), GuessVariance(0.8)
    doubts = random.uniform(0.01, 2, 4000)
    truth = 0.02 + 0.15 * doubts**0.7
    given = np.ones(4, "float32")
    some = np.array([0.01, 0.1, 1.0, 100.0], "float32")
    np.testing.assert_allclose(ops.convert_to_numpy(layer(some, given)), 0.64, rtol=1e-6)  # knows nothing yet
    layer.adapt(doubts, truth * random.chisquare(20, 4000) / 20)
    said = ops.convert_to_numpy(layer(some, given))
    np.testing.assert_allclose(said[:3], (0.02 + 0.15 * some**0.7)[:3], rtol=0.3)
    assert said[3] == pytest.approx(0.64)  # no guess is worse than none
    absent = ops.convert_to_numpy(layer(some, np.zeros(4, "float32")))
    np.testing.assert_allclose(absent, 0.64, rtol=1e-6)
    assert layer.mean == pytest.approx(truth.mean(), rel=0.03)
    assert GuessVariance.from_config(layer.get_config()).data_std == 0.8 and not layer.trainable_variables
    with pytest.raises(ValueError, match="data_std"):
        GuessVariance(0)
