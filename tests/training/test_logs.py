import csv
import importlib.util
import json
import struct

import command_line
import keras
import numpy as np
import pytest
from full_disk import full_disk
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_t2i.training.callbacks import Measure
from keras_t2i.training.callbacks import PictureGrid
from keras_t2i.training.logs import LOGS
from keras_t2i.training.logs import Logs
from keras_t2i.utils.files import Manifest

PICTURE = np.arange(4 * 6 * 3, dtype="uint8").reshape(4, 6, 3)
needs = {
    name: pytest.mark.skipif(importlib.util.find_spec(LOGS[name].package) is None, reason=f"no {name}")
    for name in LOGS
}


@pytest.fixture
def fit():
    """A function that trains two numbers for three epochs, with callbacks."""
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((2, 3)), np.ones((2, 1))
    options = {"validation_data": data, "verbose": 0, "epochs": 3}
    return lambda *callbacks, **changes: model.fit(*data, callbacks=callbacks, **options | changes)


def test_logs_that_cannot_be_written_are_warned_about_once(fit, tmp_path):
    (tmp_path / "logs").write_text("a file, not a folder")
    with pytest.warns(UserWarning, match=r"could not write .*logs.*training goes on") as warned:
        history = fit(Logs(tmp_path / "logs"))
    assert len(history.history["val_loss"]) == 3
    assert len([w for w in warned if "could not write" in str(w.message)]) == 1


def test_a_full_disk_under_the_logs_does_not_stop_the_run(fit, tmp_path):
    with full_disk(free=150), pytest.warns(UserWarning, match="training goes on"):
        history = fit(Logs(tmp_path / "logs"))
    assert len(history.history["loss"]) == 3


def logged(fit, folder, names, begin=0, end=3):
    """Epochs of a run, with a grid and a figure after every second, and the last."""
    logs = Logs(folder / "run" / "logs", names, resume=begin > 0)
    grid = PictureGrid(folder / "run" / "pictures", lambda model: PICTURE, every=2, epochs=3, logs=logs)
    extra = Measure(lambda model: {"extra": 0.5}, every=2, epochs=3)
    return fit(extra, logs, grid, initial_epoch=begin, epochs=end).history


def events(folder):
    """Steps of each tag of TensorBoard's files in a folder, in order: files of one second have none."""
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0}, purge_orphaned_data=False)
    found.Reload()
    tags = {tag: found.Tensors(tag) for tag in found.Tags()["tensors"]}
    return {
        tag: sorted([(e.step, e.tensor_proto) for e in of], key=lambda of: of[0]) for tag, of in tags.items()
    }


def test_a_table_has_a_row_of_each_epoch_once(fit, tmp_path):
    first = logged(fit, tmp_path, ["csv"], end=2)
    second = logged(fit, tmp_path, ["csv"], begin=1)  # killed before its state of epoch 2 was kept
    with (tmp_path / "run" / "logs" / "epochs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows] == [*first["loss"], second["loss"][-1]]
    assert [float(row["val_loss"]) for row in rows] == [*first["val_loss"], second["val_loss"][-1]]
    assert [row["extra"] for row in rows] == ["", "0.5", "0.5"]


def test_tensorboard_has_figures_and_pictures_of_each_epoch_once(fit, tmp_path):
    first = logged(fit, tmp_path, ["tensorboard"], end=2)
    second = logged(fit, tmp_path, ["tensorboard"], begin=1)
    folder = tmp_path / "run" / "logs"
    train, validation, pictures = (events(folder / part) for part in ("train", "validation", "pictures"))
    steps, values = zip(*train["epoch_loss"], strict=True)
    assert steps == (0, 1, 2)
    found = [np.frombuffer(value.tensor_content, "float32")[0] for value in values]
    np.testing.assert_allclose(found, [*first["loss"], second["loss"][-1]], rtol=1e-6)
    assert [step for step, _ in train["epoch_extra"]] == [1, 2]
    for name, of in validation.items():
        assert len({step for step, _ in of}) == len(of) == 3, name
    assert [step for step, _ in pictures["drawn"]] == [1, 2]
    width, height, png = pictures["drawn"][0][1].string_val
    assert (width, height, png[1:4]) == (b"6", b"4", b"PNG")


def records(content):
    """What a file of wandb holds: records in LevelDB's format, in blocks of 32 KiB, after 7 bytes."""
    place, whole = 7, b""
    while place + 7 <= len(content):
        if 0 < (left := -place % 2**15) < 7:  # too few for a head are left out at a block's end
            place += left
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        whole += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # all of it, or its last part
            yield whole
            whole = b""


def test_what_another_run_left_hides_no_epoch(fit, tmp_path):
    logged(fit, tmp_path, ["csv", "tensorboard"])
    history = logged(fit, tmp_path, ["csv", "tensorboard"])  # begun anew: its state was deleted
    folder = tmp_path / "run" / "logs"
    with (folder / "epochs.csv").open() as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == history["loss"]
    assert [step for step, _ in events(folder / "train")["epoch_loss"]] == [0, 0, 1, 1, 2, 2]


@needs["wandb"]
def test_weights_and_biases_offline(fit, tmp_path, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_API_KEY"):  # no key is enough to be offline
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    logged(fit, tmp_path, ["wandb"], end=2)
    file = tmp_path / "run" / "logs" / "wandb.json"
    first = json.loads(file.read_text())
    logged(fit, tmp_path, ["wandb"], begin=1)
    second = json.loads(file.read_text())
    assert first["id"] == second["id"]
    assert [(of["figures"], of["pictures"]) for of in (first, second)] == [(2, 2), (3, 3)]
    from wandb.proto.wandb_internal_pb2 import Record

    epochs = []
    for run in sorted((file.parent / "wandb").glob("offline-run-*/*.wandb")):
        for content in records(run.read_bytes()):
            items = {item.nested_key[0]: item.value_json for item in Record.FromString(content).history.item}
            if "epoch" in items:
                epochs.append((int(items["_step"]), int(items["epoch"]), "loss" in items))
    assert epochs == [(0, 1, True), (1, 2, True), (2, 2, False), (3, 3, True), (4, 3, False)]


@needs["mlflow"]
def test_mlflow_in_a_folder(fit, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first = logged(fit, tmp_path, ["mlflow"], end=2)
    second = logged(fit, tmp_path, ["mlflow"], begin=1)
    from mlflow import MlflowClient

    folder = tmp_path / "run" / "logs"
    client = MlflowClient((folder / "mlflow").as_uri())
    run = json.loads((folder / "mlflow.json").read_text())["run"]
    history = client.get_metric_history(run, "loss")
    assert [metric.step for metric in history] == [1, 2, 3]
    np.testing.assert_allclose(
        [metric.value for metric in history], [*first["loss"], second["loss"][-1]], rtol=1e-6
    )
    assert [metric.step for metric in client.get_metric_history(run, "extra")] == [2, 3]
    pictures = [file.path for file in client.list_artifacts(run, "pictures")]
    assert pictures == ["pictures/epoch_0002.png", "pictures/epoch_0003.png"]
    assert client.get_run(run).info.status == "FINISHED"


def test_what_is_written_is_listed(fit, tmp_path):
    manifest = Manifest(tmp_path / "run", "list")
    logged(fit, tmp_path, ["csv", "tensorboard"])
    there = {
        f.relative_to(tmp_path / "run").as_posix()
        for f in (tmp_path / "run" / "logs").rglob("*")
        if f.is_file()
    }
    assert len(there) == 4 and there <= {*manifest.names()}


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    for name in ("wandb", "mlflow"):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ImportError, match=rf"needs the package {name}: pip install .keras-t2i\[{name}\]"):
            Logs(tmp_path, [name])
    with pytest.raises(ValueError, match="no log 'paper'; there are tensorboard, csv, wandb, mlflow"):
        Logs(tmp_path, ["paper"])


def test_the_command_line_knows_all_logs():
    assert tuple(LOGS) == command_line.LOGS
