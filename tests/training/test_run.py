import errno
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from killed_run import EPOCHS
from killed_run import STEPS
from killed_run import objective_and_pipeline
from PIL import Image
from run_state import largest_difference
from run_state import state
from tiny import tiny_dual_encoder
from tiny_objectives import PICTURE
from tiny_objectives import tiny_autoencoder
from tiny_objectives import tiny_pipeline

from keras_t2i.models import ConceptDecoder
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.objectives.consistency import CodeConsistency
from keras_t2i.training import run_folder
from keras_t2i.training.checkpoint import load_state
from keras_t2i.training.checkpoint import state_in_memory
from keras_t2i.training.run import in_words
from keras_t2i.training.run import time_a_step
from keras_t2i.training.run import train
from keras_t2i.training.run_folder import is_run
from keras_t2i.training.run_folder import open_run
from keras_t2i.training.run_folder import run_tokenizer
from keras_t2i.utils import files
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i.utils.memory import peak_memory


class Run:
    """One compiled objective, which any test may start anew: compiling is what takes the time."""

    def __init__(self, name, folder):
        self.objective, self.pipeline = objective_and_pipeline(name)
        self.objective.build()
        self.objective.optimizer.build(self.objective.trainable_variables)
        self.file = folder / f"{name}.weights.h5"
        self.objective.save_weights(self.file)
        self.new = state(self.objective)

    def again(self):
        self.objective.load_weights(self.file)
        assert largest_difference(state(self.objective), self.new) == 0
        return self.objective, self.pipeline


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run("reconstruction", tmp_path_factory.mktemp("run"))


STATE = {"settings.json", "state.weights.h5", "state.sha256", "written.jsonl"}


def drawing(objective):
    pictures = tiny_pipeline().data.pictures
    return make_grid(to_uint8(objective.average.predict_on_batch(to_float(pictures))), columns=4)


@pytest.fixture(scope="module")
def finished(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    logs = train(
        *run.again(),
        EPOCHS,
        folder,
        validation=tiny_pipeline(training=False),
        draw=drawing,
        picture_every=2,
        settings={"colour": "red"},
    )
    return folder, logs, state(run.objective), drawing(run.objective)


def test_a_run_leaves_logs_pictures_and_state(finished):
    folder, logs, _, drawn = finished
    assert {p.name for p in folder.iterdir()} == {"logs", "pictures", "state"}
    assert {p.name for p in (folder / "state").iterdir()} == STATE
    assert list(folder.glob("logs/train/events*")) and list(folder.glob("logs/validation/events*"))
    assert list(folder.glob("logs/pictures/events*"))
    pictures = sorted((folder / "pictures").iterdir())
    assert [p.name for p in pictures] == ["epoch_0002.png", "epoch_0003.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(pictures[-1])), drawn)
    assert {"seconds", "seconds_per_step", "loss", "psnr", "val_loss", "val_psnr"} == set(logs)
    assert all(math.isfinite(value) for value in logs.values())


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(run, finished, tmp_path, capsys):
    train(*run.again(), 1, tmp_path, log=["csv"])
    assert "Resuming" not in capsys.readouterr().err
    half_written = tmp_path / "state" / ".keras_t2i-0123456789ab.partial"
    half_written.write_bytes(b"a kill while writing")
    with (tmp_path / "logs" / "epochs.csv").open("a") as file:
        file.write("2,-1.0\n")  # a kill after the second epoch was logged, before its state was kept
    fresh, pipeline = objective_and_pipeline("reconstruction")
    train(fresh, pipeline, EPOCHS, tmp_path, log=["csv"])
    assert f"after epoch 1 of {EPOCHS}" in capsys.readouterr().err
    rows = (tmp_path / "logs" / "epochs.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["1", "2", "3"] and "-1.0" in rows[1]
    assert largest_difference(state(fresh), finished[2]) == 0
    assert not half_written.exists()
    assert train(fresh, pipeline, EPOCHS, tmp_path) == {
        "seconds": 0.0,
        "seconds_per_step": 0.0,
    }  # all is done


def test_both_networks_of_a_gan_resume_with_their_optimizers(tmp_path):
    whole = Run("gan", tmp_path)
    train(*whole.again(), EPOCHS, tmp_path / "whole")
    ended = state(whole.objective)
    sizes = [len(optimizer.variables) for optimizer in whole.objective.optimizer.optimizers]
    assert min(sizes) > 2 and len(whole.objective.optimizer.variables) > sum(sizes)
    train(*whole.again(), 1, tmp_path / "resumed")
    fresh, pipeline = objective_and_pipeline("gan")
    train(fresh, pipeline, EPOCHS, tmp_path / "resumed")
    assert int(fresh.steps) == EPOCHS * STEPS
    assert largest_difference(state(fresh), ended) == 0
    assert largest_difference(ended, whole.new) > 1e-3


@pytest.mark.parametrize("name", ["fixed", "lora"])
def test_a_killed_run_ends_where_an_uninterrupted_one_does(name, tmp_path):
    """Kill -9 in another process, in the middle of an epoch; this one goes on."""
    tests = Path(__file__).parent
    path = os.pathsep.join([str(tests), str(tests.parent), str(tests.parents[1]), *sys.path])
    process = subprocess.Popen(
        [sys.executable, tests / "killed_run.py", tmp_path / "killed", name],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
    )
    whole, pipeline = objective_and_pipeline(name)  # meanwhile
    train(whole, pipeline, EPOCHS, tmp_path / "whole")
    state_file, patience = tmp_path / "killed" / "state" / "state.weights.h5", time.monotonic() + 200
    while not state_file.exists() and process.poll() is None and time.monotonic() < patience:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    errors = process.communicate()[1].decode()
    assert process.returncode == -signal.SIGKILL and state_file.exists(), errors

    resumed, pipeline = objective_and_pipeline(name)
    train(resumed, pipeline, EPOCHS, tmp_path / "killed")
    assert int(resumed.steps) == EPOCHS * STEPS
    assert largest_difference(state(resumed), state(whole)) == 0


def test_a_state_with_lora_is_not_taken_for_one_without(tmp_path):
    objective, pipeline = objective_and_pipeline("lora")
    train(objective, pipeline, 1, tmp_path)
    matrices = [v for v in objective.network.trainable_variables if "lora" in v.name]
    assert len(matrices) > 1 and all(np.any(keras.ops.convert_to_numpy(v)) for v in matrices)
    with pytest.raises(ValueError, match=r"does not fit the networks.*--restart"):
        train(*objective_and_pipeline("fixed"), EPOCHS, tmp_path)


@pytest.mark.parametrize("dtype", ["mixed_float16", "bfloat16"])
def test_a_state_with_lora_is_read_as_it_was_written(dtype, tmp_path):
    def made(seed):
        keras.utils.set_random_seed(seed)
        decoder = ConceptDecoder(8, **PICTURE, dtype=dtype)
        decoder.enable_lora(2)
        objective = CodeConsistency(decoder, tiny_dual_encoder(8, blocks=0), form="fixed")
        objective.compile("adam")
        objective.build()
        objective.optimizer.build(objective.trainable_variables)
        return objective

    written, read = made(1), made(2)
    (tmp_path / "state").write_bytes(state_in_memory(written))
    assert largest_difference(state(written), state(read)) > 0
    load_state(read, tmp_path / "state")
    assert largest_difference(state(written), state(read)) == 0


def test_other_settings_are_named(run, finished):
    with pytest.raises(
        ValueError, match=r"colour: red there, blue here.*size: None there, 3 here.*--restart"
    ):
        train(*run.again(), EPOCHS, finished[0], settings={"colour": "blue", "size": 3})


def test_restart_throws_the_old_run_away_and_nothing_else(run, finished, tmp_path):
    train(*run.again(), 1, tmp_path, draw=drawing, settings={"colour": "red"})
    save_png(np.zeros((2, 2, 3), "uint8"), tmp_path / "of the recipe.png")
    mine = {"photo.jpg", "pictures/mine.png", "state/mine", "logs/mine", ".git/HEAD"}
    for name in mine:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    drawn = tmp_path / "pictures" / "epoch_0001.png"
    assert drawn.exists()
    train(*run.again(), EPOCHS, tmp_path, settings={"colour": "blue"}, restart=True)
    assert largest_difference(state(run.objective), finished[2]) == 0
    assert not drawn.exists() and not (tmp_path / "of the recipe.png").exists()
    assert len(list(tmp_path.glob("logs/train/events*"))) == 1
    assert all((tmp_path / name).read_text() == "mine" for name in mine)


def test_restart_removes_nothing_where_there_is_no_run(run, tmp_path):
    (tmp_path / "photo.jpg").write_text("mine")
    (tmp_path / "config.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"holds no run .*config\.json.*leave --restart out"):
            train(*run.again(), EPOCHS, tmp_path, restart=True)
        (tmp_path / "state").mkdir(exist_ok=True)  # a folder of that name proves nothing
    assert {p.name for p in tmp_path.iterdir()} == {"photo.jpg", "config.json", "state"}
    for text in ('{"editor": "dark"}', "[1]", '{"backend'):
        (tmp_path / "state" / "settings.json").write_text(text)
        for restart in (True, False):
            with pytest.raises(ValueError, match=r"settings\.json is damaged, or of another program"):
                train(*run.again(), EPOCHS, tmp_path, restart=restart)
        assert (tmp_path / "state" / "settings.json").read_text() == text
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        train(*run.again(), EPOCHS, tmp_path / "file")


def test_restart_of_a_run_without_a_list_keeps_all_but_its_state(run, tmp_path):
    train(*run.again(), 1, tmp_path, draw=drawing)
    (tmp_path / "state" / "written.jsonl").unlink()  # as of version 0.5
    open_run(tmp_path, restart=True)
    assert not is_run(tmp_path) and not (tmp_path / "state").exists()
    assert (tmp_path / "pictures" / "epoch_0001.png").exists()


def test_restart_does_not_remove_what_the_new_run_begins_from(run, tmp_path):
    train(*run.again(), 1, tmp_path)
    tiny_autoencoder().save_to_preset(tmp_path / "preset")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"would remove .*preset, which the run begins from"):
        train(*run.again(), 1, tmp_path, restart=True, presets=[str(tmp_path / "preset")])
    with pytest.raises(ValueError, match="preset"):  # nor anything, for a preset that there is not
        train(*run.again(), 1, tmp_path, restart=True, presets=["no such preset"])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_disk_that_is_read_only_is_named_at_once(run, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path))

    monkeypatch.setattr(files, "_create", refuse)
    with pytest.raises(OSError, match=f"Read-only file system.*{tmp_path.name}"):
        train(*run.again(), EPOCHS, tmp_path)


def changed_data(pipeline, what):
    data = pipeline.data
    if what == "pictures":
        data.pictures[0, 0, 0, 0] ^= 1
    else:
        data.captions[0] = ["another caption"]


@pytest.mark.parametrize("what", ["pictures", "captions"])
def test_other_data_are_named(run, tmp_path, what):
    train(*run.again(), 1, tmp_path)
    objective, _ = run.again()
    pipeline = objective_and_pipeline("reconstruction")[1]
    train(objective, pipeline, 1, tmp_path)  # the same, made anew
    changed_data(pipeline, what)
    with pytest.raises(ValueError, match=f"training data {what}: changed since the run began.*--restart"):
        train(objective, pipeline, EPOCHS, tmp_path)
    train(objective, pipeline, 1, tmp_path, restart=True)


def test_another_preset_or_version_is_named(run, tmp_path, monkeypatch):
    preset = tmp_path / "autoencoder"
    tiny_autoencoder().save_to_preset(preset)
    presets = [preset, "autoencoder_openmoji_32", ""]
    train(*run.again(), 1, tmp_path / "run", presets=presets)
    network = ConvAutoencoder.from_preset(preset)
    network.save_to_preset(preset, card="# Another card")
    train(*run.again(), 1, tmp_path / "run", presets=presets)  # the same weights, at another time
    network.weights[0].assign(network.weights[0] + 1)
    network.save_to_preset(preset)
    with pytest.raises(ValueError, match=rf"presets .*{preset.name}: changed since the run began.*--restart"):
        train(*run.again(), EPOCHS, tmp_path / "run", presets=presets)
    train(*run.again(), 1, tmp_path / "other")
    monkeypatch.setattr(run_folder, "__version__", "99")
    with pytest.raises(ValueError, match=r"keras_t2i: \S+ there, 99 here"):
        train(*run.again(), EPOCHS, tmp_path / "other")


def test_a_run_keeps_its_tokenizer(run, tmp_path):
    objective, pipeline = run.again()
    captions = ["a red apple", "a green apple"]
    tokenizer = run_tokenizer(tmp_path, captions, 300)
    pipeline.preprocessor = TextToImagePreprocessor(tokenizer, 8)
    try:
        train(objective, pipeline, 1, tmp_path)
    finally:
        pipeline.preprocessor = None
    again = run_tokenizer(tmp_path, ["something else, something else"], 300)
    assert again.vocabulary == tokenizer.vocabulary
    np.testing.assert_array_equal(again("a red apple"), tokenizer("a red apple"))
    other = run_tokenizer(tmp_path, ["something else, something else"], 300, restart=True)
    assert other.vocabulary != tokenizer.vocabulary
    (tmp_path / "state" / "tokenizer" / "vocabulary.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer of the run.*is damaged.*--restart"):
        run_tokenizer(tmp_path, captions, 300)
    open_run(tmp_path, restart=True)
    assert not (tmp_path / "state").exists()


class Poison(keras.callbacks.Callback):
    """From an epoch on, one weight is not a number."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            weight = self.model.network.trainable_variables[0]
            weight.assign(keras.ops.full(weight.shape, float("nan")))


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_broken_loss_stops_the_run(run, tmp_path, epoch):
    good = "state.weights.h5, step 3" if epoch else "those that it started with"
    with pytest.raises(FloatingPointError, match=f"not a finite number by batch 0.*{good}.*learning rate"):
        train(*run.again(), EPOCHS, tmp_path, callbacks=[Poison(epoch)])
    now = run.objective.get_weights()
    assert all(np.isfinite(w).all() for w in now)
    if epoch:
        run.again()[0].load_weights(tmp_path / "state" / "state.weights.h5")
    else:
        run.again()
    assert largest_difference(now, run.objective.get_weights()) == 0


def test_a_full_disk_does_not_stop_the_run(run, finished, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run.objective, "save_weights", full)
    with pytest.warns(UserWarning, match="could not save the run's state.*No space left"):
        train(*run.again(), EPOCHS, tmp_path)
    assert {p.name for p in (tmp_path / "state").iterdir()} == {"settings.json", "written.jsonl"}
    assert largest_difference(state(run.objective), finished[2]) == 0


def test_timing_a_step_changes_nothing(run):
    objective, pipeline = run.again()
    first, later = time_a_step(objective, pipeline)
    assert 0 < later < 60 and first > 0
    assert largest_difference(state(objective), run.new) == 0


def test_cost_in_words():
    assert [in_words(s) for s in (59.6, 150, 2 * 3600)] == ["60 seconds", "2.5 minutes", "2.0 hours"]
    assert 50 < peak_memory() < 100_000
