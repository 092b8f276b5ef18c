import keras
import numpy as np
import pytest
from keras import ops

from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import DiffusionUNet
from keras_t2i.models import token_features
from keras_t2i.models.networks.unet import SIZES
from keras_t2i.models.networks.unet import draft_size

TINY = {
    "image_size": 16,
    "filters": (16, 24),
    "blocks": (1, 1),
    "attention_size": 4,
    "head_dim": 8,
    "condition_dim": 16,
    "code_dim": 16,
    "token_dim": 12,
    "whitened_dim": 10,
}
NETWORKS = {
    "pixels": {},
    "latents, image code, low resolution": {
        "image_size": 8,
        "channels": 8,
        "patch_size": 1,
        "blocks": (1, 2),
        "image_code": True,
        "concat_channels": 3,
        "dropout": 0.1,
    },
    "a map of the concept": {"concept_dim": 20},
    "a draft": {"draft_features": 30, "draft_components": 8},
    "a draft, and detail": {"draft_features": 30, "draft_components": 8, "detail_filters": 6},
    "detail": {"detail_filters": 6},
}
EVERYTHING = "latents, image code, low resolution"
# The first six numbers for the second of `examples` when the weights are those of `fill`.
EXPECTED = {
    "pixels": [-0.672485, -0.045824, -0.805408, -0.022405, 0.333132, -0.176783],
    EVERYTHING: [-0.210063, 0.56251, -0.352141, -0.625763, 0.415445, -0.553209],
    "a map of the concept": [0.14895, 0.535808, -0.260668, 0.773494, -0.814342, -0.244674],
    "a draft": [0.001541, -1.002449, -0.012203, -0.857241, -0.370059, 0.450845],
    "a draft, and detail": [0.01393, -1.011263, 0.18547, -0.739893, -0.47013, 0.712928],
    "detail": [-0.848858, -0.582628, -0.874929, -0.407126, -0.257363, -0.169039],
}


def make(name="pixels", **options):
    return DiffusionUNet(**{**TINY, **NETWORKS[name], **options})


def fill(network):
    """Give every weight numbers that are the same everywhere: normal, of a size that keeps signals alike."""
    random = np.random.Generator(np.random.Philox(1))
    weights = []
    for weight in network.get_weights():
        fan_in = np.prod(weight.shape[:-1]) if weight.ndim > 1 else 25
        normal = random.standard_normal(weight.shape) / fan_in**0.5
        weights.append((normal if weight.ndim > 1 else weight + normal).astype("float32"))
    network.set_weights(weights)
    if network.draft_features:
        network.get_layer("draft_variance").curve.assign([0.05, 0.2, 0.7, 0.1])
    return network


def examples(network, n=3):
    """Inputs: the first has a caption of two tokens, the second of four, the third none that counts."""
    random = np.random.Generator(np.random.Philox(2))
    inputs = {}
    for name, spec in network.input.items():
        shape = (n, *(5 if size is None else size for size in spec.shape[1:]))
        inputs[name] = random.standard_normal(shape).astype("float32")
    for name in ("text_code", "image_code"):
        if name in inputs:
            inputs[name] /= np.linalg.norm(inputs[name], axis=1, keepdims=True)
    inputs["log_snr"] = np.array([-3, 0.5, 4], dtype="float32")[:n]
    inputs["text_mask"] = (np.arange(5) < np.array([[2], [4], [5]])[:n]).astype("float32")
    inputs["condition_mask"] = np.array([1, 1, 0], dtype="float32")[:n]
    if network.image_code:
        inputs["image_condition_mask"] = np.array([0, 1, 1], dtype="float32")[:n]
    return inputs


def predict(network, inputs):
    return np.asarray(network.predict_on_batch(inputs))


@pytest.fixture(scope="module", params=NETWORKS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def network(name):
    return fill(make(name))


@pytest.fixture(scope="module")
def said(network):
    return predict(network, examples(network))


def test_every_backend_says_the_same(name, network, said):
    assert said.shape == (3, *network.output_shape[1:]) and said.dtype == "float32"
    assert said.shape[1:] == network.input["images"].shape[1:]
    np.testing.assert_allclose(said[1].ravel()[:6], EXPECTED[name], atol=1e-4)


def test_preset_and_config_round_trip(network, said, tmp_path):
    network.save_to_preset(tmp_path / "preset")
    opened = DiffusionUNet.from_preset(tmp_path / "preset")
    assert opened.get_config() == network.get_config()
    np.testing.assert_array_equal(predict(opened, examples(opened)), said)


def test_a_new_network_says_zero():
    network = make(EVERYTHING)
    assert np.abs(predict(network, examples(network))).max() == 0


def test_every_input_counts_and_pictures_do_not_mix(network, said):
    inputs = examples(network)
    for name, value in inputs.items():
        if name in ("text_mask", "condition_mask", "image_condition_mask"):
            other = value[[1]] if name == "text_mask" else 1 - value[[0]]
        else:
            other = value[[0]] + 0.5
        changed = {**inputs, name: np.concatenate([other, value[1:]])}
        found = predict(network, changed)
        if name != "image_code":  # of the first picture not given
            assert np.abs(found[0] - said[0]).max() > 1e-3, name
        np.testing.assert_allclose(found[1:], said[1:], atol=1e-5)


def test_padding_has_no_effect(network, said):
    inputs = examples(network)
    more = np.full((3, 4, 12), np.nan, dtype="float32")
    tokens = np.where(inputs["text_mask"][..., None] > 0, inputs["text_tokens"], np.nan)
    inputs["text_tokens"] = np.concatenate([tokens, more], axis=1)
    inputs["text_mask"] = np.pad(inputs["text_mask"], ((0, 0), (0, 4))).astype("bool")
    np.testing.assert_allclose(predict(network, inputs), said, atol=1e-5)


def test_null_ignores_the_text(network, said):
    inputs = examples(network)
    for kind in ("text", "image"):
        flag = "condition_mask" if kind == "text" else "image_condition_mask"
        if flag not in inputs:
            continue
        for name in (n for n in inputs if n in (f"{kind}_code", "text_tokens") and kind in n):
            ignored = inputs[flag] == 0
            inputs[name] = np.where(ignored.reshape(-1, *[1] * (inputs[name].ndim - 1)), np.nan, inputs[name])
    np.testing.assert_allclose(predict(network, inputs), said, atol=1e-6)
    inputs["condition_mask"] = np.zeros(3, dtype="bool")
    inputs["text_tokens"] = np.full((3, 1, 12), np.nan, dtype="float32")
    inputs["text_mask"] = np.zeros((3, 1), dtype="float32")
    found = predict(network, inputs)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[2], said[2], atol=1e-5)


def test_gradient_reaches_every_weight():
    network = fill(make(EVERYTHING))
    inputs, before = examples(network), [ops.convert_to_numpy(v) for v in network.trainable_variables]
    network.compile(keras.optimizers.SGD(1.0), loss="mse")
    network.train_on_batch(inputs, np.zeros((3, 8, 8, 8), dtype="float32"))
    for variable, old in zip(network.trainable_variables, before, strict=True):
        moved = np.abs(ops.convert_to_numpy(variable) - old)
        assert np.isfinite(moved).all() and moved.max() > 1e-6, variable.path


def test_bfloat16_is_close(network, said):
    narrow = DiffusionUNet.from_config({**network.get_config(), "dtype": "mixed_bfloat16"})
    narrow.set_weights(network.get_weights())
    assert {w.dtype for w in narrow.weights} == {"float32"}
    rounded = predict(narrow, examples(narrow))
    assert rounded.dtype == "float32"
    assert 0 < np.linalg.norm(rounded - said) / np.linalg.norm(said) < 0.05


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_it_learns(dtype):
    network = make(dtype=dtype)
    inputs = examples(network)
    network.compile(keras.optimizers.Adam(1e-2), loss="mse")
    losses = [float(network.train_on_batch(inputs, inputs["images"])) for _ in range(8)]
    assert losses[-1] < 0.9 * losses[0]


def test_whitening_makes_captions_equally_different():
    network, random = make(EVERYTHING), np.random.default_rng(0)
    scales = np.geomspace(1, 1e-3, 16)
    codes = random.standard_normal((500, 16)) * scales + 1
    tokens = random.standard_normal((900, 12)) * scales[:12]
    network.adapt(codes, tokens, codes, noise_scale=1e-6)
    for name, vectors in (("text_code", codes), ("text_tokens", tokens), ("image_code", codes)):
        white = ops.convert_to_numpy(network.get_layer(f"{name}_whitening")(vectors.astype("float32")))
        np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(10), atol=0.02)
    assert not any("whitening" in v.path for v in network.trainable_variables)
    with pytest.raises(ValueError, match="image_codes must be given"):
        network.adapt(codes, tokens)


@pytest.mark.parametrize("image_code", [False, True])
@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_a_draft_shows_what_a_code_stands_for(image_code, patch_size):
    options = {"patch_size": patch_size, "image_code": image_code, "draft_features": 200}
    network, random = make(image_size=8 * patch_size, **options), np.random.default_rng(0)
    codes, tokens = random.standard_normal((20, 16)), random.standard_normal((50, 12))
    network.adapt(codes, tokens, codes if image_code else None)
    side = draft_size(network.image_size, patch_size)
    assert side == {1: 8, 2: 16, 4: 16}[patch_size]
    pictures = random.uniform(-1, 1, (20, side, side, 3))
    assert network.adapt_draft(codes, pictures, ridge=1e-6) == []
    drafts = keras.Model(network.input, network.get_layer("draft").output[0])
    inputs = examples(network)
    inputs["image_code" if image_code else "text_code"] = codes[:3].astype("float32")
    found = predict(drafts, inputs)
    absent = 0 if image_code else 2
    assert not found[absent].any()
    shown = [i for i in range(3) if i != absent]
    np.testing.assert_allclose(found[shown], pictures[shown], atol=0.1)
    said, doubts = network.drafts(codes)
    np.testing.assert_allclose(said[shown], found[shown], atol=1e-5)
    truths = random.uniform(-1, 1, (20, network.image_size, network.image_size, 3))
    resized = keras.Model(network.input, network.get_layer("resized_draft").output)
    many = {name: np.resize(value, (20, *value.shape[1:])) for name, value in inputs.items()}
    many |= {"condition_mask": np.ones(20, "float32"), "text_code": codes.astype("float32")}
    many |= {"image_code": many["text_code"], "image_condition_mask": np.ones(20)} if image_code else {}
    errors = network.measure_drafts(said, doubts, truths)
    squares = np.square(predict(resized, many) - truths).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(errors, squares, rtol=1e-4)
    assert network.draft_error == pytest.approx(squares.mean(), rel=1e-4)
    inputs["log_snr"][:] = -np.inf
    started = predict(network, inputs)  # as the draft, resized
    assert started.shape == (3, network.image_size, network.image_size, 3) and not started[absent].any()
    detailed = make(image_size=8 * patch_size, detail_filters=5, **options)
    assert "detail" in detailed.load_matching_weights(network)
    np.testing.assert_allclose(predict(detailed, inputs), started, atol=1e-6)  # it goes on from there
    factor = network.image_size // side
    means = started.reshape(3, side, factor, side, factor, 3).mean(axis=(2, 4))
    # Doubled by bilinear interpolation, a place's mean is 6/8 of itself and 1/8 of each neighbor, by row and
    # by column.
    near = np.pad(found, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
    taps = [1] if factor == 1 else [1 / 8, 6 / 8, 1 / 8]
    around = (1,) if factor == 1 else (0, 1, 2)
    expected = sum(
        a * b * near[:, i : i + side, j : j + side]
        for a, i in zip(taps, around, strict=True)
        for b, j in zip(taps, around, strict=True)
    )
    np.testing.assert_allclose(means, expected, atol=1e-5)


@pytest.mark.parametrize("image_code", [False, True])
def test_with_its_own_drafts_given_it_says_the_same(image_code):
    network, random = make("a draft, and detail", image_code=image_code), np.random.default_rng(0)
    codes, tokens = random.standard_normal((20, 16)), random.standard_normal((50, 12))
    network.adapt(codes, tokens, codes if image_code else None)
    side = draft_size(network.image_size, network.patch_size)
    pictures = random.uniform(-1, 1, (20, side, side, 3))
    ((components, doubts),) = network.adapt_draft(codes, pictures, groupings=[np.arange(20)])
    network.measure_drafts(network.drafts_of(components), doubts, resized_like(network, pictures))
    network.get_layer("draft_variance").curve.assign([0.05, 0.2, 0.7, 0.1])  # pictures of noise teach none
    for weight in network.trainable_variables:
        weight.assign(0.1 * random.standard_normal(weight.shape))
    inputs, given = examples(network), network.with_drafts()
    tensors = {name: ops.convert_to_tensor(value) for name, value in inputs.items()}
    draft, doubt = network.draft_of(tensors)
    same = predict(given, {**inputs, **{"draft": numpy(draft), "draft_doubt": numpy(doubt)}})
    np.testing.assert_allclose(same, predict(network, inputs), atol=1e-5)
    other = predict(given, {**inputs, "draft": numpy(draft) + 1, "draft_doubt": numpy(doubt)})
    assert np.abs(other - same).max() > 0.01
    less = predict(given, {**inputs, "draft": numpy(draft), "draft_doubt": 0 * numpy(doubt)})
    assert np.abs(less - same).max() > 1e-4


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def resized_like(network, pictures):
    factor = network.image_size // pictures.shape[1]
    return pictures.repeat(factor, axis=1).repeat(factor, axis=2)


def test_detail_sees_three_pixels_around_whatever_the_blocks():
    network, random = make("detail", patch_size=4, image_size=16), np.random.default_rng(0)
    for layer in network.layers:
        if layer.name.startswith("detail"):
            shapes = [weight.shape for weight in layer.get_weights()]
            layer.set_weights([random.standard_normal(shape).astype("float32") for shape in shapes])
    inputs = examples(network, 1)
    before = predict(network, inputs)
    inputs["images"][0, 8, 8] += 1.0  # the first pixel of a block
    changed = np.abs(predict(network, inputs) - before).max(axis=-1)[0] > 1e-6
    reached = np.zeros((16, 16), bool)
    reached[5:12, 5:12] = True
    np.testing.assert_array_equal(changed, reached)


def test_noise_levels_beyond_the_limit_are_one():
    network, random = make(log_snr_limit=3.0), np.random.default_rng(0)
    for weight in network.trainable_variables:
        weight.assign(0.1 * random.standard_normal(weight.shape))
    inputs = {name: np.repeat(value[:1], 5, axis=0) for name, value in examples(network).items()}
    said = predict(network, inputs | {"log_snr": np.array([-np.inf, -50, -3, -2.9, np.inf], "float32")})
    np.testing.assert_array_equal(said[0], said[1])
    np.testing.assert_array_equal(said[0], said[2])
    assert np.abs(said[3] - said[2]).max() > 1e-6 < np.abs(said[4] - said[3]).max()


def test_only_a_network_with_a_draft_has_one():
    with pytest.raises(ValueError, match="draft_features"):
        make().adapt_draft(np.ones((2, 16)), np.ones((2, 16, 16, 3)))
    with pytest.raises(ValueError, match="draft_features"):
        make().drafts(np.ones((2, 16)))
    with pytest.raises(ValueError, match="draft_features"):
        make().measure_drafts(np.ones((2, 16, 16, 3)), np.ones(2), np.ones((2, 16, 16, 3)))
    with pytest.raises(ValueError, match="draft_features"):
        make().with_drafts()


@pytest.mark.parametrize("size", SIZES)
def test_sizes(size):
    least, most = {
        "tiny": (1.5e6, 2.5e6),
        "small": (4e6, 5e6),
        "base": (12e6, 15e6),
        "wide": (12e6, 15e6),
        "draft": (15e6, 17e6),
    }[size]
    assert least < DiffusionUNet.from_size(size).count_params() < most


@pytest.mark.parametrize(("image_size", "channels", "patch_size"), [(64, 3, 4), (16, 4, 1), (8, 8, 1)])
def test_a_size_for_any_picture(image_size, channels, patch_size):
    network = DiffusionUNet.from_size("tiny", image_size, channels=channels, filters=(32, 32, 32))
    assert (network.patch_size, network.blocks) == (patch_size, SIZES["tiny"]["blocks"])
    assert network.output_shape == (None, image_size, image_size, channels)


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="no size 'huge'; choose one of tiny, small, base"):
        DiffusionUNet.from_size("huge")
    levels = {"filters": (16, 16, 24), "blocks": (1, 1, 2)}
    with pytest.raises(ValueError, match=r"image_size 20 cannot be cut .* make it a multiple of 8"):
        make(image_size=20, **levels)
    with pytest.raises(ValueError, match="image_size 4 cannot be cut"):
        make(image_size=4, **levels)
    with pytest.raises(ValueError, match="must name a number, 1 or more, for each level"):
        make(blocks=(1, 1, 1))
    with pytest.raises(ValueError, match="level 0 has 12 channels: make them a multiple of 8"):
        make(filters=(12, 16))
    with pytest.raises(ValueError, match=r"level 1 has 24 channels and attention: .* of head_dim, 16"):
        make(filters=(8, 24), head_dim=16)


def test_token_features_are_what_the_encoder_pools():
    encoder = CNNTextEncoder(50, 6, embedding_dim=8, filters=12, blocks=1, hidden_dim=16, code_dim=16)
    features = token_features(encoder)
    token_ids = np.array([[3, 1, 4, 0, 0, 0], [2, 7, 1, 8, 2, 8]], dtype="int32")
    found = {key: ops.convert_to_numpy(value) for key, value in features(token_ids).items()}
    np.testing.assert_array_equal(found["text_mask"], token_ids != 0)
    codes = ops.convert_to_numpy(encoder(token_ids))
    np.testing.assert_allclose(
        found["text_code"], codes / np.linalg.norm(codes, axis=1, keepdims=True), atol=1e-5
    )
    real = found["text_mask"][..., None]
    tokens = np.where(real, found["text_tokens"], 0)
    pooled = np.hstack([tokens.sum(1) / real.sum(1), np.where(real, found["text_tokens"], -9).max(1)])
    head = ops.convert_to_numpy(encoder.get_layer("head2")(encoder.get_layer("head1")(pooled)))
    np.testing.assert_allclose(head, codes, atol=1e-5)
    network = make(code_dim=16, token_dim=12)
    inputs = {**examples(network, 2), **found}
    assert predict(network, inputs).shape == (2, 16, 16, 3)
    assert [id(w) for w in features.weights] == [id(w) for w in encoder.weights]


def test_start_from_a_network_that_drew_from_words():
    trained, network = fill(make()), make(image_code=True)
    anew = network.load_matching_weights(trained)
    beside = {"image_code_whitening", "image_code_null", "image_code_dense", "image_tokens"}
    assert set(anew) == beside
    for layer in trained.layers:
        for theirs, ours in zip(
            layer.get_weights(), network.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match=r"\(16, 3, 2, 16\), those to start from \(8, 8, 1, 16\)"):
        network.load_matching_weights(make(EVERYTHING))
