"""Presets that cannot be opened: each refusal names the preset, the file and the reason."""

import json
import os
import pickle
import shutil
import socket
import time
from pathlib import Path

import h5py
import numpy as np
import preset_fuzzer
import pytest
from tiny import tiny_dual_encoder
from tiny import tiny_generator
from tiny import tiny_preprocessor

from keras_t2i.models import CaptionTokenizer
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import PresetError
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.presets import network
from keras_t2i.presets.registry import preset_fingerprint
from keras_t2i.utils import memory
from keras_t2i.utils.memory import peak_memory

pytestmark = pytest.mark.once

VOCABULARY = "assets/tokenizer/vocabulary.json"
MERGES = "assets/tokenizer/merges.txt"
CONFIGS = ("config.json", "task.json", "preprocessor.json", "tokenizer.json")
SIZES = ("embedding_dim", "vocabulary_size", "hidden_dim", "code_dim", "filters", "blocks")
ALL = (*CONFIGS, "model.weights.h5", VOCABULARY, MERGES)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets") / "tiny"
    tiny_generator().save_to_preset(folder)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def refusal(preset, file, cls=Generator, **options):
    """What `from_preset` says of a preset's file."""
    with pytest.raises(PresetError) as caught:
        cls.from_preset(preset, **options)
    error = caught.value
    assert isinstance(error, ValueError) and error.preset == str(preset) and error.file == file, str(error)
    assert str(error) == f"preset {preset}: file {file}: {error.reason}" and "\n" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    return error.reason


def edit(file, change):
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def find(config, key, found=None):
    """The dict in a nested config that has a key."""
    if isinstance(config, dict) and key in config:
        return config
    parts = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    return next((hit for part in parts if (hit := find(part, key))), None)


@pytest.mark.parametrize("file", CONFIGS)
def test_a_config_that_is_none(copy, file):
    for text, reason in (
        ("{", "no JSON"),
        ("", "no JSON"),
        ("[]", "JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 200 + "1" + "}" * 200, "nested too deeply"),
        ('{"registered_name": []}', "registered_name must be text"),
        ('{"registered_name": "x", "class_name": {}, "config": {}}', "class_name must be text"),
        (
            '{"registered_name": "no>Such", "class_name": "Such", "config": {}}',
            "no class 'no>Such' is registered",
        ),
        ('{"registered_name": "keras_t2i>Generator"}', "config"),
        ('{"registered_name": "keras_t2i>Generator", "config": [1]}', "config"),
        ("9" * 5000, "no JSON"),
    ):
        (copy / file).write_text(text)
        assert reason in refusal(copy, file)
    (copy / file).write_bytes(b"\xff\xfe{}")
    assert "UTF-8" in refusal(copy, file)


def test_configs_of_another_kind(copy):
    (copy / "config.json").write_text('{"model_type": "bert"}')
    refusal(copy, "config.json")
    refusal(copy, "config.json", TextToImageBackbone)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
@pytest.mark.parametrize("file", [*ALL, "metadata.json"])
def test_what_is_no_regular_file_is_not_read(copy, file):
    start = time.monotonic()
    (copy / file).unlink()
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        make(copy / file)
        assert "not a regular file" in refusal(copy, file)
        if file != "metadata.json":
            with pytest.raises(PresetError, match="not a regular file"):
                preset_fingerprint(copy)
        (copy / file).rmdir() if (copy / file).is_dir() else (copy / file).unlink()
    (copy / file).symlink_to(copy / file)
    assert refusal(copy, file)
    assert time.monotonic() - start < 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_no_preset_to_be_replaced(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(FileExistsError, match="another's, or damaged"):
        tiny_generator().save_to_preset(tmp_path)


def test_a_text_of_gigabytes_is_not_read(copy):
    for file in ("config.json", VOCABULARY, MERGES):
        shutil.copy(copy / file, copy / "old")
        with (copy / file).open("r+b") as text:
            text.truncate(2**36)
        before = peak_memory() or 0
        assert "64 MiB" in refusal(copy, file)
        assert (peak_memory() or 0) - before < 300
        shutil.copy(copy / "old", copy / file)


@pytest.mark.parametrize(
    "file", [f for f in ALL if f not in ("task.json", "preprocessor.json", "config.json")]
)
def test_a_missing_file(copy, file):
    (copy / file).unlink()
    cls = CaptionTokenizer if "token" in file else TextToImageBackbone
    assert "missing" in refusal(copy, file, cls)


@pytest.mark.parametrize("file", ["config.json", "task.json"])
@pytest.mark.parametrize(
    "key", ["embedding_dim", "vocabulary_size", "hidden_dim", "code_dim", "filters", "blocks"]
)
def test_sizes_are_held_against_the_weights(saved, copy, file, key):
    cls = {"config.json": TextToImageBackbone, "task.json": Generator}[file]
    before, start = peak_memory() or 0, time.monotonic()
    for size in (10**3, 10**5, 9_999_999, 10**7, 10**10, 10**30):
        edit(copy / file, lambda config, size=size: find(config, key).update({key: size}))
        for load_weights in (True, False):
            with pytest.raises(PresetError):
                cls.from_preset(copy, load_weights=load_weights)
    assert (peak_memory() or 0) - before < 500 and time.monotonic() - start < 60


def test_weights_of_another_network(copy, tmp_path):
    tiny_dual_encoder().save_to_preset(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "model.weights.h5", copy)
    assert "that model.weights.h5 does not have" in refusal(copy, "config.json")
    shutil.copytree(copy, tmp_path / "mixed")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    (tmp_path / "other" / "config.json").write_text(json.dumps(config).replace('"blocks": 1', '"blocks": 2'))
    assert refusal(tmp_path / "other", "config.json", DualEncoder)


def rewritten(preset, change):
    """Change the first array of two axes in a preset's weights: `change(file, name, values)`."""
    with h5py.File(preset / "model.weights.h5", "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if getattr(item, "ndim", 0) == 2 else None)
        values = file[names[0]][()]
        del file[names[0]]
        change(file, names[0], values)
    return names[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_none(copy, bad):
    def change(file, name, values):
        values = values.astype("float64")
        values[-1, -1] = bad
        file[name] = values

    name = rewritten(copy, change)
    assert refusal(copy, "model.weights.h5").startswith(f"{name} has 1 of ")
    assert type(Generator.from_preset(copy, load_weights=False)) is Generator


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("complex64", "complex64"), ("int64", "int64"), ("int8", "whole numbers"), ("S8", "bytes")],
)
def test_numbers_of_another_kind(copy, kind, reason):
    rewritten(copy, lambda file, name, values: file.create_dataset(name, data=values.astype(kind)))
    assert reason in refusal(copy, "model.weights.h5")


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_floats_of_another_size_are_welcome(copy, dtype):
    rewritten(copy, lambda file, name, values: file.create_dataset(name, data=values.astype(dtype)))
    Generator.from_preset(copy)


def test_arrays_that_lie_elsewhere(copy):
    def soft(file, name, values):
        file[name] = h5py.SoftLink("/layers")

    def outside(file, name, values):
        file.create_dataset(name, values.shape, "f4", external=[("/dev/zero", 0, values.nbytes)])

    def empty(file, name, values):
        file.create_dataset(name, (10**6, 10**5), "f4", chunks=(64, 64), compression="gzip")

    def whole(file, name, values):
        file[name] = file["/"]

    for change, reason in (
        (soft, "link to another place"),
        (outside, "another file"),
        (empty, "stores 0 bytes"),
        (whole, "nested too deeply"),
    ):
        shutil.copy(copy / "model.weights.h5", copy / "old")
        rewritten(copy, change)
        assert reason in refusal(copy, "model.weights.h5")
        shutil.copy(copy / "old", copy / "model.weights.h5")


def test_weights_that_are_no_hdf5(copy):
    weights = (copy / "model.weights.h5").read_bytes()
    for content in (b"", b"x" * 5000, weights[: len(weights) // 2], weights[:100]):
        (copy / "model.weights.h5").write_bytes(content)
        assert "no HDF5 file, or damaged" in refusal(copy, "model.weights.h5")


def test_arrays_too_many(copy):
    rewritten(copy, lambda file, name, values: file.update({name: values, "spare/vars/0": values}))
    assert "1 arrays more" in refusal(copy, "model.weights.h5")


def test_more_than_there_is_memory_for(copy, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemAvailable:    3 kB\n")
    assert "free" in refusal(copy, "model.weights.h5")
    (copy / "model.weights.h5").unlink()
    assert "too large a network" in refusal(copy, "config.json", load_weights=False)


def test_parts_of_weights(tmp_path):
    tiny_dual_encoder().save_to_preset(tmp_path, max_shard_size=1.2e-5)
    DualEncoder.from_preset(tmp_path)
    for change, reason in (
        (lambda index: index["weight_map"].update(x="../other/model_00000.weights.h5"), "no part"),
        (lambda index: index["weight_map"].update(x=["/etc/passwd"]), "no part"),
        (lambda index: index["weight_map"].update(x={}), "no part"),
        (lambda index: index.update(weight_map=[]), "weight_map"),
    ):
        before = (tmp_path / "model.weights.json").read_text()
        edit(tmp_path / "model.weights.json", change)
        assert reason in refusal(tmp_path, "model.weights.json", DualEncoder)
        (tmp_path / "model.weights.json").write_text(before)
    (tmp_path / "model_00000.weights.h5").unlink()
    assert "missing" in refusal(tmp_path, "model_00000.weights.h5", DualEncoder)


def test_a_vocabulary_larger_than_the_embedding(copy):
    words = json.loads((copy / VOCABULARY).read_text())
    (copy / VOCABULARY).write_text(json.dumps(words | {"zz": len(words)}))
    for cls in (Generator, TextToImageBackbone, CaptionTokenizer, TextToImagePreprocessor):
        assert f"{len(words) + 1} pieces" in refusal(copy, VOCABULARY, cls)
    few = tiny_dual_encoder(vocabulary_size=270)
    backbone = TextToImageBackbone(tiny_generator().stages)
    backbone.stages[0].dual_encoder.text_encoder.vocabulary_size = few.text_encoder.vocabulary_size
    with pytest.raises(ValueError, match="text encoder has rows for 270"):
        Generator(backbone, tiny_preprocessor())


def test_words_that_are_none(copy):
    words, merges = (copy / VOCABULARY).read_text(), (copy / MERGES).read_text()
    piece = next(iter(json.loads(words)))
    for number in ("7", None, 1.5, True, -1, 2**40, [1]):
        (copy / VOCABULARY).write_text(json.dumps(json.loads(words) | {piece: number}))
        assert "not its number" in refusal(copy, VOCABULARY, CaptionTokenizer)
    (copy / VOCABULARY).write_text(words)
    for line in ("alone", "a b c", "zz yy", ""):
        (copy / MERGES).write_text(f"{line}\n{merges}")
        assert "line 1" in refusal(copy, MERGES, CaptionTokenizer)


def test_words_that_are_read_as_others(saved, copy):
    table = "assets/tokenizer/nearest_words.json"
    words = {"scarlet": "red", "apple": "red apple"}
    generator = Generator.from_preset(saved)
    generator.preprocessor.tokenizer.set_nearest_words(words)
    generator.save_to_preset(copy)
    for cls in (CaptionTokenizer, TextToImagePreprocessor, Generator):
        opened = cls.from_preset(copy)
        tokenizer = getattr(getattr(opened, "preprocessor", opened), "tokenizer", opened)
        assert tokenizer.nearest_words == words
    for wrong in ({"scarlet": 3}, {"two words": "red"}, {"scarlet": ""}, {"scarlet": "red "}):
        (copy / table).write_text(json.dumps(wrong))
        assert "not a word and one or more" in refusal(copy, table, CaptionTokenizer)
    (copy / table).write_text("[]")
    refusal(copy, table, CaptionTokenizer)
    (copy / table).unlink()
    for cls in (CaptionTokenizer, TextToImagePreprocessor, Generator):
        assert "tokenizer.json tells of it" in refusal(copy, table, cls)


# The network


@pytest.fixture
def nobody_answers(monkeypatch):
    """No name is resolved, and it takes for ever to learn that."""
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: time.sleep(60))
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", *network.NOTEBOOKS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(network, "PATIENCE", 0.3)


@pytest.mark.parametrize("handle", ["hf://nobody/nothing", "kaggle://no/body/keras/nothing", "gs://no/body"])
def test_no_network_is_said_within_seconds(handle, nobody_answers, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    start = time.monotonic()
    assert "the network could not be reached" in refusal(handle, "config.json")
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert "Network is unreachable" in refusal(handle, "config.json")
    with pytest.raises(PresetError, match="network"):
        preset_fingerprint(handle)
    assert time.monotonic() - start < 5


def refuse(*args, **kwargs):
    raise OSError(101, "Network is unreachable")


def test_a_copy_of_an_earlier_download_is_opened(saved, nobody_answers, monkeypatch):
    hub = network.preset_utils.huggingface_hub
    found = str(saved / "config.json")
    monkeypatch.setattr(
        hub, "try_to_load_from_cache", lambda repo, file: found if repo == "me/mine" else None
    )
    assert type(Generator.from_preset("hf://me/mine")) is Generator
    assert "network" in refusal("hf://me/other", "config.json")


def test_files_of_a_hub(saved, monkeypatch):
    monkeypatch.setattr(network, "unreachable", lambda scheme: "")
    asked = []

    def get_file(handle, name):
        asked.append(name)
        if handle != "hf://me/mine":
            raise ConnectionError("lost\non the way")
        if not (saved / name).exists():
            raise FileNotFoundError(name)
        return str(saved / name)

    real = network.preset_utils.get_file
    monkeypatch.setattr(
        network.preset_utils, "get_file", lambda p, n: get_file(p, n) if "://" in p else real(p, n)
    )
    assert type(Generator.from_preset("hf://me/mine")) is Generator
    assert {*asked} >= {*ALL}
    assert preset_fingerprint("hf://me/mine") == preset_fingerprint(saved)
    assert "lost on the way" in refusal("hf://me/other", "config.json")


# All at once


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_presets_damaged_by_chance_are_refused_or_open(tmp_path):
    """More with `KERAS_T2I_FUZZ=2000`, others with `KERAS_T2I_FUZZ_SEED=1`."""
    cases, seed = (
        int(os.environ.get("KERAS_T2I_FUZZ", "200")),
        int(os.environ.get("KERAS_T2I_FUZZ_SEED", "0")),
    )
    preset_fuzzer.build(tmp_path)
    counts, failures = preset_fuzzer.run(tmp_path, seed, cases)
    assert not failures, "\n".join(map(str, failures[:3]))
    assert sum(n for (_, outcome), n in counts.items() if outcome == "refused") > cases / 3
