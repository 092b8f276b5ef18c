import keras
import numpy as np
import pytest
from keras import ops
from run_state import begin_again
from run_state import largest_difference
from run_state import state
from scipy import integrate
from scipy import stats
from tiny import tiny_dual_encoder
from tiny import tiny_vae
from tiny_diffusion import filled
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.models import VAEStage
from keras_t2i.objectives.vae import Variational
from keras_t2i.objectives.vae import box_downsample
from keras_t2i.objectives.vae import gaussian_kl
from keras_t2i.objectives.vae import negative_log_likelihood
from keras_t2i.objectives.vae import reparameterize
from keras_t2i.objectives.vae import turn
from keras_t2i.training.backend import value_and_gradients
from keras_t2i.training.run import train
from keras_t2i.utils.images import to_float

NUMBERS = 8 * 8 * 3
# Nodes and weights by which expectations of a standard normal are sums, exact for polynomials.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def numpy(structure):
    return keras.tree.map_structure(ops.convert_to_numpy, structure)


def float32(*values):
    return [ops.convert_to_tensor(np.asarray(value, "float32")) for value in values]


@pytest.mark.parametrize("case", [(0.7, 0.5, 0.0, 1.0), (-1.0, 2.0, 0.5, 0.3), (0.2, 1.0, 0.2, 1.0)])
def test_divergence_of_two_gaussians(case):
    m, s, other_m, other_s = case
    found = gaussian_kl(*float32(m, np.log(s**2), other_m, np.log(other_s**2)))
    p, q = stats.norm(m, s), stats.norm(other_m, other_s)
    expected = integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), m - 12 * s, m + 12 * s)[0]
    assert float(found) == pytest.approx(expected, abs=1e-5)
    draws = np.random.default_rng(0).normal(m, s, 200_000)
    ratios = p.logpdf(draws) - q.logpdf(draws)
    assert float(found) == pytest.approx(ratios.mean(), abs=5 * ratios.std() / 200_000**0.5 + 1e-6)
    if (other_m, other_s) == (0.0, 1.0):
        assert float(gaussian_kl(*float32(m, np.log(s**2)))) == pytest.approx(expected, abs=1e-5)


def test_gradient_through_a_draw():
    """d/dm E[z^3] = 3 (m^2 + v), and by log v it is 3 m v, for z of N(m, v)."""
    m, v = 0.8, 0.6
    noise, weights = float32(NODES, WEIGHTS)

    def expectation(mean, log_variance):
        return ops.sum(weights * reparameterize(mean, log_variance, noise) ** 3)

    value, gradients = value_and_gradients(tiny_vae(), expectation, [], float32(m, np.log(v)))
    assert float(value) == pytest.approx(m**3 + 3 * m * v, rel=1e-4)
    expected = [3 * (m**2 + v), 3 * m * v]
    np.testing.assert_allclose([float(g) for g in gradients], expected, rtol=1e-4)


def test_likelihood_is_that_of_a_gaussian():
    true, drawn = np.random.default_rng(0).standard_normal((2, 3, 10))
    error = ops.convert_to_tensor(np.square(true - drawn).mean(axis=1).astype("float32"))
    found = numpy(negative_log_likelihood(error, 0.3))
    np.testing.assert_allclose(found, -stats.norm(drawn, 0.3).logpdf(true).mean(axis=1), rtol=1e-5)
    fitted = numpy(negative_log_likelihood(error)).mean()
    others = [numpy(negative_log_likelihood(error, float(d))).mean() for d in np.linspace(0.5, 3, 101)]
    assert fitted == pytest.approx(min(others), abs=1e-3) and fitted <= min(others) + 1e-6
    assert np.isfinite(numpy(negative_log_likelihood(0.0 * error))).all()


@pytest.mark.parametrize("exact", [True, False])
def test_both_terms_are_a_bound_on_the_likelihood(exact):
    """z of N(0, 1), x of N(w z, s^2): so x is of N(0, w^2 + s^2), and the true posterior meets the bound."""
    w, s, x = 1.5, 0.4, 0.9
    variance = s**2 / (w**2 + s**2)
    mean = variance * w * x / s**2 + (0 if exact else 0.2)
    mean, log_variance, noise = float32(mean, np.log(variance), NODES)
    error = ops.square(x - w * reparameterize(mean, log_variance, noise))
    bound = np.sum(WEIGHTS * numpy(negative_log_likelihood(error, s))) + float(
        gaussian_kl(mean, log_variance)
    )
    marginal = -stats.norm(0, (w**2 + s**2) ** 0.5).logpdf(x)
    assert bound == pytest.approx(marginal, abs=1e-4) if exact else bound > marginal + 0.1


def test_changes_of_pictures():
    grids = np.random.default_rng(0).standard_normal((4, 8, 8, 2)).astype("float32")
    expected = grids.reshape(4, 4, 2, 4, 2, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(numpy(box_downsample(grids, 2)), expected, atol=1e-6)
    turned = numpy(turn(grids))
    for i, k in enumerate((1, 2, 3, 1)):
        np.testing.assert_array_equal(turned[i], np.rot90(grids[i], k))


def made(name="variational", **options):
    """Compiled, with numbers in all weights."""
    keras.utils.set_random_seed(1)
    conditional = name == "conditional"
    network = filled(tiny_vae(32 if conditional else None))
    for part in (network.encoder, network.decoder):  # as while training: the identity
        part.get_layer("standardization").mean.assign(np.zeros(32))
        part.get_layer("standardization").scale.assign(np.ones(32))
    objective = Variational(network, tiny_dual_encoder(8, blocks=0) if conditional else None, **options)
    objective.compile(optimizer=keras.optimizers.Adam(3e-3))
    return objective


@pytest.mark.parametrize("name", ["variational", "conditional"])
def test_the_loss_is_the_sum_of_its_parts(name):
    objective = made(name, beta=0.5, free_bits=0.15, pixel_deviation=0.7, equivariance=2.0)
    batch = tiny_pipeline(training=False).batch(0)
    network, true = objective.average, to_float(batch["images"])
    q = numpy(network.posterior(true))
    variance = np.exp(q["log_variance"])
    noise = numpy(keras.random.normal((8, 32), seed=0))
    latents = q["mean"] + np.sqrt(variance) * noise
    p_mean, p_variance = 0.0, 1.0
    if name == "conditional":
        prior = numpy(network.prior(objective.dual_encoder.encode_text(batch["token_ids"])))
        p_mean, p_variance = prior["mean"], np.exp(prior["log_variance"])
    spread = (variance + (q["mean"] - p_mean) ** 2) / p_variance
    kl = ((spread - 1 - np.log(variance / p_variance)) / 2).mean(axis=0)
    drawn = numpy(network.decoder(latents))
    likelihood = stats.norm(drawn, 0.7).logpdf(true)

    grids = latents.reshape(8, 4, 4, 2)
    pairs = []
    for factor in (2, 4):
        small, picture = (
            v.reshape(8, v.shape[1] // factor, factor, v.shape[1] // factor, factor, -1).mean(axis=(2, 4))
            for v in (grids, true)
        )
        pairs.append((picture, numpy(network.drawers[4 // factor](small))))
    turned = np.stack([np.rot90(grids[i], i + 1) for i in range(2)])
    picture = np.stack([np.rot90(true[i], i + 1) for i in range(2)])
    pairs.append((picture, numpy(network.decoder(turned.reshape(2, 32)))))
    changed = [-stats.norm(drawn, 0.7).logpdf(picture).mean() for picture, drawn in pairs]

    found = objective.evaluate(tiny_pipeline(training=False), verbose=0, return_dict=True)
    expected = -likelihood.mean() + 0.5 * np.maximum(kl, 0.15).sum() / NUMBERS + 2 * np.mean(changed)
    assert found["loss"] == pytest.approx(expected, rel=1e-4)
    assert found["reconstruction"] == pytest.approx(-likelihood.mean() * NUMBERS, rel=1e-4)
    assert found["kl"] == pytest.approx(kl.sum(), rel=1e-4)
    assert found["active"] == pytest.approx((kl > 0.01).mean())
    error = np.square(true - drawn.clip(-1, 1)).mean(axis=(1, 2, 3))
    assert found["psnr"] == pytest.approx((10 * np.log10(4 / error)).mean(), rel=1e-4)
    assert (kl < 0.15).any() and (kl > 0.15).any()


def test_beta_warms_up():
    objective = made(beta=3.0, warm_up=10)
    for step, expected in [(1, 0.3), (5, 1.5), (10, 3.0), (11, 3.0)]:
        objective.steps.assign(step)
        assert float(objective.beta_now(True)) == pytest.approx(expected)
        assert objective.beta_now(False) == 3.0
    assert made(beta=3.0).beta_now(True) == 3.0


def fit(steps, name="variational", **options):
    """The last validation of a training, and the objective."""
    objective = tiny_objective(name, optimizer=lambda: keras.optimizers.Adam(0.02), averages=None, **options)
    objective.fit(tiny_pipeline(steps_per_epoch=steps), verbose=0, shuffle=False)
    return objective.evaluate(tiny_pipeline(training=False), verbose=0, return_dict=True), objective


def test_a_posterior_collapses_unless_bits_are_free():
    collapsed, _ = fit(20, beta=100.0)
    kept, _ = fit(20, beta=100.0, free_bits=0.1)
    assert collapsed["active"] < 0.1 and kept["active"] > 0.5
    assert kept["kl"] > 5 * collapsed["kl"]


def test_latents_become_equivariant():
    plain, _ = fit(20, equivariance=1e-6)
    regular, _ = fit(20, equivariance=1.0)
    assert regular["equivariance"] > plain["equivariance"] + 1


def test_a_prior_learns_what_captions_say():
    _, objective = fit(30, "conditional")
    batch = tiny_pipeline(training=False).batch(0)
    concepts = numpy(objective.dual_encoder.encode_text(batch["token_ids"]))
    true = to_float(batch["images"])
    drawn = to_float(VAEStage(objective.network).sample_images(concepts, seed=0, temperature=0.0))
    other_shapes = np.square(drawn - np.roll(true, 1, axis=0)).mean()
    assert np.square(drawn - true).mean() < 0.5 * other_shapes
    assert len(objective.trainable_variables) == len(objective.network.trainable_variables)


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path):
    def new():
        keras.utils.clear_session()  # names as in a new process: TensorFlow's order of sums follows them
        return tiny_objective("conditional", warm_up=5, free_bits=0.1, equivariance=1.0)

    def run(epochs, folder, objective):
        train(objective, tiny_pipeline(steps_per_epoch=3), epochs, folder)
        return objective

    whole = run(3, tmp_path / "whole", new())
    expected, fresh = state(whole), new()
    begin_again(whole, fresh)
    run(1, tmp_path / "parts", whole)
    resumed = run(3, tmp_path / "parts", fresh)
    assert int(resumed.steps) == 9
    assert largest_difference(state(resumed), expected) == 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beta": -1.0}, "beta must be 0 or more"),
        ({"free_bits": float("nan")}, "free_bits must be 0 or more"),
        ({"equivariance": -0.1}, "equivariance must be 0 or more"),
        ({"pixel_deviation": 0.0}, "pixel_deviation must be above 0"),
        ({"dual_encoder": "yes"}, "takes concepts of None numbers, the dual encoder makes 32"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    if "dual_encoder" in options:
        options = {"dual_encoder": tiny_dual_encoder()}
    with pytest.raises(ValueError, match=message):
        Variational(tiny_vae(), **options)


def test_a_conditional_vae_needs_a_dual_encoder():
    with pytest.raises(ValueError, match="takes concepts of 32 numbers, the dual encoder makes None"):
        Variational(tiny_vae(32))
