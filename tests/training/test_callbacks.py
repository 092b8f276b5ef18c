import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from keras_t2i.training.callbacks import Measure
from keras_t2i.training.callbacks import Periodic
from keras_t2i.training.callbacks import PictureGrid
from keras_t2i.training.checkpoint import Checkpoint
from keras_t2i.training.checkpoint import StopOnNonFinite
from keras_t2i.training.checkpoint import differences


@pytest.fixture
def model():
    """As much of an objective as the callbacks ask for."""
    weight = np.ones(3, dtype="float32")
    model = SimpleNamespace(
        trainable_variables=[weight], weights=[weight], variables=[weight], stop_training=False
    )
    model.optimizer = SimpleNamespace(variables=[weight])
    model._flatten_layers = lambda: []  # by which LoRA is looked for
    model.save_weights = lambda file: file.write(weight.tobytes())
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


@pytest.mark.parametrize(("seconds", "kept"), [(2.0, [0, 4, 8, 9]), (0.4, list(range(10)))])
def test_saving_takes_a_twentieth_of_the_time(model, tmp_path, monkeypatch, seconds, kept):
    clock, found = [0.0], []
    monkeypatch.setattr("keras_t2i.training.checkpoint.time.monotonic", lambda: clock[0])
    model.save_weights = lambda file: clock.__setitem__(0, clock[0] + seconds) or file.write(b"state")
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    checkpoint.set_params({"epochs": 10})
    for epoch in range(10):
        clock[0] += 10
        before = clock[0]
        checkpoint.on_epoch_end(epoch, {"loss": 1.0})
        found += [epoch] if clock[0] > before else []
    assert found == kept
    assert checkpoint.epochs_done == 10


def test_room_on_the_disk_is_looked_for_first(model, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=1000, free=10))
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    with pytest.warns(UserWarning, match="could not save the run's state.*training goes on"):
        checkpoint.on_epoch_end(0, {"loss": 1.0})
    assert not list(tmp_path.iterdir())


def objective_with(model):
    model.steps, model.loaded = 6, []
    model.load_weights = lambda file: model.loaded.append(file.read_bytes())
    return model


@pytest.fixture
def saved(model, tmp_path):
    """A state of two epochs, and the states of both."""
    checkpoint, states = Checkpoint(tmp_path, {"size": 3}), []
    checkpoint.restore(model, 3)
    checkpoint.set_model(model)
    for epoch in range(2):
        model.trainable_variables[0][0] = epoch
        checkpoint.on_epoch_end(epoch, {"loss": 1.0})
        states.append(checkpoint.state_file.read_bytes())
    return checkpoint, states


def test_a_state_whose_digest_fits_is_loaded(model, saved, tmp_path):
    checkpoint, (first, second) = saved
    assert Checkpoint(tmp_path, {"size": 3}).restore(objective_with(model), 3) == 2
    assert model.loaded == [second]
    checkpoint.state_file.write_bytes(first)  # as a kill between digest and state leaves it
    again = Checkpoint(tmp_path, {"size": 3})
    again.restore(model, 3)
    assert model.loaded == [second, first]
    again.set_model(model)
    again.on_epoch_end(1, {"loss": 1.0})
    Checkpoint(tmp_path, {"size": 3}).restore(model, 3)
    checkpoint.digest_file.unlink()
    with pytest.warns(UserWarning, match="may be damaged"):
        Checkpoint(tmp_path, {"size": 3}).restore(model, 3)


def test_a_flipped_bit_of_the_state_is_found(model, saved, tmp_path):
    checkpoint, (_, content) = saved
    for byte in range(len(content)):
        damaged = bytearray(content)
        damaged[byte] ^= 1
        checkpoint.state_file.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"state\.weights\.h5 is damaged.*--restart"):
            Checkpoint(tmp_path, {"size": 3}).restore(objective_with(model), 3)
    assert model.loaded == []


@pytest.mark.parametrize("text", ["", '{"size": 3', "[3]", "\0", None])
def test_damaged_settings_are_named(model, saved, tmp_path, text):
    file = saved[0].settings_file
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(ValueError, match=r"settings\.json is damaged or missing.*Delete the folder"):
        Checkpoint(tmp_path, {"size": 3}).restore(objective_with(model), 3)


def test_a_state_of_other_networks_is_named(model, saved, tmp_path):
    def fails(file):
        raise ValueError("Layer 'dense' expected 2 variables")

    model.load_weights = fails
    with pytest.raises(ValueError, match=r"does not fit the networks.*--restart"):
        Checkpoint(tmp_path, {"size": 3}).restore(model, 3)


def test_differences_are_named():
    there = {"a": 1, "data": {"pictures": 32 * "0", "captions": 32 * "1"}, "keras": "3.15"}
    here = {"a": 1, "data": {"pictures": 32 * "2", "captions": 32 * "1"}, "keras": "3.16", "b": [1]}
    assert differences(there, here) == [
        "b: None there, [1] here",
        "data pictures: changed since the run began",
        "keras: 3.15 there, 3.16 here",
    ]
    assert differences(there, there) == []


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


@pytest.mark.parametrize(
    "epochs, times, due", [(3, 10, [0, 1, 2]), (25, 10, [*range(1, 24, 2), 24]), (7, 1, [6])]
)
def test_something_is_done_about_so_many_times_in_a_run(epochs, times, due):
    periodic = Periodic(times=times)
    periodic.set_params({"epochs": epochs})
    assert [epoch for epoch in range(epochs) if periodic.is_due(epoch)] == due
