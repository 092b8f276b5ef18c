import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.models import Discriminator

TINY = {"image_size": 8, "filters": (8, 16), "blocks": (1, 1), "code_dim": 32, "whitened_dim": 12}
# What it says to the first two of `examples` when its weights are those of `fill`.
EXPECTED = [0.16973, 0.30683]


def fill(network, seed=1):
    """Give every weight numbers that are the same everywhere: normal, of a size that keeps signals alike."""
    random = np.random.Generator(np.random.Philox(seed))
    weights = []
    for weight in network.get_weights():
        normal = random.standard_normal(weight.shape) / max(1, np.prod(weight.shape[:-1])) ** 0.5
        weights.append((normal if weight.ndim > 1 else weight + 0.2 * normal).astype("float32"))
    network.set_weights(weights)
    return network


def examples(n=3):
    random = np.random.Generator(np.random.Philox(2))
    concepts = random.standard_normal((n, 32)).astype("float32")
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    return {"images": random.uniform(-1, 1, (n, 8, 8, 3)).astype("float32"), "concepts": concepts}


def say(network, images, concepts):
    return ops.convert_to_numpy(network({"images": images, "concepts": concepts}))


@pytest.fixture(scope="module")
def network():
    return fill(Discriminator(**TINY))


@pytest.fixture(scope="module")
def said(network):
    return say(network, **examples())


def test_every_backend_says_the_same(said):
    assert said.shape == (3, 1) and said.dtype == "float32"
    np.testing.assert_allclose(said[:2, 0], EXPECTED, atol=1e-4)


def test_preset_and_config_round_trip(network, said, tmp_path):
    network.save_to_preset(tmp_path / "preset")
    opened = Discriminator.from_preset(tmp_path / "preset")
    assert opened.get_config() == network.get_config()
    np.testing.assert_array_equal(say(opened, **examples()), said)


def test_pictures_are_judged_one_by_one(network, said):
    inputs = examples()
    for i in range(3):
        alone = say(network, **{name: value[i : i + 1] for name, value in inputs.items()})
        np.testing.assert_allclose(alone[0], said[i], atol=1e-5)


def test_words_count_by_projection(network, said):
    """(V concept) . phi + w . phi is affine in the concept, with a slope of its own for each picture."""
    images, concepts = examples().values()
    step = np.random.default_rng(0).standard_normal((1, 32)).astype("float32") / 4
    once, twice = (say(network, images, concepts + k * step) for k in (1, 2))
    assert np.abs(once - said).min() > 1e-3
    np.testing.assert_allclose(twice - said, 2 * (once - said), atol=1e-4)
    assert np.ptp(once - said) > 1e-3


def test_at_first_both_judgements_are_of_one_size():
    keras.utils.set_random_seed(0)
    network = Discriminator(**{**TINY, "code_dim": 64, "whitened_dim": 64})
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (64, 8, 8, 3)).astype("float32")
    concepts = random.standard_normal((64, 64)).astype("float32")
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    none = say(network, images, 0 * concepts)
    words = say(network, images, concepts) - none
    assert 0.1 < words.std() / none.std() < 10


def test_whitened_concepts_have_unit_variance(tmp_path):
    network = Discriminator(**TINY)
    random = np.random.default_rng(0)
    concepts = random.standard_normal((500, 32)) * np.geomspace(1, 0.2, 32)
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    network.adapt(concepts)
    white = ops.convert_to_numpy(network.get_layer("whitening")(concepts.astype("float32")))
    assert white.shape == (500, 12)
    np.testing.assert_allclose(np.cov(white.T), np.eye(12), atol=0.1)


def test_bfloat16_is_close(network, said):
    narrow = Discriminator(**TINY, dtype="mixed_bfloat16")
    narrow.set_weights(network.get_weights())
    rounded = say(narrow, **examples())
    assert {w.dtype for w in narrow.weights} == {"float32"} and rounded.dtype == "float32"
    assert 0 < np.linalg.norm(rounded - said) / np.linalg.norm(said) < 0.05


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="image_size 10 cannot be halved 2 times"):
        Discriminator(**{**TINY, "image_size": 10})
