import keras
import numpy as np
import pytest
from keras import ops
from tiny import tiny_dual_encoder

from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DualEncoder
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.models import ImageTower

TEXT = {"embedding_dim": 8, "filters": 8, "blocks": 1, "hidden_dim": 16, "code_dim": 32}
PICTURE = {"filters": (8, 16), "blocks": (1, 0), "code_dim": 32}


def tiny_autoencoder(**options):
    return ConvAutoencoder(ImageEncoder(8, **PICTURE, **options), ImageDecoder(8, **PICTURE, **options))


NETWORKS = {
    "autoencoder": tiny_autoencoder,
    "text_encoder": lambda: CNNTextEncoder(50, 8, **TEXT),
    "dual_encoder": lambda: tiny_dual_encoder(50),
    "concept_decoder": lambda: ConceptDecoder(16, filters=(8, 16), blocks=(1, 0), code_dim=32),
}
# The first three numbers of what each says to the second of `examples` when its weights are those of `fill`.
EXPECTED = {
    "autoencoder": [0.12322, -0.38117, -0.20948],
    "text_encoder": [0.40905, 0.13885, 1.36703],
    "dual_encoder": [0.10361, 0.08191, 0.26793, 0.02528, 0.05034, 0.20975],
    "concept_decoder": [0.07568, 0.00025, 0.26686],
}


@pytest.fixture(scope="module", params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network(name):
    network = NETWORKS[name]()
    fill(network)
    return network


@pytest.fixture(scope="module")
def said(network):
    return outputs(network)


def fill(network):
    """Give every weight numbers that are the same everywhere: waves that look like chance."""
    filled = []
    for i, weight in enumerate(network.get_weights()):
        wave = np.sin(np.arange(weight.size) ** 2 * (0.7 + 0.1 * i)).reshape(weight.shape)
        if weight.ndim == 1:
            filled.append(
                (weight + 0.2 * wave).astype("float32")
            )  # around the one or zero that it starts with
        else:
            filled.append((2 * wave / np.prod(weight.shape[:-1]) ** 0.5).astype("float32"))
    network.set_weights(filled)


def examples(network):
    """Two inputs: waves in [-1, 1], and captions of 3 and 8 word pieces."""

    def example(kind):
        shape = (2, *kind.shape[1:])
        if kind.dtype == "int32":
            return np.where(
                [np.arange(8) < 3, np.arange(8) < 8], np.arange(16).reshape(shape) % 7 + 1, 0
            ).astype("int32")
        return np.cos(np.arange(np.prod(shape)) ** 2 * 0.37).reshape(shape).astype("float32")

    return keras.tree.map_structure(example, network.input)


def outputs(network):
    return keras.tree.map_structure(ops.convert_to_numpy, network(examples(network)))


def test_shapes_and_types(name, network, said):
    shapes = {"autoencoder": (2, 8, 8, 3), "text_encoder": (2, 32), "concept_decoder": (2, 16, 16, 3)}
    if name == "dual_encoder":
        assert {key: codes.shape for key, codes in said.items()} == {
            "image_codes": (2, 32),
            "text_codes": (2, 32),
        }
    else:
        assert said.shape == shapes[name]
    assert all(value.dtype == "float32" for value in keras.tree.flatten(said))


def test_every_backend_says_the_same(name, said):
    found = [value.reshape(2, -1)[1, :3] for value in keras.tree.flatten(said)]
    np.testing.assert_allclose(np.concatenate(found), EXPECTED[name], atol=1e-4)


def test_preset_and_config_round_trip(network, said, tmp_path):
    network.save_to_preset(tmp_path / "preset")
    opened = type(network).from_preset(tmp_path / "preset")
    again = type(network).from_config(network.get_config())
    assert opened.get_config() == again.get_config() == network.get_config()
    again.set_weights(opened.get_weights())
    keras.tree.map_structure(np.testing.assert_array_equal, outputs(again), said)


def test_codes_have_length_one():
    network = tiny_dual_encoder(50)
    inputs = examples(network)
    codes = outputs(network)
    for values in codes.values():
        np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)
    for found, key in [
        (network.encode_image(inputs["images"]), "image_codes"),
        (network.encode_text(inputs["token_ids"]), "text_codes"),
    ]:
        np.testing.assert_allclose(ops.convert_to_numpy(found), codes[key], atol=1e-6)


def test_padding_has_no_effect():
    short, long = CNNTextEncoder(50, 4, **TEXT), CNNTextEncoder(50, 9, **TEXT)
    fill(short)
    weights = short.get_weights()
    token_ids = np.array([[3, 1, 4, 2], [7, 0, 0, 0], [0, 0, 0, 0]])
    codes = ops.convert_to_numpy(short(token_ids))
    weights[0][0] = 100.0  # the embedding of padding itself
    long.set_weights(weights)
    np.testing.assert_allclose(
        ops.convert_to_numpy(long(np.pad(token_ids, ((0, 0), (0, 5))))), codes, atol=1e-5
    )
    assert np.isfinite(codes).all() and np.abs(codes[0] - codes[1]).max() > 0.01


def test_an_embedding_moves_a_code_wherever_its_word_stands():
    encoder = CNNTextEncoder(50, 4, **TEXT)
    fill(encoder)
    codes = ops.convert_to_numpy(encoder(np.array([[3, 1, 4, 2], [1, 3, 4, 2], [3, 1, 4, 5]])))
    assert min(np.abs(codes[0] - codes[i]).max() for i in (1, 2)) > 1e-3


def test_a_text_encoder_goes_through_a_matrix():
    encoder, random = CNNTextEncoder(50, 4, **TEXT), np.random.default_rng(0)
    tokens = random.integers(1, 50, (5, 4))
    matrix, offset = random.standard_normal((encoder.code_dim, 7)), random.standard_normal(7)
    projected = encoder.projected(matrix, offset)
    assert projected.code_dim == 7
    expected = encoder.predict(tokens, verbose=0) @ matrix + offset
    np.testing.assert_allclose(projected.predict(tokens, verbose=0), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["autoencoder", "text_encoder"])
def test_bfloat16_is_close(kind):
    make = {
        "autoencoder": tiny_autoencoder,
        "text_encoder": lambda **options: CNNTextEncoder(50, 8, **TEXT, **options),
    }[kind]
    wide, narrow = make(dtype="float32"), make(dtype="mixed_bfloat16")
    fill(wide)
    narrow.set_weights(wide.get_weights())
    assert {w.dtype for w in narrow.weights} == {"float32"}
    exact, rounded = outputs(wide), outputs(narrow)
    assert rounded.dtype == "float32"
    error = np.linalg.norm(exact - rounded) / np.linalg.norm(exact)
    assert 0 < error < 0.03


def test_standardized_codes_draw_the_same_pictures():
    autoencoder = tiny_autoencoder()
    pictures = np.random.default_rng(0).uniform(-1, 1, (32, 8, 8, 3)).astype("float32")
    before = ops.convert_to_numpy(autoencoder(pictures))
    for _ in range(2):  # again is nothing new
        autoencoder.standardize(ops.convert_to_numpy(autoencoder.encoder(pictures)))
        codes = ops.convert_to_numpy(autoencoder.encoder(pictures))
        np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-5)
        assert codes.std() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(ops.convert_to_numpy(autoencoder(pictures)), before, atol=1e-4)


def test_sizes_must_fit():
    text, picture = {**TEXT, "code_dim": 16}, {"filters": (8,), "blocks": (0,)}
    with pytest.raises(ValueError, match="16 numbers, the image encoder in 32"):
        DualEncoder(CNNTextEncoder(50, 8, **text), ImageTower(8, **picture, poolings=1, code_dim=32))
    with pytest.raises(ValueError, match="code_dim differs: 32 in the encoder, 16 in the decoder"):
        ConvAutoencoder(ImageEncoder(8, **picture, code_dim=32), ImageDecoder(8, **picture, code_dim=16))
    with pytest.raises(ValueError, match="image_size differs: 8 in the encoder, 16 in the decoder"):
        ConvAutoencoder(ImageEncoder(8, **picture, code_dim=64), ImageDecoder(16, **picture, code_dim=64))
    for network in (ImageEncoder, ImageDecoder, ImageTower, ConceptDecoder):
        with pytest.raises(ValueError, match="image_size 9 cannot be halved 1 times"):
            network(9, **picture, code_dim=32)
    with pytest.raises(ValueError, match="code_dim 30 does not fill a 4x4 grid"):
        ImageEncoder(8, **picture, code_dim=30)
