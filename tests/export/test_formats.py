"""Networks in every format that a backend writes, computed by its own library: what Keras computes."""

import sys

import keras
import numpy as np
import pytest
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unclip_generator
from verbs import difference
from verbs import example
from verbs import made
from verbs import said

from keras_t2i.export import export_generator
from keras_t2i.export.folder import prior_settings
from keras_t2i.export.network import FORMATS
from keras_t2i.export.network import export_network
from keras_t2i_runtime import Runtime
from keras_t2i_runtime.diffusion import image_codes
from keras_t2i_runtime.networks import file_of
from keras_t2i_runtime.networks import open_network
from keras_t2i_runtime.runtime import normal

BACKEND = keras.config.backend()
NEEDED = {  # to write, and to draw
    "onnx": ("onnx", "onnxruntime", {"torch": "onnxscript", "tensorflow": "tf2onnx"}.get(BACKEND)),
    "openvino": ("openvino", "onnx", "onnxscript"),
    "saved_model": ("tensorflow",),
    "litert": ("tensorflow",),
    "torch": (),
}
# Not ONNX on torch: that takes seconds a network, and `test_export_generator.py` has a test of it.
WRITTEN = [
    name for name, writers in FORMATS.items() if BACKEND in writers and (BACKEND, name) != ("torch", "onnx")
]
PROMPTS = ["a red apple", "a green apple", "clock face"]


def need(format):
    for package in NEEDED[format]:
        pytest.importorskip(package)


@pytest.mark.parametrize("format", WRITTEN)
def test_a_network_says_the_same(format, tmp_path):
    need(format)
    network = made("DiffusionUNet")
    export_network(network, file_of(tmp_path, "x", format), 8, format)
    found = open_network(tmp_path, "x", format)(example(network))
    assert difference([found[key] for key in sorted(found)], said(network)) < 1e-4


@pytest.mark.parametrize("format", WRITTEN)
def test_a_prior_and_its_pictures_are_the_same(format, tmp_path):
    need(format)
    generator = tiny_unclip_generator()
    runtime = Runtime.open(export_generator(generator, tmp_path, most_steps=3, format=format))
    wanted = generator.generate(PROMPTS, seed=3)
    found = runtime.generate(PROMPTS, seed=3)
    assert np.abs(found.astype(int) - wanted).max() <= 2
    prior, told = runtime.prior, []
    runtime.prior = type("Other", (), {"only": lambda self, x: told.append(x) or -prior.only(x)})()
    other = runtime.generate(PROMPTS, seed=3)
    assert np.abs(other.astype(int) - wanted).max() > 9  # it matters
    assert len(told) == 2 and len(told[0]["codes"]) == 2 * len(PROMPTS)  # two steps, two embeddings each


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_prior_draws_the_embeddings_of_its_stage(scale):
    """Its numbers do what the stage does, whatever computes the network."""
    stage = tiny_unclip_generator().stage("image_embedding")
    stage.prior.guidance_scale, stage.best_of = scale, 2
    stage.prior.standardization.mean.assign(np.linspace(-0.1, 0.2, 32))
    stage.prior.standardization.scale.assign(np.linspace(0.5, 1.5, 32))
    codes = np.random.default_rng(0).standard_normal((3, 32)).astype("float32")
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    noise = [[normal(seed, "prior", 32, number) for number in range(2)] for seed in (7, 8, 9)]
    found = image_codes(stage.prior.predict_on_batch, codes, np.stack(noise), prior_settings(stage))
    np.testing.assert_allclose(found, stage.sample_codes(codes, seed=7), atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="one is enough")
def test_an_export_of_another_format_replaces_the_files(tmp_path):
    need("onnx")
    generator = tiny_diffusion_generator(
        sizes={"draft_features": 30, "draft_components": 8}, parameterization="x0"
    )
    export_generator(generator, tmp_path, most_steps=3, format="saved_model")
    assert (tmp_path / "draft.saved_model").is_dir()
    export_generator(tiny_generator(), tmp_path)
    held = {"base.onnx", "settings.json", "text_encoder.onnx", "tokenizer"}
    assert {file.name for file in tmp_path.iterdir()} == held


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    format, package = ("openvino", "openvino") if BACKEND == "torch" else ("saved_model", "tensorflow")
    file_of(tmp_path, "x", format).write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"to draw from x.* needs the package {package}"):
        open_network(tmp_path, "x", format)
    if BACKEND == "torch":
        with pytest.raises(ImportError, match=r'--format openvino needs .* "keras-t2i\[openvino\]"'):
            export_network(made("CNNTextEncoder"), tmp_path / "x.xml", format=format)


def test_what_a_backend_does_not_write_is_said(tmp_path):
    generator = tiny_generator()
    with pytest.raises(
        ValueError, match="there is no format 'pt'; there are onnx, openvino, saved_model, litert"
    ):
        export_generator(generator, tmp_path, format="pt")
    refused, sentence = {
        "jax": (
            "onnx",
            "jax does not write onnx: set KERAS_BACKEND to torch or tensorflow, or choose .*saved_model$",
        ),
        "torch": ("saved_model", "set KERAS_BACKEND to tensorflow or jax, or choose --format onnx"),
        "tensorflow": ("torch", "tensorflow does not write torch: set KERAS_BACKEND to torch, or"),
    }[BACKEND]
    with pytest.raises(NotImplementedError, match=sentence):
        export_generator(generator, tmp_path, format=refused)
    assert not list(tmp_path.iterdir())
