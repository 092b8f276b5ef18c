import keras
import numpy as np
import pytest
from keras import ops
from tiny_diffusion import filled

from keras_t2i.models import Prior
from keras_t2i.utils.embeddings import l2_normalize

SIZES = {"code_dim": 6, "width": 8, "blocks": 2, "condition_dim": 8, "whitened_dim": 4, "num_steps": 4}


def codes(n, seed=0, dim=6):
    return l2_normalize(np.random.default_rng(seed).standard_normal((n, dim))).astype("float32")


@pytest.fixture(scope="module")
def prior():
    keras.utils.set_random_seed(0)
    prior = filled(Prior(**SIZES))
    prior.adapt(codes(200), codes(300, 1) + np.array([2, 0, 0, 0, 0, 1]))
    return prior


def test_the_network_starts_as_zero_and_is_steered(prior):
    inputs = {
        "codes": codes(3),
        "log_snr": np.array([-3, 0, 3], "float32"),
        "text_code": codes(3, 2),
        "condition_mask": np.ones(3, "float32"),
    }
    look = lambda network, **changed: ops.convert_to_numpy(network({**inputs, **changed}))  # noqa: E731
    assert not look(Prior(**SIZES)).any()
    told = look(prior)
    assert told.shape == (3, 6) and told.dtype == "float32"
    for changed in ("codes", "log_snr", "text_code"):
        assert np.abs(look(prior, **{changed: inputs[changed][::-1].copy()}) - told)[0].max() > 1e-3
    # Where the text is withheld it counts for nothing.
    withheld = {"condition_mask": np.array([1, 0, 0], "float32")}
    nothing = look(prior, **withheld)
    np.testing.assert_allclose(nothing[0], told[0], atol=1e-6)
    assert np.abs(nothing[1:] - told[1:]).max() > 1e-3
    np.testing.assert_allclose(look(prior, text_code=codes(3, 3), **withheld)[1:], nothing[1:], atol=1e-6)


def test_measured_codes_have_unit_variance(prior):
    images = codes(500, 5) * np.array([1, 2, 3, 0.1, 1, 0], "float32") + 4
    own = Prior(**SIZES)
    own.adapt(codes(50), images)
    scaled = ops.convert_to_numpy(own.standardization(images))
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(0), [1, 1, 1, 1, 1, 0], atol=1e-2)


def test_presets(prior, tmp_path):
    prior.save_to_preset(tmp_path / "preset")
    opened = Prior.from_preset(tmp_path / "preset")
    assert opened.get_config() == prior.get_config() and opened.num_steps == 4
    assert len(opened.weights) == len(prior.weights)
    for mine, its in zip(prior.get_weights(), opened.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)
    other = Prior.from_preset(tmp_path / "preset", num_steps=2, guidance_scale=3.0)
    assert (other.num_steps, other.guidance_scale) == (2, 3.0)


def test_wrong_processes_are_named():
    with pytest.raises(ValueError, match="'indi' does not end"):
        Prior(process="indi")
