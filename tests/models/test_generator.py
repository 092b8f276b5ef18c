import json

import keras
import numpy as np
import pytest
from tiny import tiny_dual_encoder
from tiny import tiny_generator
from tiny import tiny_preprocessor

from keras_t2i.models.generator import Generator
from keras_t2i.models.networks.decoder import ConceptDecoder
from keras_t2i.models.stages import OnePassStage
from keras_t2i.models.stages import TextStage
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

PROMPTS = ["a red apple", "a green apple", "clock face: five-thirty"]


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


def test_shapes(generator):
    one = generator.generate("a red apple", seed=0)
    assert one.shape == (8, 8, 3) and one.dtype == np.uint8
    assert generator.generate(["a red apple"], seed=0).shape == (1, 8, 8, 3)
    assert generator.generate("a red apple", seed=0, num_images=3).shape == (3, 8, 8, 3)
    assert generator.generate(PROMPTS, seed=0, num_images=2).shape == (6, 8, 8, 3)


def test_a_picture_does_not_depend_on_its_batch(generator):
    together = generator.generate(PROMPTS, seed=5, batch_size=2)
    for i, prompt in enumerate(PROMPTS):
        np.testing.assert_array_equal(generator.generate(prompt, seed=5 + i, batch_size=2), together[i])
    several = generator.generate(PROMPTS[0], seed=5, num_images=3)
    np.testing.assert_array_equal(several, generator.generate([PROMPTS[0]] * 3, seed=[5, 6, 7]))
    assert np.abs(several[0].astype(int) - together[0]).max() <= 1  # another batch size: rounding


def test_seeds(generator):
    first, second = generator.generate(["a red apple"] * 2, seed=3)
    assert (first != second).any()
    reverse = generator.generate(["a red apple"] * 2, seed=np.array([4, 3]))
    np.testing.assert_array_equal(reverse, [second, first])
    assert (generator.generate("a red apple") != generator.generate("a red apple")).any()
    with pytest.raises(ValueError, match="2 seeds for 3 pictures"):
        generator.generate(PROMPTS, seed=[1, 2])
    with pytest.raises(ValueError, match="2\\*\\*64"):
        generator.generate("a", seed=-1)
    for wrong in ("1", 1.5, [1.5]):
        with pytest.raises(TypeError, match="seed"):
            generator.generate("a", seed=wrong)


def test_noise_is_the_one_that_is_documented(generator):
    noise = noise_of([Draw(3)], generator.latent_shape[1:])[0]
    inputs = {"text_code": generator.encode_text("a red apple"), "noise": noise[None]}
    picture = np.asarray(generator.base.predict_on_batch(inputs))
    difference = to_uint8(picture)[0].astype(int) - generator.generate("a red apple", seed=3)
    assert np.abs(difference).max() <= 1
    # The same numbers on every backend and machine.
    np.testing.assert_allclose(noise[:3], [0.37355906, -0.12038659, 1.1408931], rtol=1e-6)


def test_temperature(generator):
    cold = generator.generate("a red apple", seed=[1, 2], num_images=2, temperature=0)
    np.testing.assert_array_equal(cold[0], cold[1])
    decoded = generator.decode(generator.encode_text("a red apple"))
    assert np.abs(decoded[0].astype(int) - cold[0]).max() <= 1
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="temperature"):
            generator.generate("a", temperature=wrong)


def test_best_of_keeps_what_rank_puts_first(generator):
    best = generator.generate(PROMPTS, seed=7, best_of=4)
    for i, prompt in enumerate(PROMPTS):
        noise = noise_of([Draw(7 + i, candidate) for candidate in range(4)], (32,))
        codes = np.repeat(generator.encode_text(prompt), 4, axis=0)
        drawn = generator.base.predict_on_batch({"text_code": codes, "noise": noise})
        candidates = to_uint8(np.asarray(drawn))
        order, scores = generator.rank(candidates, prompt)
        assert (np.diff(scores) <= 0).all() and sorted(order) == [0, 1, 2, 3]
        assert np.abs(best[i].astype(int) - candidates[order[0]]).max() <= 1
    np.testing.assert_array_equal(generator.generate(PROMPTS[1], seed=8, best_of=4), best[1])


def test_codes_are_of_length_one(generator):
    pictures = generator.generate(PROMPTS, seed=0)
    for codes in (generator.encode_text(PROMPTS), generator.encode_image(pictures)):
        assert codes.shape == (3, 32) and codes.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(codes, axis=-1), 1, rtol=1e-5)
    dual_encoder = generator.stage("text").dual_encoder
    both = dual_encoder.predict_on_batch(
        {"images": to_float(pictures), "token_ids": generator.preprocessor.generate_preprocess(PROMPTS)}
    )
    np.testing.assert_allclose(both["image_codes"], generator.encode_image(pictures), atol=1e-5)
    np.testing.assert_allclose(both["text_codes"], generator.encode_text(PROMPTS), atol=1e-5)
    assert generator.encode_image(pictures[:0]).shape == (0, 32)


def test_a_dict_is_taken_and_not_changed(generator):
    inputs = {"prompts": "a red apple"}
    picture = generator.generate(inputs, seed=1)
    assert inputs == {"prompts": "a red apple"}
    np.testing.assert_array_equal(picture, generator.generate("a red apple", seed=1))
    with pytest.raises(ValueError, match="negative_prompts"):
        generator.generate({"prompts": "a", "negative_prompts": "b"})


@pytest.mark.parametrize(
    "prompts, error, message",
    [
        (["a", "  "], ValueError, "Caption 1 is empty"),
        ("", ValueError, "Caption 0 is empty"),
        ([], ValueError, "no prompt"),
        (["a", None], TypeError, "Caption 1 is not text"),
        (7, TypeError, "list of str"),
        (None, TypeError, "list of str"),
    ],
)
def test_wrong_prompts(generator, prompts, error, message):
    with pytest.raises(error, match=message):
        generator.generate(prompts)


@pytest.mark.parametrize("option", ["num_images", "best_of", "batch_size"])
def test_wrong_numbers(generator, option):
    with pytest.raises(ValueError, match=option):
        generator.generate("a", **{option: 0})
    with pytest.raises(TypeError, match=option):
        generator.generate("a", **{option: 1.5})


def test_steps_and_misspelt_options(generator):
    np.testing.assert_array_equal(
        generator.generate("a red apple", num_steps=1, seed=0), generator.generate("a red apple", seed=0)
    )
    with pytest.raises(ValueError, match="one step"):
        generator.generate("a", num_steps=20)
    with pytest.raises(TypeError, match="guidance"):
        generator.generate("a", guidance=3)
    with pytest.raises(NotImplementedError):
        generator.compile("adam")


def test_wrong_pictures_and_concepts(generator):
    for wrong in (np.zeros((1, 8, 8, 3)), np.zeros((8, 8, 3), "uint8"), np.zeros((1, 9, 8, 3), "uint8")):
        with pytest.raises(ValueError, match="uint8 \\(n, 8, 8, 3\\)"):
            generator.encode_image(wrong)
    for wrong in (np.zeros(32), np.zeros((1, 31)), np.full((1, 32), np.nan)):
        with pytest.raises(ValueError, match="\\(n, 32\\)"):
            generator.decode(wrong)
    with pytest.raises(TypeError, match="one prompt"):
        generator.rank(np.zeros((1, 8, 8, 3), "uint8"), ["a"])


def test_noise_scale(generator):
    layer = generator.base.get_layer("concept_noise")
    concepts = np.eye(32, dtype="float32")
    noise = np.random.default_rng(0).standard_normal((32, 32), dtype="float32")
    moved = keras.ops.convert_to_numpy(layer(concepts, noise))
    expected = concepts + 0.3 * noise / 32**0.5
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_backbone_config_and_dtype(generator):
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(generator.backbone)))
    assert generator.latent_shape == (None, 32)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy.stages[-1].noise_scale == 0.3 and len(copy.weights) == len(generator.backbone.weights)
    config["config"]["dtype"] = "bfloat16"
    copy = keras.saving.deserialize_keras_object(config)
    for network in (copy, copy.stages[-1].decoder, copy.dual_encoder, copy.dual_encoder.text_encoder):
        assert network.compute_dtype == "bfloat16"
    assert keras.backend.standardize_dtype(copy.output["image"].dtype) == "float32"


def backbone(decoder, **options):
    return TextToImageBackbone([TextStage(tiny_dual_encoder()), OnePassStage(decoder, **options)])


def test_parts_that_do_not_fit():
    with pytest.raises(ValueError, match="OnePassStage needs text, which no stage produces"):
        TextToImageBackbone([OnePassStage(ConceptDecoder(8, (8,), (1,), code_dim=32))])
    with pytest.raises(ValueError, match="must make an image"):
        TextToImageBackbone([TextStage(tiny_dual_encoder())])
    with pytest.raises(ValueError, match="32 numbers"):
        backbone(ConceptDecoder(8, (8,), (1,), code_dim=16))
    with pytest.raises(ValueError, match="8 pixels"):
        backbone(ConceptDecoder(16, (8,), (1,), code_dim=32))
    decoder = ConceptDecoder(8, (8,), (1,), code_dim=32)
    with pytest.raises(ValueError, match="noise_scale"):
        backbone(decoder, noise_scale=-1)
    preprocessor = tiny_preprocessor()
    preprocessor.sequence_length = 9
    with pytest.raises(ValueError, match="9 pieces"):
        Generator(backbone(decoder), preprocessor)
