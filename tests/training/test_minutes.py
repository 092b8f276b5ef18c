"""A run whose length is given in minutes: decided once, kept in the run's state, and scheduled for."""

import json

import keras
import numpy as np
import pytest
from run_state import largest_difference
from run_state import state
from tiny_objectives import tiny_gan
from tiny_objectives import tiny_objective
from tiny_objectives import tiny_pipeline

from keras_t2i.training import run
from keras_t2i.training.optimizers import adamw
from keras_t2i.training.run import train

STEPS, EPOCHS = 3, 3
MINUTES = EPOCHS * STEPS * 2 / 60  # where a step takes two seconds


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C in the second batch of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, 1):
            raise KeyboardInterrupt


def objective(**length):
    return tiny_objective("reconstruction", optimizer=lambda: adamw(3e-3, accumulate=2, **length))


@pytest.fixture
def pipeline():
    return tiny_pipeline(batch_size=4, steps_per_epoch=STEPS)


@pytest.fixture
def speed(monkeypatch):
    """A function that sets how long a step takes, in seconds, by the probe."""

    def set_speed(seconds):
        monkeypatch.setattr(run, "time_a_step", lambda *args: (1.0, seconds))

    return set_speed


def test_a_resumed_run_keeps_its_length_and_schedule_on_a_slower_machine(pipeline, speed, tmp_path, capsys):
    speed(2.0)
    with pytest.raises(KeyboardInterrupt, match=f"Stopped after epoch 1 of {EPOCHS}, kept in .*whole"):
        train(objective(), pipeline, None, tmp_path / "whole", minutes=MINUTES, callbacks=[Interrupt(1)])
    settings = json.loads((tmp_path / "whole" / "state" / "settings.json").read_text())
    assert (settings["minutes"], settings["epochs"]) == (MINUTES, EPOCHS)
    speed(200.0)
    resumed = objective()
    train(resumed, pipeline, None, tmp_path / "whole", minutes=MINUTES)
    assert f"after epoch 1 of {EPOCHS}" in capsys.readouterr().err
    assert int(resumed.steps) == EPOCHS * STEPS
    told = objective(steps=EPOCHS * STEPS)  # before `compile`, and in epochs
    train(told, pipeline, EPOCHS, tmp_path / "told")
    assert largest_difference(state(resumed), state(told)) == 0
    # As `--epochs` has it, where they are those that the minutes became.
    assert train(resumed, pipeline, EPOCHS, tmp_path / "whole", settings={"epochs": EPOCHS})["seconds"] == 0
    with pytest.raises(ValueError, match=f"epochs: {EPOCHS} there, 5 here"):
        train(resumed, pipeline, 5, tmp_path / "whole", settings={"epochs": 5})
    with pytest.raises(ValueError, match=r"minutes: 0\.3 there, 7 here"):
        train(resumed, pipeline, None, tmp_path / "whole", minutes=7)


def test_a_run_stopped_in_its_first_epoch_begins_anew(pipeline, speed, tmp_path):
    speed(2.0)
    with pytest.raises(KeyboardInterrupt, match="Stopped in the first epoch of 3: the same command begins"):
        train(objective(), pipeline, None, tmp_path, minutes=MINUTES, callbacks=[Interrupt(0)])
    speed(6.0)
    fewer = objective()
    train(fewer, pipeline, None, tmp_path, minutes=MINUTES)
    assert int(fewer.steps) == STEPS


def test_minutes_become_whole_epochs_and_at_least_one():
    assert run.epochs_in(7, seconds_per_step=0.1, steps_per_epoch=100) == 42
    assert run.epochs_in(0.01, seconds_per_step=10, steps_per_epoch=100) == 1
    assert run.epochs_in(7, 0.1, 100, most=40) == 40 and run.epochs_in(7, 0.1, 100, most=43) == 42


def test_the_length_must_be_given_and_hold_an_update(pipeline, speed, tmp_path):
    with pytest.raises(ValueError, match="epochs or minutes"):
        train(objective(), pipeline, None, tmp_path)
    slow = tiny_objective("reconstruction", optimizer=lambda: adamw(3e-3, accumulate=1000))
    with pytest.raises(ValueError, match="at most the 6 steps of the run, received 1000"):
        train(slow, pipeline, 2, tmp_path)


def test_a_long_run_is_drawn_and_validated_now_and_then(pipeline, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "REPORTS", 2)
    drawn = []

    def draw(objective):
        drawn.append(int(objective.steps) // STEPS)
        return np.zeros((8, 8, 3), "uint8")

    logs = train(objective(), pipeline, 5, tmp_path, validation=tiny_pipeline(training=False), draw=draw)
    assert drawn == [2, 4, 5] and "val_loss" in logs


def test_a_schedule_is_set_in_both_optimizers_of_a_gan(pipeline, tmp_path):
    both = [adamw(3e-3, name="generator"), adamw(3e-3, steps=50, name="discriminator")]
    gan = tiny_gan(optimizers=lambda: both)
    gan.set_steps(200)
    rates = [[float(o.schedule(step)) for step in (0, 20, 200)] for o in gan.optimizer.optimizers]
    np.testing.assert_allclose(rates[0], [0, 3e-3, 3e-5], atol=1e-8)
    assert rates[1][1] < 2.5e-3  # its length was given: it stays
