import numpy as np
import pytest
from keras import ops
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from keras_t2i.diffusion.exact_denoisers import GaussianMixture
from keras_t2i.layers import KernelRegression
from keras_t2i.layers import Refinement
from keras_t2i.layers import VaryingNoise
from keras_t2i.layers.regression import AVERAGE_KERNEL


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, dtype="float32")


def adapted(x, y, features, components=100, **options):
    layer = KernelRegression(features, components, y.shape[1:])
    layer.build(x.shape, (len(x),))
    return layer, layer.adapt(x, y, **options)


def say(layer, x, given=None):
    return ops.convert_to_numpy(layer(x, np.ones(len(x), "float32") if given is None else given))


@pytest.mark.parametrize("features", [12, 90])  # fewer than examples: by features; more: by pairs of examples
def test_it_is_ridge_regression_on_its_features(features):
    x, y, weights = normal(40, 5), normal(40, 2, 3, seed=1), np.linspace(0.5, 2, 40)
    layer, error = adapted(x, y, features, weights=weights, ridge=0.01)
    frequencies, phases = (ops.convert_to_numpy(v).astype("float64") for v in layer.weights[:2])
    waves, flat = 2**0.5 * np.cos(x @ frequencies + phases), y.reshape(40, -1)
    mean = np.average(flat, axis=0, weights=weights)
    peer = Ridge(alpha=0.01 * weights.sum(), fit_intercept=False)
    expected = peer.fit(waves, flat - mean, sample_weight=weights).predict(waves) + mean
    np.testing.assert_allclose(say(layer, x).reshape(40, -1), expected, atol=2e-3)
    assert error == pytest.approx(np.square(expected - flat).mean(), rel=1e-2)


def test_features_are_those_of_a_gaussian_kernel():
    x = normal(60, 4)
    layer, _ = adapted(x, normal(60, 2), 20000)
    frequencies, phases = (ops.convert_to_numpy(v) for v in layer.weights[:2])
    waves = 2**0.5 * np.cos(x @ frequencies + phases)
    squares = np.square(x[:, None] - x[None]).sum(axis=-1)
    average = 2 * np.square(x - x.mean(axis=0)).sum(axis=1).mean()
    kernel = AVERAGE_KERNEL ** (squares / average)
    np.testing.assert_allclose(waves @ waves.T / 20000, kernel, atol=0.05)


def test_answers_lie_in_the_principal_components():
    x, y = normal(50, 30), normal(50, 6, seed=1) * np.arange(1, 7, dtype="float32")
    layer, _ = adapted(x, y, 400, components=2, ridge=1e-6)
    peer = PCA(2).fit(y)
    projected = peer.inverse_transform(peer.transform(y))
    np.testing.assert_allclose(say(layer, x), projected, atol=0.02)


def test_it_remembers_more_with_a_smaller_ridge():
    x, y = normal(30, 8), normal(30, 4, seed=1)
    errors = [adapted(x, y, 300, ridge=ridge)[1] for ridge in (1e-5, 1e-2, 10.0)]
    assert errors[0] < 1e-4 < errors[1] < errors[2]
    near = np.square(say(adapted(x, y, 300)[0], x + 0.01 * normal(30, 8, seed=2)) - y).mean()
    assert near < 0.1 * np.square(y).mean()


def test_nothing_is_said_of_what_is_not_given():
    x, y = normal(3, 4), normal(3, 2, 2, 1, seed=1) + 3
    layer, _ = adapted(x, y, 50, ridge=1e-6)
    x[1] = np.nan
    found = say(layer, x, np.array([1, 0, 1], "float32"))
    np.testing.assert_array_equal(found[1], np.zeros((2, 2, 1)))
    np.testing.assert_allclose(found[[0, 2]], y[[0, 2]], atol=0.05)


def test_until_it_is_adapted_it_says_zero():
    layer = KernelRegression(10, 4, (2, 3))
    assert not say(layer, normal(2, 5)).any() and not layer.trainable_variables
    again = KernelRegression.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ridge": 0.0}, "ridge and weights must be above 0"),
        ({"weights": np.zeros(4)}, "ridge and weights must be above 0"),
        ({"weights": np.ones(3)}, "as many vectors as arrays"),
        ({"y": normal(5, 2)}, "as many vectors as arrays"),
    ],
)
def test_what_does_not_fit_is_said(change, said):
    layer = KernelRegression(6, 2, (2,))
    layer.build((4, 3), (4,))
    with pytest.raises(ValueError, match=said):
        layer.adapt(**{"x": normal(4, 3), "y": normal(4, 2), **change})


def test_noise_has_another_strength_for_each_vector():
    layer, x = VaryingNoise(0.6), normal(400, 300)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), x)
    noise = ops.convert_to_numpy(layer(x, training=True)) - x
    strengths = noise.std(axis=1)
    np.testing.assert_allclose(
        np.quantile(strengths, [0.01, 0.25, 0.5, 0.75, 0.99]),
        0.6 * np.square([0.01, 0.25, 0.5, 0.75, 0.99]),
        atol=0.06,
    )
    assert abs(np.mean(noise / strengths[:, None])) < 0.02
    again = ops.convert_to_numpy(layer(x, training=True)) - x
    assert abs(np.corrcoef(noise.ravel(), again.ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(ops.convert_to_numpy(VaryingNoise(0)(x, training=True)), x)
    assert VaryingNoise.from_config(layer.get_config()).most == 0.6
    with pytest.raises(ValueError, match="0 or more"):
        VaryingNoise(-1)


LOG_SNRS = np.array([-np.inf, -6, -1, 0.5, 3, 9, np.inf], "float32")


def refined(variance, given, change):
    """Guesses of a Refinement, x_0 of 2 x 2 pixels and noise; x_t scaled to unit variance; what is said."""
    n = len(LOG_SNRS)
    guess, x0, noise = (normal(n, 2, 2, 1, seed=seed) for seed in range(3))
    alpha = np.sqrt(1 / (1 + np.exp(-LOG_SNRS.astype("float64"))))[:, None, None, None]
    sigma = np.sqrt(1 - alpha**2)
    x_t = alpha * x0 + sigma * noise
    scaled = (x_t / np.sqrt(alpha**2 * 0.8**2 + sigma**2)).astype("float32")
    layer = Refinement(0.8)
    layer.build()
    layer.variance.assign(variance)
    given = np.full(n, given, "float32")
    said = layer(scaled, LOG_SNRS, guess, given, np.full_like(guess, change))
    return guess, x_t, alpha, sigma, ops.convert_to_numpy(said)


def test_a_refinement_is_the_mean_of_what_is_normal_around_the_guess():
    guess, x_t, alpha, sigma, said = refined(0.05, 1, 0.0)
    for i in range(len(LOG_SNRS)):
        exact = GaussianMixture([1.0], guess[i].reshape(1, 4), scales=0.05**0.5)
        expected = exact.denoise(x_t[i].reshape(1, 4), alpha[i].item(), sigma[i].item())
        np.testing.assert_allclose(said[i].ravel(), expected[0], atol=1e-5)


def test_a_change_is_in_standard_deviations_of_what_is_left():
    *_, without = refined(0.05, 1, 0.0)
    *_, said = refined(0.05, 1, 2.0)
    left = 1 / np.sqrt(1 / 0.05 + np.exp(LOG_SNRS.astype("float64")))
    expected = np.broadcast_to(2 * left[:, None, None, None], said.shape)
    np.testing.assert_allclose(said - without, expected, atol=1e-5)


def test_a_refinement_of_no_guess_is_preconditioned_as_in_edm():
    guess, x_t, alpha, sigma, said = refined(0.05, 0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        level, x = sigma / alpha, x_t / alpha  # EDM's sigma, and x without alpha
        c_skip, c_out = 0.8**2 / (level**2 + 0.8**2), level * 0.8 / np.sqrt(level**2 + 0.8**2)
        expected = c_skip * x + c_out + (1 - c_skip) * guess
    np.testing.assert_allclose(said[1:], expected[1:], atol=1e-5)  # the first is at infinity there
    np.testing.assert_allclose(said[0], guess[0] + 0.8, atol=1e-5)


def test_a_refinement_needs_a_size():
    with pytest.raises(ValueError, match="data_std"):
        Refinement(0.0)
