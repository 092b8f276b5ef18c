import keras
import numpy as np
import pytest
from keras import ops
from tiny_diffusion import filled

from keras_t2i.diffusion import GaussianMixture
from keras_t2i.diffusion import from_config
from keras_t2i.models import Prior
from keras_t2i.models import PriorStage
from keras_t2i.models.stages.prior import prior_noise
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.utils.embeddings import l2_normalize

SIZES = {"code_dim": 6, "width": 8, "blocks": 2, "condition_dim": 8, "whitened_dim": 4, "num_steps": 4}


def codes(n, seed=0, dim=6):
    return l2_normalize(np.random.default_rng(seed).standard_normal((n, dim))).astype("float32")


@pytest.fixture(scope="module")
def stage():
    keras.utils.set_random_seed(0)
    prior = filled(Prior(**SIZES))
    prior.adapt(codes(200), codes(300, 1) + np.array([2, 0, 0, 0, 0, 1]))
    return PriorStage(prior)


def says(stage, monkeypatch, denoise):
    """The prior with `denoise(x, t, text_code, conditioned)` in place of its network."""
    process, calls = from_config(stage.prior.process), []

    def predict(inputs):
        t = float(process.time_of_log_snr(np.float64(inputs["log_snr"][0])))
        calls.append(inputs["condition_mask"].tolist())
        x = inputs["codes"] / np.float32(process.c_in(t, 1.0))
        return denoise(x, t, inputs["text_code"], inputs["condition_mask"]).astype("float32")

    monkeypatch.setattr(stage.prior, "predict_on_batch", predict)
    return calls


def test_a_linear_map_is_recovered(stage, monkeypatch):
    """Where each text has one image concept, that is drawn, whatever the noise."""
    matrix = np.random.default_rng(0).standard_normal((6, 6)).astype("float32")
    mean, spread = map(ops.convert_to_numpy, stage.prior.standardization.weights)
    texts = codes(5, 7)
    images = l2_normalize(texts @ matrix)
    calls = says(stage, monkeypatch, lambda x, t, text, given: (l2_normalize(text @ matrix) - mean) / spread)
    np.testing.assert_allclose(stage.sample_codes(texts, seed=3), images, atol=1e-5)
    assert calls == [[1.0] * 10 + [1.0] * 6] * 4  # two draws of five, filled up to a power of two


def test_draws_have_the_distribution_of_the_codes(stage, monkeypatch):
    """An exact denoiser of a normal distribution: the draws have its mean and covariance."""
    variances = np.array([2.0, 1.0, 0.5, 0.2, 0.1, 0.05])
    mixture = GaussianMixture([1.0], [[1.0, 0, 0, 0, -1, 0]], covariances=[np.diag(variances)])
    denoise = mixture.denoiser(from_config(stage.prior.process))
    seen = []
    monkeypatch.setattr("keras_t2i.models.stages.prior.l2_normalize", lambda x: seen.append(x) or x)
    says(stage, monkeypatch, lambda x, t, text, given: denoise(x, t))
    stage.sample_codes(codes(1).repeat(4000, 0), seed=0, num_steps=30, best_of=1, batch_size=4000)
    mean, spread = map(ops.convert_to_numpy, stage.prior.standardization.weights)
    drawn = (seen[1].astype("float64") - mean) / spread
    np.testing.assert_allclose(drawn.mean(0), mixture.mean(), atol=0.07)
    np.testing.assert_allclose(np.cov(drawn.T), mixture.covariance(), atol=0.12)


def test_guidance_is_the_formula(stage, monkeypatch):
    told, nothing = np.array([1, 2, 0, 0, 0, 0]), np.array([0, 1, 1, 0, 0, 0])
    calls = says(stage, monkeypatch, lambda x, t, text, g: np.where(g[:, None] > 0.5, told, nothing))
    mean, spread = map(ops.convert_to_numpy, stage.prior.standardization.weights)
    for scale in (0.0, 1.0, 2.5):
        expected = l2_normalize((scale * told + (1 - scale) * nothing) * spread + mean)
        found = stage.sample_codes(codes(1), seed=0, guidance_scale=scale, best_of=1)
        np.testing.assert_allclose(found[0], expected, atol=1e-5)
    assert calls == [[0]] * 4 + [[1]] * 4 + [[1, 0]] * 4


def test_a_code_depends_on_its_text_and_seed_alone(stage):
    texts = codes(5, 7)
    together = stage.sample_codes(texts, seed=11, batch_size=4)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    for i in range(5):
        np.testing.assert_allclose(
            stage.sample_codes(texts[i : i + 1], seed=11 + i)[0], together[i], atol=1e-5
        )
    longer = stage.sample_codes(3 * texts, seed=11, batch_size=4)
    np.testing.assert_allclose(longer, together, atol=1e-5)  # a concept is a direction
    assert np.abs(stage.sample_codes(texts, seed=12) - together).max() > 0.01
    assert np.abs(stage.sample_codes(texts) - stage.sample_codes(texts)).max() > 0.01
    # The same numbers on every backend and machine.
    expected = [1.4773321, -0.33140978, 1.3435072]
    np.testing.assert_allclose(prior_noise(Draw(3), 0, 6)[:3], expected, atol=1e-5)


def test_the_nearest_of_several_is_kept(stage):
    texts, seeds = codes(4, 7), [3, 4, 5, 6]
    one, two, four = (stage.sample_codes(texts, seed=seeds, best_of=k) for k in (1, 2, 4))
    cosines = [np.sum(texts * found, axis=1) for found in (one, two, four)]
    assert (cosines[1] >= cosines[0] - 1e-6).all() and (cosines[2] >= cosines[1] - 1e-6).all()
    assert cosines[2].mean() > cosines[0].mean() + 1e-3
    np.testing.assert_allclose(stage.sample_codes(texts, seed=seeds), two, atol=1e-6)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"seed": [1, 2]}, ValueError, "2 seeds for 3 pictures"),
        ({"seed": 1.5}, TypeError, "seed must be an int"),
        ({"num_steps": 0}, ValueError, "num_steps must be at least 1"),
        ({"best_of": 0}, ValueError, "best_of must be at least 1"),
        ({"guidance_scale": -1.0}, ValueError, "guidance_scale must be 0 or more"),
    ],
)
def test_wrong_options(stage, options, error, message):
    with pytest.raises(error, match=message):
        stage.sample_codes(codes(3), **options)


def test_wrong_codes(stage):
    for wrong in (codes(3, dim=5), codes(3)[0], np.full((2, 6), np.nan), codes(3)[:0]):
        with pytest.raises(ValueError, match=r"text_codes must be finite \(n, 6\)"):
            stage.sample_codes(wrong)
