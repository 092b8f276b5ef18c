import json
import shutil
import socket
from pathlib import Path

import h5py
import keras
import keras_hub
import numpy as np
import pytest
from tiny import tiny_dual_encoder
from tiny import tiny_generator
from tiny import tiny_preprocessor

from keras_t2i.evaluation.judges import evaluator
from keras_t2i.models.generator import Generator
from keras_t2i.models.networks.autoencoder import ConvAutoencoder
from keras_t2i.models.networks.dual_encoder import DualEncoder
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone
from keras_t2i.presets import registry
from keras_t2i.presets.saving import save_preset
from keras_t2i.presets.saving import to_float16


@pytest.fixture(scope="module")
def generator():
    return tiny_generator()


@pytest.fixture(scope="module")
def saved(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    generator.save_to_preset(folder, card="# Tiny\n")
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError(f"network: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def edit(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_round_trip(generator, saved, no_network):
    expected = generator.generate("a red apple", seed=0)
    for opened in (
        Generator.from_preset(saved),
        Generator.from_preset(str(saved)),
        keras_hub.models.TextToImage.from_preset(str(saved)),
    ):
        assert type(opened) is Generator
        np.testing.assert_array_equal(opened.generate("a red apple", seed=0, num_steps=1), expected)
        for old, new in zip(generator.backbone.weights, opened.backbone.weights, strict=True):
            np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (old, new)))


def test_parts_of_a_preset(generator, saved):
    assert type(keras_hub.models.Backbone.from_preset(str(saved))) is TextToImageBackbone
    assert TextToImageBackbone.from_preset(saved).base.noise_scale == 0.3
    preprocessor = TextToImagePreprocessor.from_preset(saved)
    expected = generator.preprocessor.generate_preprocess("a red apple")
    np.testing.assert_array_equal(preprocessor.generate_preprocess("a red apple"), expected)
    assert TextToImagePreprocessor.from_preset(saved, sequence_length=4).sequence_length == 4
    assert CaptionTokenizer.from_preset(saved).vocabulary == generator.preprocessor.tokenizer.vocabulary
    assert (saved / "README.md").read_text() == "# Tiny\n"


def test_a_dual_encoder_brings_its_tokenizer(tmp_path):
    dual_encoder, preprocessor = tiny_dual_encoder(), tiny_preprocessor()
    save_preset(dual_encoder, tmp_path / "dual", preprocessor=preprocessor)
    assert type(DualEncoder.from_preset(tmp_path / "dual")) is DualEncoder
    opened = TextToImagePreprocessor.from_preset(tmp_path / "dual")
    assert opened.tokenizer.vocabulary == preprocessor.tokenizer.vocabulary
    with pytest.raises(ValueError, match="holds a DualEncoder; Generator needs a TextToImageBackbone"):
        Generator.from_preset(tmp_path / "dual")
    with pytest.raises(ValueError, match="holds a DualEncoder"):
        ConvAutoencoder.from_preset(tmp_path / "dual")
    dual_encoder.save_to_preset(tmp_path / "bare")
    with pytest.raises(ValueError, match="no text preparation"):
        TextToImagePreprocessor.from_preset(tmp_path / "bare")


def test_float16_on_disk(generator, saved, tmp_path):
    generator.save_to_preset(tmp_path / "half", weights_dtype="float16")
    sizes = [(folder / "model.weights.h5").stat().st_size for folder in (saved, tmp_path / "half")]
    assert sizes[1] < sizes[0]
    opened = Generator.from_preset(tmp_path / "half")
    for old, new in zip(generator.backbone.weights, opened.backbone.weights, strict=True):
        assert new.dtype == "float32"
        old = keras.ops.convert_to_numpy(old)
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(new), old.astype("float16").astype("float32")
        )
    difference = opened.generate("a red apple", seed=0).astype(int) - generator.generate(
        "a red apple", seed=0
    )
    assert np.abs(difference).max() <= 2
    with pytest.raises(ValueError, match="weights_dtype"):
        generator.save_to_preset(tmp_path / "other", weights_dtype="int8")


def test_bfloat16_on_disk(tmp_path):
    """Less to store, and no number is further off than bfloat16's precision, 2^-8."""
    values = np.random.default_rng(0).standard_normal(100_000).astype("float32") * 0.1
    sizes = []
    for bits in (0, 3):
        with h5py.File(tmp_path / "a.weights.h5", "w") as file:
            file["vars/0"], file["vars/1"] = values, np.array(0.3, "float32")
        to_float16(tmp_path / "a.weights.h5", bits)
        sizes.append((tmp_path / "a.weights.h5").stat().st_size)
    assert sizes[1] < 0.85 * sizes[0]
    with h5py.File(tmp_path / "a.weights.h5") as file:
        found, scalar = file["vars/0"][()], file["vars/1"][()]
    assert found.dtype == "float16" and not (found.view("uint16") & 7).any()
    assert scalar.shape == () and abs(scalar - 0.3) < 0.3 * 2**-8
    error = np.abs(found.astype("float32") - values)
    assert (error <= np.abs(values) * 1.2 * 2**-8 + 2.0**-21).all()  # the latter: a step of the smallest
    assert abs((found.astype("float64") - values).mean()) < 1e-6  # rounded, not cut


def test_what_float16_cannot_hold_is_an_error(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layer/vars/0"] = np.array([1e6], "float32")
    with pytest.raises(ValueError, match="layer/vars/0 does not fit"):
        to_float16(tmp_path / "a.weights.h5")
    assert h5py.File(tmp_path / "a.weights.h5")["layer/vars/0"][0] == 1e6


def test_float16_keeps_all_but_floats(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["vars/0"] = np.array([3, 2**31], "uint32")
        file["vars/1"] = np.array([0.1], "float32")
        file["vars"].attrs["name"] = "x"
        file.create_group("empty/vars")
    to_float16(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5") as file:
        assert file["vars/0"].dtype == "uint32" and file["vars/0"][1] == 2**31
        assert file["vars/1"].dtype == "float16" and file["vars"].attrs["name"] == "x"
        assert "empty/vars" in file


def test_dtype_reaches_all_networks(saved):
    backbone = Generator.from_preset(saved, dtype="bfloat16").backbone
    for network in (backbone, backbone.base.decoder, backbone.dual_encoder.text_encoder):
        assert network.compute_dtype == "bfloat16"


def test_without_weights(generator, saved):
    keras.utils.set_random_seed(1)  # not what the saved one was made with
    fresh = Generator.from_preset(saved, load_weights=False).backbone.get_weights()
    assert any((new != old).any() for new, old in zip(fresh, generator.backbone.get_weights(), strict=True))


@pytest.mark.parametrize("cls", [Generator, DualEncoder, TextToImagePreprocessor, CaptionTokenizer])
def test_an_unknown_preset_is_an_error_at_once(cls, no_network):
    with pytest.raises(ValueError, match="There is no preset 'openmoij'"):
        cls.from_preset("openmoij")
    with pytest.raises(ValueError, match="There is no preset 'bert_base_en'"):
        cls.from_preset("bert_base_en")  # KerasHub knows it and would fetch it
    with pytest.raises(ValueError, match="no preset"):
        cls.from_preset(Path("no") / "such" / "folder")
    with pytest.raises(TypeError, match="int"):
        cls.from_preset(7)


def test_a_folder_without_a_preset(tmp_path):
    with pytest.raises(ValueError, match="not a preset"):
        Generator.from_preset(tmp_path)


@pytest.mark.parametrize("cls", [Generator, TextToImageBackbone, TextToImagePreprocessor, CaptionTokenizer])
def test_a_misspelt_option_is_an_error(cls, saved):
    with pytest.raises(TypeError, match="has no option 'sede'"):
        cls.from_preset(saved, sede=1)


@pytest.mark.parametrize("file", ["config.json", "task.json", "tokenizer.json"])
def test_classes_from_elsewhere_are_refused(copy, file, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(
        "import pathlib; pathlib.Path(__file__).with_name('ran').touch()\nEvil = dict"
    )
    monkeypatch.syspath_prepend(tmp_path)
    part = {"module": "evil", "class_name": "Evil", "config": {}, "registered_name": "Evil"}
    edit(copy / file, lambda config: config["config"].update(extra=[part]))
    with pytest.raises(ValueError, match=r"evil\.Evil"):
        Generator.from_preset(copy)
    part.update(module="keras.layers", class_name="Lambda")
    edit(copy / file, lambda config: config["config"].update(extra=[part]))
    with pytest.raises(ValueError, match="stores code"):
        Generator.from_preset(copy)
    assert not (tmp_path / "ran").exists()


def test_saving_replaces_a_preset_but_nothing_else(generator, copy, tmp_path):
    (copy / "task.json").write_text("old")
    generator.backbone.save_to_preset(copy)
    assert not (copy / "task.json").exists()  # a backbone's preset has none
    assert type(TextToImageBackbone.from_preset(copy)) is TextToImageBackbone
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]  # nothing temporary is left
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").touch()
    with pytest.raises(FileExistsError, match="photos"):
        generator.save_to_preset(tmp_path / "photos")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["me.jpg"]


def test_a_failed_save_leaves_the_old_preset(generator, copy, tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(generator.preprocessor.tokenizer, "save_assets", fail)
    with pytest.raises(OSError, match="disk full"):
        generator.save_to_preset(copy)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]
    Generator.from_preset(copy)


def test_presets_by_name(saved, tmp_path, monkeypatch, no_network):
    shutil.copytree(saved, tmp_path / "tiny_by_name")
    monkeypatch.setattr(registry, "PACKAGED", tmp_path)
    monkeypatch.setattr(registry, "_packaged", set())
    monkeypatch.setattr(registry.preset_utils, "BUILTIN_PRESETS", {})
    known = {k: dict(v) for k, v in registry.preset_utils.BUILTIN_PRESETS_FOR_BACKBONE.items()}
    try:
        registry.register_packaged_presets()
        assert "tiny_by_name" in Generator.presets and "tiny_by_name" in TextToImageBackbone.presets
        assert "tiny_by_name" not in DualEncoder.presets
        assert Generator.from_preset("tiny_by_name").image_size == 8
        assert type(keras_hub.models.TextToImage.from_preset("tiny_by_name")) is Generator
        with pytest.raises(ValueError, match=r"Did you mean 'tiny_by_name'.*has: .*tiny_by_name"):
            Generator.from_preset("tiny_by_nam")
        with pytest.raises(ValueError, match="holds a TextToImageBackbone; DualEncoder"):
            DualEncoder.from_preset("tiny_by_name")
    finally:
        registry.preset_utils.BUILTIN_PRESETS_FOR_BACKBONE.clear()
        registry.preset_utils.BUILTIN_PRESETS_FOR_BACKBONE.update(known)


def test_packaged_presets_open(no_network):
    registry.register_packaged_presets()
    files = list(registry.PACKAGED.glob("*/config.json"))
    assert {*evaluator.PACKAGED_JUDGES, *Generator.presets} <= {file.parent.name for file in files}
    for file in files:
        cls = registry.preset_utils.check_config_class(json.loads(file.read_text()))
        assert type(cls.from_preset(file.parent.name)) is cls
        assert file.with_name("README.md").exists()
    for name in Generator.presets:
        Generator.from_preset(name).generate("a red apple")
