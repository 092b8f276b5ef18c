import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from keras_t2i.training.callbacks import Checkpoint
from keras_t2i.training.callbacks import Measure
from keras_t2i.training.callbacks import PictureGrid
from keras_t2i.training.callbacks import StopOnNonFinite
from keras_t2i.training.callbacks import write_atomically


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "state.txt"
    write_atomically(file, lambda path: path.write_text("one"))

    def fail(path):
        path.write_text("tw")
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        write_atomically(file, fail)
    assert file.read_text() == "one" and list(tmp_path.iterdir()) == [file]


@pytest.fixture
def model():
    """As much of an objective as the callbacks ask for."""
    weight = np.ones(3, dtype="float32")
    model = SimpleNamespace(
        trainable_variables=[weight], weights=[weight], variables=[weight], stop_training=False
    )
    model.optimizer = SimpleNamespace(variables=[weight])
    model.save_weights = lambda path: path.write_bytes(weight.tobytes())
    model.set_weights = lambda values: weight.__setitem__(slice(None), values[0])
    return model


def test_a_state_that_is_not_finite_is_not_kept(model, tmp_path):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(0, {"loss": 1.0})
    model.trainable_variables[0][1] = 2
    checkpoint.on_epoch_end(1, {"loss": float("nan")})
    model.trainable_variables[0][0] = np.inf
    checkpoint.on_epoch_end(2, {"loss": 1.0})
    assert checkpoint.state_file.read_bytes() == np.ones(3, dtype="float32").tobytes()


def test_room_on_the_disk_is_looked_for_first(model, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    with pytest.warns(UserWarning, match="could not save the run's state.*training goes on"):
        checkpoint.on_epoch_end(0, {"loss": 1.0})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "losses, weight, stopped_at",
    [
        ([1.0, 1.0, 1.0], 1.0, None),
        ([1.0, 1.0, np.nan], 1.0, "batch 2"),
        (
            [1.0, np.inf, 1.0],
            1.0,
            "the epoch's end",
        ),  # not looked at, but it breaks the epoch's mean
        ([1.0, 1.0, 1.0], np.nan, "the epoch's end"),  # the last update did it: no loss has seen it
    ],
)
def test_looks_for_what_is_not_finite(model, tmp_path, losses, weight, stopped_at):
    callback = StopOnNonFinite(Checkpoint(tmp_path), every=2)
    callback.set_model(model)
    callback.on_train_begin()
    for batch, loss in enumerate(losses):
        callback.on_train_batch_end(batch, {"loss": loss})
    model.trainable_variables[0][0] = weight
    callback.on_epoch_end(0, {"loss": float(np.mean(losses))})
    assert model.stop_training == (stopped_at is not None)
    if stopped_at is None:
        callback.on_train_end()
    else:
        with pytest.raises(FloatingPointError, match=f"by {stopped_at}"):
            callback.on_train_end()
        np.testing.assert_array_equal(model.trainable_variables[0], 1)


def test_picture_grids_come_as_often_as_asked_and_at_the_end(tmp_path):
    callback = PictureGrid(
        tmp_path / "pictures", lambda model: np.zeros((4, 6, 3), "uint8"), every=2, epochs=5
    )
    callback.set_model(None)
    for epoch in range(5):
        callback.on_epoch_end(epoch)
    files = sorted((tmp_path / "pictures").iterdir())
    assert [f.name for f in files] == ["epoch_0002.png", "epoch_0004.png", "epoch_0005.png"]
    assert np.asarray(Image.open(files[0])).shape == (4, 6, 3)


def test_a_picture_that_cannot_be_written_is_warned_about(tmp_path):
    (tmp_path / "pictures").write_text("a file, not a folder")
    callback = PictureGrid(tmp_path / "pictures", lambda model: np.zeros((4, 4, 3), "uint8"))
    callback.set_model(None)
    with pytest.warns(UserWarning, match="could not save a picture"):
        callback.on_epoch_end(0)


def test_measured_figures_join_the_logs_now_and_then(model):
    measure = Measure(lambda objective: {"sum": float(objective.weights[0].sum())}, every=2, epochs=5)
    measure.set_model(model)
    logs = [{"loss": 1.0} for _ in range(5)]
    for epoch in range(5):
        measure.on_epoch_end(epoch, logs[epoch])
    assert [entry.get("sum") for entry in logs] == [None, 3.0, None, 3.0, 3.0]
