"""What Keras can do with a model, done with networks and the Generator: see docs/keras_verbs.md."""

import copy
import pickle

import keras
import numpy as np
import pytest
from tiny import tiny_generator
from verbs import NETWORKS
from verbs import difference
from verbs import example
from verbs import made
from verbs import said

from keras_t2i.models import DiffusionUNet
from keras_t2i.models import Generator
from keras_t2i.models import PresetError
from keras_t2i.models import token_features

QUANTIZED = [("ConceptDecoder", "int8"), ("ConceptDecoder", "int4"), ("DualEncoder", "int8"), ("VAE", "int8")]


@pytest.mark.parametrize("name", [*NETWORKS, "Generator"])
def test_keras_file_and_pickle(name, tmp_path):
    network = made(name)
    expected = said(network)
    network.save(tmp_path / "x.keras")
    opened = keras.models.load_model(tmp_path / "x.keras")
    assert type(opened) is type(network)
    assert difference(said(opened), expected) == 0
    again = pickle.loads(pickle.dumps(network))  # what copy.deepcopy does too
    assert type(again) is type(network)
    assert difference(said(again), expected) == 0


def test_deepcopy_shares_nothing():
    network = made("ConceptDecoder")
    twin = copy.deepcopy(network)
    twin.set_weights([0 * weight for weight in twin.get_weights()])
    assert difference(said(network), said(made("ConceptDecoder"))) == 0


def test_features_of_tokens_are_saved(tmp_path):
    features = token_features(made("CNNTextEncoder"))
    features.save(tmp_path / "x.keras")
    assert difference(said(keras.models.load_model(tmp_path / "x.keras")), said(features)) == 0


@pytest.mark.parametrize("name", ["CNNTextEncoder", "DiffusionUNet", "DualEncoder"])
def test_a_clone_is_a_plain_model_that_says_the_same(name):
    network = made(name)
    clone = keras.models.clone_model(network)
    clone.set_weights(network.get_weights())
    assert difference(said(clone), said(network)) == 0


def test_a_clone_of_a_generator_is_a_model_of_its_networks():
    generator = tiny_generator()
    clone = keras.models.clone_model(generator)
    assert not hasattr(clone, "generate")
    assert [w.shape for w in clone.weights] == [w.shape for w in generator.weights]


@pytest.mark.parametrize(("name", "mode"), QUANTIZED)
def test_quantized_networks_are_saved_and_opened(name, mode, tmp_path):
    network = made(name)
    network.quantize(mode)
    expected = said(network)
    assert any(layer.quantization_mode == mode for layer in network._flatten_layers())
    network.save(tmp_path / "x.keras")
    assert difference(said(keras.models.load_model(tmp_path / "x.keras")), expected) == 0
    network.save_to_preset(tmp_path / "preset")
    opened = type(network).from_preset(tmp_path / "preset")
    assert difference(said(opened), expected) == 0
    assert opened.get_config() == network.get_config()
    with pytest.raises(PresetError, match=r"it is quantized.*open it without `dtype`"):
        type(network).from_preset(tmp_path / "preset", dtype="bfloat16")


def test_a_quantized_generator_draws_and_is_saved_and_opened(tmp_path):
    generator = tiny_generator()
    plain = generator.generate("a red apple", seed=0).astype(int)  # compiled with the former weights
    generator.quantize("int8")
    drawn = generator.generate("a red apple", seed=0)
    assert 0 < np.abs(drawn - plain).mean() < 20
    generator.save_to_preset(tmp_path / "preset")
    assert np.array_equal(Generator.from_preset(tmp_path / "preset").generate("a red apple", seed=0), drawn)
    with pytest.raises(PresetError, match="open it without `dtype`"):
        Generator.from_preset(tmp_path / "preset", dtype="bfloat16")


def with_lora(name, rank=2):
    network = made(name)
    network.enable_lora(rank)
    for layer in network._flatten_layers():
        if getattr(layer, "lora_enabled", False):
            layer.lora_kernel_b.assign(np.full(layer.lora_kernel_b.shape, 0.3))
    return network


def test_lora_finds_attention_and_is_merged_where_it_is_saved(tmp_path):
    network = with_lora("DiffusionUNet")
    assert network.default_lora_layer_names() == ["output", "places", "words"]
    assert len(network.trainable_variables) == 6
    expected = said(network)
    network.save(tmp_path / "x.keras")
    network.save_to_preset(tmp_path / "preset")
    for opened in (
        keras.models.load_model(tmp_path / "x.keras"),
        DiffusionUNet.from_preset(tmp_path / "preset"),
    ):
        assert difference(said(opened), expected) < 1e-5
        assert not any(getattr(layer, "lora_enabled", False) for layer in opened._flatten_layers())


def test_lora_matrices_are_saved_alone(tmp_path):
    network = with_lora("ConceptDecoder")
    network.save_lora_weights(str(tmp_path / "x.lora.h5"))
    opened = made("ConceptDecoder")
    opened.load_lora_weights(str(tmp_path / "x.lora.h5"))
    assert difference(said(opened), said(network)) == 0


def test_lora_without_dense_layers_is_refused():
    with pytest.raises(
        ValueError, match=r"no dense layer for LoRA .all are convolutions.: train it as a whole"
    ):
        made("ConvAutoencoder").enable_lora(2)
    with pytest.raises(ValueError, match="none of its layers is called query"):
        made("ConceptDecoder").enable_lora(2, ["query"])


def test_examples_are_of_two():
    assert {len(one) for one in keras.tree.flatten(example(made("Renderer")))} == {2}
