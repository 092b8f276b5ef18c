"""A whole training run: what it will cost, resuming, and everything that is written on the way."""

import functools
import math
import statistics
import sys
import time
from pathlib import Path

import keras

from keras_t2i.data.pipeline import SetPipelineEpoch
from keras_t2i.training.callbacks import PictureGrid
from keras_t2i.training.callbacks import ProgressLine
from keras_t2i.training.checkpoint import Checkpoint
from keras_t2i.training.checkpoint import StopOnNonFinite
from keras_t2i.training.distribution import world
from keras_t2i.training.distribution.sharing import in_the_first
from keras_t2i.training.distribution.sharing import share
from keras_t2i.training.logs import Logs
from keras_t2i.training.logs import check_logs
from keras_t2i.training.run_folder import is_run
from keras_t2i.training.run_folder import keep_tokenizer
from keras_t2i.training.run_folder import open_run
from keras_t2i.training.run_folder import resume_key

PROBE_STEPS = 6
REPORTS = 200  # about how often a long run is validated and drawn


def train(
    objective,
    pipeline,
    epochs,
    folder,
    validation=None,
    draw=None,
    picture_every=1,
    settings=None,
    restart=False,
    callbacks=(),
    presets=(),
    minutes=None,
    most_epochs=None,
    log=("tensorboard",),
):
    """Train a compiled objective, or go on where an interrupted run of the same settings stopped.

    Prints the cost first. Writes below `folder`: `state/` (resume), `logs/`, `pictures/`.
    All that this process writes there from now on, be it a preset, is listed in `state/written.jsonl`.

    Args:
        objective: compiled `Objective`.
        pipeline: `Pipeline` of training batches.
        epochs: int, of `len(pipeline)` steps each; `None`: as many as fit into `minutes`.
        folder: str or path of the run.
        validation: optional fixed `Pipeline`.
        draw: optional function of the objective to a uint8 picture `(h, w, 3)`, for the grids.
        picture_every: int, epochs between two grids; more in a run of very many.
        settings: dict, JSON-able, that must be the same to resume.
        restart: bool, throw an earlier run in `folder` away: what it wrote, by the list that it kept, and
            nothing else.
        callbacks: further Keras callbacks. What they add to an epoch's logs is written and returned.
        presets: names, folders or handles of the presets that went into the objective. If their files, the
            data or the versions of this package and Keras change, the run is not resumed.
        minutes: float, how long the steps may take by the time of one, which is measured when the run begins:
            a run that is resumed has the epochs that it began with.
        most_epochs: int, of those that minutes are made of; `None`: any number.
        log: names out of `training.logs.LOGS`, of what is written into `logs/`.

    Returns:
        dict: `seconds` and `seconds_per_step` of this call, and the last epoch's metrics.

    Raises:
        ValueError: `folder` holds a run of other settings, data, presets or versions, a damaged one, or, with
            `restart`, files that are of no run; the message says what to do. Or the run ends before its first
            update, or its batches cannot be shared by the devices of `distribution.start`.
        ImportError: a log needs a package that is not installed.
        ConnectionError: another process of a run of several is gone; the message says how to go on.
        FloatingPointError: the loss was not a finite number; the last good weights are in place, in a run of
            one process.
        KeyboardInterrupt: with words for the person who stopped the run: how to go on.
    """
    folder = Path(folder)
    if epochs is None and minutes is None:
        raise ValueError("train needs the length of the run: epochs or minutes")
    check_logs(log)
    everyone = world()
    everyone.check(objective, pipeline.batch_size)
    key = resume_key(settings or {}, pipeline, validation, presets)
    run = _Run(folder, objective, pipeline, validation, Checkpoint(folder / "state", key), everyone)
    everyone.build(objective)
    try:
        with everyone.training(objective):
            # Last of all that can be wrong, as it may remove an earlier run.
            everyone.in_the_first(lambda: open_run(folder, restart, presets))
            logs = everyone.in_the_first(lambda: Logs(folder / "logs", log, resume=is_run(folder)))
            done, epochs = run.begin(epochs, minutes, most_epochs)
            found = {"seconds": 0.0, "seconds_per_step": 0.0}
            if done < epochs:
                found = run.go_on(done, epochs, draw, picture_every, callbacks, logs)
    except everyone.errors as error:
        everyone.lost(error)
    everyone.leave()
    return found


class _Run:
    """The parts of `train`, in which each process of a `World` takes the same way."""

    def __init__(self, folder, objective, pipeline, validation, checkpoint, everyone):
        self.folder, self.objective, self.pipeline, self.validation = folder, objective, pipeline, validation
        self.checkpoint, self.everyone, self.timed = checkpoint, everyone, None
        self.batches, self.held_out = share(pipeline, everyone), share(validation, everyone)

    def begin(self, epochs, minutes, most_epochs):
        """Load what there is to go on from; returns how many epochs are done, of how many."""
        objective, checkpoint, everyone = self.objective, self.checkpoint, self.everyone
        saved = everyone.in_the_first(checkpoint.saved_settings) or {}
        if epochs is None:
            epochs = everyone.number(saved.get("epochs", 0))
            if not epochs:
                self.timed = time_a_step(objective, self.batches)
                epochs = everyone.number(epochs_in(minutes, self.timed[1], len(self.pipeline), most_epochs))
            checkpoint.settings |= {"minutes": minutes, "epochs": epochs}
        elif "minutes" in saved:  # which these epochs were made of
            checkpoint.settings["minutes"] = saved["minutes"]
        restore = functools.partial(checkpoint.restore, objective, len(self.pipeline))
        done = everyone.number(everyone.in_the_first(restore) or 0)
        objective.set_steps(epochs * len(self.pipeline))
        everyone.spread(objective)
        if done and everyone.first:
            print(f"Resuming {self.folder} after epoch {min(done, epochs)} of {epochs}.", file=sys.stderr)
        if not done and everyone.first:
            keep_tokenizer(self.folder, self.pipeline.preprocessor)
        return done, epochs

    def go_on(self, done, epochs, draw, picture_every, callbacks, logs):
        """Train; returns what `train` does."""
        checkpoint, pipeline = self.checkpoint, self.pipeline
        first, per_step = self.timed or time_a_step(self.objective, self.batches)
        if self.everyone.first:
            print_cost(self.objective, pipeline, self.validation, epochs, done, first, per_step)
        every = max(1, epochs // REPORTS)
        grid = PictureGrid(self.folder / "pictures", draw, max(every, picture_every), logs=logs)
        own = [*callbacks, logs, ProgressLine(epochs, len(pipeline), done), *([] if draw is None else [grid])]
        start = time.perf_counter()
        try:
            history = self.objective.fit(
                **self.everyone.feeds(self.batches, self.held_out),
                epochs=epochs,
                initial_epoch=done,
                validation_freq=sorted({*range(every, epochs + 1, every), epochs}),
                shuffle=False,
                verbose=0,
                callbacks=[
                    SetPipelineEpoch(pipeline),
                    *in_the_first(self.everyone, [*own, checkpoint]),
                    StopOnNonFinite(checkpoint, restore=self.everyone.processes == 1),
                ],
            ).history
        except KeyboardInterrupt:
            raise KeyboardInterrupt(where_it_stands(self.folder, checkpoint.epochs_done, epochs)) from None
        last = {name: values[-1] for name, values in history.items()}
        return {"seconds": time.perf_counter() - start, "seconds_per_step": per_step, **last}


def epochs_in(minutes, seconds_per_step, steps_per_epoch, most=None):
    """How many epochs come nearest to so many minutes: an int of at least 1, and of `most`, if given."""
    epochs = max(1, round(60 * minutes / (seconds_per_step * steps_per_epoch)))
    return epochs if most is None else min(epochs, most)


def where_it_stands(folder, done, epochs):
    """What to tell a person who stopped a run."""
    if done:
        return (
            f"Stopped after epoch {done} of {epochs}, kept in {folder}: the same command goes on from there."
        )
    return f"Stopped in the first epoch of {epochs}: the same command begins anew."


class _Probe(keras.utils.PyDataset):
    def __init__(self, pipeline):
        super().__init__()
        self.pipeline = pipeline

    def __len__(self):
        return PROBE_STEPS

    def __getitem__(self, index):
        return self.batch(index)

    def batch(self, step):
        return self.pipeline.batch(step)

    def steps(self):
        return range(PROBE_STEPS)


class _Clock(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.times = [time.perf_counter()]

    def on_train_batch_end(self, batch, logs=None):
        float(logs["loss"])  # waits for the device
        self.times.append(time.perf_counter())


def time_a_step(objective, pipeline):
    """Seconds of the first step (which compiles) and of the median later one, measured by running a few.

    Everything that these steps changed is put back.
    """
    variables = [*objective.variables, *objective.optimizer.variables]
    before = [keras.ops.convert_to_numpy(v) for v in variables]
    clock = _Clock()
    objective.fit(**world().feeds(_Probe(pipeline)), verbose=0, shuffle=False, callbacks=[clock])
    world().assign(variables, before)
    times = [later - earlier for earlier, later in zip(clock.times, clock.times[1:], strict=False)]
    return times[0], statistics.median(times[1:])


def print_cost(objective, pipeline, validation, epochs, done, first, per_step):
    trained = sum(math.prod(v.shape) for v in objective.trainable_variables)
    steps = (epochs - done) * len(pipeline)
    seconds = steps * per_step
    held_out = "" if validation is None else f", {len(validation.data):,} for validation"
    print(
        f"{type(objective).__name__} on {keras.config.backend()}: {len(pipeline.data):,} pictures{held_out}; "
        f"{trained:,} parameters to train.\n"
        f"{steps:,} steps of {pipeline.batch_size} at {per_step * 1e3:.0f} ms (the first: {first:.1f} s): "
        f"about {in_words(seconds)}.",
        file=sys.stderr,
        flush=True,
    )


def in_words(seconds):
    """150 to "2.5 minutes"."""
    if seconds < 90:
        return f"{max(seconds, 2):.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds / 3600:.1f} hours"
