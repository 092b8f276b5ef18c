"""KerasHub's own tests of a Backbone, on all of ours.

Its check of mixed precision wants every layer to follow the policy. Here all are held to it but those that
are float32 at any dtype (`FLOAT32`).
"""

import inspect
import sys
import types

import keras
import keras_hub
import pytest
from keras import ops
from record import tinier_unet
from tiny import tiny_dual_encoder
from tiny import tiny_vae
from tiny_renderer import tiny_stage
from tiny_upsampler import tiny_upsampler_stage
from verbs import NETWORKS
from verbs import example

from keras_t2i import models
from keras_t2i.models import DiffusionStage
from keras_t2i.models import LatentDecoder
from keras_t2i.models import OnePassStage
from keras_t2i.models import PriorStage
from keras_t2i.models import TextStage
from keras_t2i.models import VAEStage

sys.modules.setdefault("grain", types.ModuleType("grain"))  # for its tests of tokenizers alone
case = pytest.importorskip("keras_hub.src.tests.test_case")

SMALLER = {  # of one level: they are compiled sooner
    "DiffusionUNet": lambda: tinier_unet(image_code=True),
    "DiffusionUNet, a draft": lambda: tinier_unet(draft_features=20, draft_components=4, detail_filters=6),
}
TESTED = {**NETWORKS, **SMALLER, "VAE": lambda: tiny_vae(32)}
STAGES = {  # each is its network, with a loop around it
    "DiffusionStage": lambda: DiffusionStage(TESTED["DiffusionUNet"]()),
    "LatentDecoder": lambda: LatentDecoder(TESTED["ConvAutoencoder"]()),
    "OnePassStage": lambda: OnePassStage(TESTED["ConceptDecoder"]()),
    "PriorStage": lambda: PriorStage(TESTED["Prior"]()),
    "RendererStage": tiny_stage,
    "TextStage": lambda: TextStage(tiny_dual_encoder(50)),
    "UpsamplerStage": tiny_upsampler_stage,
    "VAEStage": lambda: VAEStage(TESTED["VAE"]()),
}
LEFT_OUT = {
    "Backbone": "it is no network",
    "Stage": "it is no network",
    "TextToImageBackbone": "a list of stages, and dicts in a dict: KerasHub's tests take neither",
    "GeneratorBackbone": "of version 0.5: what is opened is a TextToImageBackbone",
    "DiffusionBackbone": "of version 0.5",
    "UnCLIPBackbone": "of version 0.5",
}
ON_JAX = ("CNNTextEncoder", "ConceptDecoder", "ImageTower", "Prior")  # it compiles each of them for seconds
# KerasHub hands a map of dtypes to the parts of a network, but not to their parts.
NOT_QUANTIZED = ("TextStage",)

# Layers that are float32 in a network of any dtype, by name. Why stands beside each of them in keras_t2i.
STEERS = {"time", "time_1", "time_2", "condition_sum", "condition"}
OF_TEXT = {"text_code_whitening", "text_code_null", "text_code_dense"}
OF_IMAGE = {"image_code_whitening", "image_code_null", "image_code_dense"}
OF_DRAFT = {"draft", "draft_variance", "draft_variance_waves", "draft_known", "resized_draft", "change"}
OF_DRAFT |= {"general", "whitening", "dense1", "norm1", "silu1", "dense2", "norm2", "silu2"}
OF_DRAFT |= {"detail", "detailed"}
ENDS = {"head", "prediction"}
FLOAT32 = {
    "CNNTextEncoder": {"head2"},
    "ConceptDecoder": {"whitening", "images"},
    "ConvAutoencoder": {"standardization", "images"},
    "DiffusionUNet": STEERS | OF_TEXT | OF_IMAGE | ENDS | {"text_tokens_whitening"},
    "DiffusionUNet, a draft": STEERS | OF_TEXT | ENDS | OF_DRAFT | {"text_tokens_whitening"},
    "Discriminator": {"whitening", "features", "words", "alone", "together", "scores"},
    "DualEncoder": {"head", "head2", "unit"},
    "ImageDecoder": {"standardization", "images"},
    "ImageEncoder": {"standardization"},
    "ImageTower": {"head"},
    "Prior": STEERS | OF_TEXT | {"head", "standardization"},
    "Renderer": {"logits_dense", "logits", "colors_dense", "colors"},
    "Upsampler": STEERS | OF_TEXT | ENDS | {"text_tokens_whitening", "detail"},
    "VAE": {"standardization", "images", "mean", "log_variance_flatten", "log_variance"}
    | {"whitening", "hidden"},
}
FLOAT32 |= {
    "DiffusionStage": FLOAT32["DiffusionUNet"],
    "LatentDecoder": FLOAT32["ConvAutoencoder"],
    "OnePassStage": FLOAT32["ConceptDecoder"] | {"concept_noise"},
    "PriorStage": FLOAT32["Prior"],
    "RendererStage": FLOAT32["Renderer"],
    "TextStage": FLOAT32["DualEncoder"] | {"concept", "tokens", "mask"},
    "UpsamplerStage": FLOAT32["Upsampler"],
    "VAEStage": FLOAT32["VAE"],
}


def run(name, network):
    """KerasHub's tests of a network."""
    cls = type(network)
    inits = {key: v for key, v in network.get_config().items() if key not in ("name", "trainable", "dtype")}
    inits |= {part: getattr(network, part) for part in network.nested}
    inputs = keras.tree.map_structure(ops.convert_to_tensor, example(network))
    outputs = network(inputs)
    shapes = keras.tree.map_structure(lambda one: tuple(one.shape), outputs)
    for one, spec in zip(
        *map(keras.tree.flatten, (outputs, network.compute_output_spec(inputs))), strict=True
    ):
        assert all(side in (None, other) for side, other in zip(spec.shape, one.shape, strict=True))

    class Case(case.TestCase):
        def runTest(self):  # noqa: N802 (unittest's)
            quantized = name not in NOT_QUANTIZED
            self.run_backbone_test(cls, inits, inputs, shapes, run_quantization_check=quantized)

        def run_precision_test(self, cls, init_kwargs, input_data):
            for policy in ("mixed_float16", "mixed_bfloat16", "bfloat16"):
                wide = follows(cls, init_kwargs, input_data, keras.dtype_policies.get(policy))
                assert wide == FLOAT32[name]

    test = Case()
    test.setUp()
    test.runTest()


def follows(cls, inits, inputs, policy):
    """Assert that layers have the policy's dtypes, and outputs are float32; returns the names of those layers
    that are float32 as a whole."""

    def recast(part):
        if not isinstance(part, keras.Layer):
            return part
        return type(part).from_config({**part.get_config(), "dtype": keras.dtype_policies.serialize(policy)})

    network = cls(**{key: recast(part) for key, part in inits.items()}, dtype=policy)
    outputs = keras.tree.flatten([network(inputs), network.compute_output_spec(inputs)])
    dtypes = [keras.backend.standardize_dtype(one.dtype) for one in outputs]
    assert {dtype for dtype in dtypes if dtype != "bool"} == {"float32"}
    wide = set()
    for layer in network._flatten_layers(include_self=False):
        if isinstance(layer, keras.Model | keras.layers.InputLayer):  # which compute nothing of their own
            continue
        if layer.compute_dtype == layer.variable_dtype == "float32":
            wide.add(layer.name)
        else:
            assert layer.compute_dtype == policy.compute_dtype, layer.path
        expected = "float32" if layer.name in wide else policy.variable_dtype
        assert {one.dtype for one in layer.weights if "float" in one.dtype} <= {expected}, layer.path
    return wide


@pytest.mark.parametrize("name", ON_JAX if keras.config.backend() == "jax" else sorted(TESTED))
def test_network(name):
    run(name, TESTED[name]())


@pytest.mark.once
@pytest.mark.parametrize("name", sorted(STAGES))
def test_stage(name):
    run(name, STAGES[name]())


@pytest.mark.once
def test_every_public_network_is_tested_or_named():
    public = {
        name
        for name, one in vars(models).items()
        if inspect.isclass(one) and issubclass(one, keras_hub.models.Backbone)
    }
    assert public == {name.split(",")[0] for name in (*TESTED, *STAGES, *LEFT_OUT)}
