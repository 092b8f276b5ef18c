import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import h5py
import keras
import keras_hub
import numpy as np
import pytest
from full_disk import full_disk
from killed_saver import kinds_in
from killed_saver import text_encoder
from tiny import tiny_dual_encoder
from tiny import tiny_generator
from tiny import tiny_preprocessor
from tiny_objectives import tiny_autoencoder

from keras_t2i.evaluation.judges import evaluator
from keras_t2i.models.generator import Generator
from keras_t2i.models.networks.autoencoder import ConvAutoencoder
from keras_t2i.models.networks.dual_encoder import DualEncoder
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone
from keras_t2i.presets import registry
from keras_t2i.presets.errors import PresetError
from keras_t2i.presets.registry import preset_fingerprint
from keras_t2i.presets.saving import save_preset
from keras_t2i.presets.saving import to_float16
from keras_t2i.utils.files import PENDING


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
    assert TextToImageBackbone.from_preset(saved).stages[-1].noise_scale == 0.3
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


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_same_weights_are_the_same_bytes(generator, tmp_path, dtype):
    for name in "ab":
        generator.save_to_preset(tmp_path / name, weights_dtype=dtype)
        time.sleep(1.1)  # a file that noted when it was made would differ
    files = [tmp_path / name / "model.weights.h5" for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert preset_fingerprint(tmp_path / "a") == preset_fingerprint(tmp_path / "b")


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
    for network in (backbone, backbone.stages[-1].decoder, backbone.dual_encoder.text_encoder):
        assert network.compute_dtype == "bfloat16"


@pytest.mark.skipif(keras.config.backend() != "jax", reason="the others draw them fast")
def test_opening_draws_no_weights_by_chance(generator, saved, monkeypatch):
    """They come out of the file; to draw them first takes JAX a program for each shape."""

    def draw(*args, **kwargs):
        raise AssertionError("weights were drawn")

    monkeypatch.setattr(keras.initializers.VarianceScaling, "__call__", draw)
    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", draw)
    opened = Generator.from_preset(saved)
    for ours, theirs in zip(opened.backbone.get_weights(), generator.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(PresetError, match="weights were drawn"):
        Generator.from_preset(saved, load_weights=False)


def test_without_weights(generator, saved):
    keras.utils.set_random_seed(1)  # not what the saved one was made with
    fresh = Generator.from_preset(saved, load_weights=False).backbone.get_weights()
    old = generator.backbone.get_weights()
    assert any((a != b).any() and a.any() for a, b in zip(fresh, old, strict=True))


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


PERSONS = {
    ".git/HEAD": "ref",
    "README.md": "# Mine",
    "train.py": "import",
    "assets/mine.txt": "mine",
    "b.h5": "w",
}


def fill(folder, texts):
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_files_of_others_stay(generator, copy, monkeypatch):
    fill(copy, PERSONS)
    monkeypatch.chdir(copy)
    generator.backbone.save_to_preset(".")
    assert Path.cwd() == copy and type(TextToImageBackbone.from_preset(".")) is TextToImageBackbone
    assert all((copy / name).read_text() == text for name, text in PERSONS.items())
    assert not (copy / "task.json").exists() and not (copy / "assets" / "tokenizer").exists()
    generator.save_to_preset(copy, card="# New card\n")
    assert (copy / "README.md").read_text() == "# New card\n"
    assert sorted(p.name for p in copy.iterdir() if p.name.startswith(".")) == [".git"]
    Generator.from_preset(copy)


def test_a_new_repository_takes_a_preset(generator, tmp_path):
    repository = {".git/HEAD": "ref", ".gitattributes": "x", "README.md": "# Mine", "LICENSE": "free"}
    fill(tmp_path, repository)
    generator.save_to_preset(tmp_path)
    assert all((tmp_path / name).read_text() == text for name, text in repository.items())
    Generator.from_preset(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        '{"model_type": "clip"}',
        '{"port": 80}',
        '{"registered_name": "keras_hub>BertBackbone"}',
        '{"registered_name": 7}',
        "[]",
        "{",
        "\0",
        None,
    ],
)
def test_a_folder_of_another_is_refused(generator, tmp_path, config, monkeypatch):
    files = {"config.json": config or "", "model.weights.h5": "another's", "notes.txt": "mine"}
    if config is None:
        del files["config.json"]
    fill(tmp_path, files)
    monkeypatch.chdir(tmp_path)
    (tmp_path.parent / "link").unlink(missing_ok=True)
    (tmp_path.parent / "link").symlink_to(tmp_path)
    for folder in (tmp_path, ".", tmp_path.parent / "link"):
        with pytest.raises(FileExistsError, match=f"{tmp_path.name} is not empty and not a preset"):
            generator.save_to_preset(folder)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == files
    with pytest.raises(FileExistsError, match="is a file"):
        generator.save_to_preset(tmp_path / "notes.txt")


def test_a_preset_of_a_persons_own_class_is_replaced(tmp_path):
    @keras.saving.register_keras_serializable(package="mine")
    class Own(ConvAutoencoder):
        pass

    network = Own(tiny_autoencoder().encoder, tiny_autoencoder().decoder)
    network.save_to_preset(tmp_path)
    network.save_to_preset(tmp_path)
    with pytest.raises(FileExistsError, match="another's"):
        tiny_autoencoder().save_to_preset(tmp_path)


def test_links_are_followed(generator, saved, tmp_path):
    shutil.copytree(saved, tmp_path / "real")
    (tmp_path / "blob").write_bytes((saved / "model.weights.h5").read_bytes())
    (tmp_path / "real" / "model.weights.h5").unlink()
    (tmp_path / "real" / "model.weights.h5").symlink_to(tmp_path / "blob")  # as in the cache of a hub
    (tmp_path / "link").symlink_to(tmp_path / "real")
    before = (tmp_path / "blob").read_bytes()
    generator.save_to_preset(tmp_path / "link", weights_dtype="float16")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "blob").read_bytes() == before
    assert (tmp_path / "real" / "model.weights.h5").stat().st_size < len(before)
    (tmp_path / "new").symlink_to(tmp_path / "not yet")
    generator.save_to_preset(tmp_path / "new")
    assert Generator.from_preset(tmp_path / "not yet").image_size == 8


def test_a_full_disk_raises(tmp_path):
    network = tiny_autoencoder()
    network.save_to_preset(tmp_path / "there")
    before = (tmp_path / "there" / "model.weights.h5").read_bytes()
    with full_disk(free=len(before) // 2):
        for folder, dtype in (("there", "float32"), ("new", "float32"), ("new", "float16")):
            with pytest.raises(OSError, match="too large"):
                network.save_to_preset(tmp_path / folder, weights_dtype=dtype)
        with pytest.raises(OSError, match="too large"):
            network.save_weights(tmp_path / "a.weights.h5")
    assert [p.name for p in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there" / "model.weights.h5").read_bytes() == before
    ConvAutoencoder.from_preset(tmp_path / "there")


def test_a_preset_in_parts(tmp_path):
    network = tiny_autoencoder()
    network.save_to_preset(tmp_path, max_shard_size=2e-6)  # 2 kB
    assert (tmp_path / "model_00000.weights.h5").exists() and not (tmp_path / "model.weights.h5").exists()
    first = preset_fingerprint(tmp_path)
    opened = ConvAutoencoder.from_preset(tmp_path)
    for old, new in zip(network.weights, opened.weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (old, new)))
    network.save_to_preset(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "metadata.json", "model.weights.h5"}
    assert preset_fingerprint(tmp_path) != first


def test_fingerprints_of_presets(saved, copy):
    assert preset_fingerprint(saved) == preset_fingerprint(str(copy))
    edit(copy / "metadata.json", lambda content: content.update(date_saved="later"))
    assert preset_fingerprint(saved) == preset_fingerprint(copy)
    (copy / "assets" / "tokenizer" / "merges.txt").write_text("other")
    assert preset_fingerprint(saved) != preset_fingerprint(copy)
    assert (
        len({preset_fingerprint(name) for name in ("gan_openmoji_32", "autoencoder_openmoji_32", saved)}) == 3
    )


@pytest.mark.once
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_killed_save_leaves_the_old_preset_or_the_new(tmp_path):
    """Kill -9 at any moment, beside a person's files; `KERAS_T2I_KILLS=200` kills so often. Tests of
    `replace_set` kill before each single step."""
    kills, tests = int(os.environ.get("KERAS_T2I_KILLS", "20")), Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent), *sys.path])}
    command, folder, random = [sys.executable, tests / "killed_saver.py"], tmp_path / "preset", Random(0)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    seen, caught, by_others, theirs = [], 0, 0, None
    with subprocess.Popen([*command, folder], env=environment, **pipes) as nursery:
        try:
            for kill in range(kills):
                print(file=nursery.stdin, flush=True)
                saver = int(nursery.stdout.readline())
                if theirs is None:  # the first preset is there
                    fill(folder, PERSONS)
                    theirs = {name: (folder / name).stat() for name in PERSONS}
                time.sleep(random.uniform(0.02, 0.3))
                os.kill(saver, signal.SIGKILL)
                while not is_gone(saver):
                    time.sleep(0.002)
                caught += (folder / PENDING).exists()
                found = kinds_in(folder)
                assert found in ({0}, {1})
                seen += found
                with suppress(ValueError):  # a reader of another package may open none
                    if kill % 5 == 0:
                        assert kinds_in(folder, by_keras_hub=True) in ({0}, {1})
                        by_others += 1
                for name, status in theirs.items():
                    now = (folder / name).stat()
                    assert (folder / name).read_text() == PERSONS[name]
                    assert (now.st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
        finally:
            nursery.kill()
    assert {*seen} == {0, 1}
    network, preprocessor = text_encoder(0)
    save_preset(network, folder, preprocessor=preprocessor)
    assert sorted(p.name for p in folder.rglob("*") if p.name.startswith(".")) == [".git"]
    others = f"KerasHub, asked after each fifth, opened {by_others}"
    print(f"{kills} kills: {caught} met files on their way to their places. {others}")


def is_gone(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
