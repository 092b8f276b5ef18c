"""What `fit` does besides learning: saving, resuming, showing, and stopping when the loss breaks."""

import errno
import json
import math
import shutil
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
from tqdm.auto import tqdm

from keras_t2i.utils.images import save_png


class Checkpoint(keras.callbacks.Callback):
    """Writes the whole state of a run after every epoch: weights, averages, optimizer, dice, steps.

    The file is written under another name and renamed, so a kill at any moment leaves the last whole
    one. With a `Pipeline`, whose batches are a function of the step, a resumed run ends bit for bit
    where an uninterrupted one ends (on a CPU).

    Args:
        folder: where `state.weights.h5` and `settings.json` are kept.
        settings: dict, JSON-able: what must not change between a run and its resumption.
    """

    def __init__(self, folder, settings=None):
        super().__init__()
        self.folder = Path(folder)
        self.settings = json.loads(json.dumps(settings or {}))
        self.state_file = self.folder / "state.weights.h5"
        self.settings_file = self.folder / "settings.json"

    def restore(self, objective, steps_per_epoch):
        """Load the last state into a compiled `objective`, if there is one.

        Returns:
            The number of epochs that are done; 0 for a new run.

        Raises:
            ValueError: the saved run was made with other settings.
        """
        if not self.state_file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(
                self.settings_file, lambda path: path.write_text(json.dumps(self.settings, indent=2))
            )
            return 0
        saved = json.loads(self.settings_file.read_text())
        if saved != self.settings:
            changed = sorted(k for k in {*saved, *self.settings} if saved.get(k) != self.settings.get(k))
            differences = ", ".join(
                f"{k}: {saved.get(k)} there, {self.settings.get(k)} here" for k in changed
            )
            raise ValueError(
                f"{self.folder} holds a run with other settings ({differences}). "
                "Give the same settings to resume it, another --output, or --restart to throw it away"
            )
        objective.load_weights(self.state_file)
        return int(objective.steps) // steps_per_epoch

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(float((logs or {}).get("loss", 0.0))) or not all_finite(self.model):
            return  # the last good state stays; StopOnNonFinite goes back to it
        try:
            self._check_room()  # HDF5 ends the whole process if it meets the disk's end while writing
            write_atomically(self.state_file, self.model.save_weights)
        except OSError as error:
            warnings.warn(f"could not save the run's state ({error}); training goes on", stacklevel=2)

    def _check_room(self):
        variables = [*self.model.variables, *self.model.optimizer.variables]
        needed = sum(4 * math.prod(v.shape) + 2048 for v in variables)
        if shutil.disk_usage(self.folder).free < needed:
            raise OSError(errno.ENOSPC, f"{needed / 2**20:.0f} MiB needed", str(self.folder))


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends a run whose loss is no longer a number, with the last good weights in the model.

    Args:
        checkpoint: `Checkpoint`, which holds them.
        every: int, batches between two looks (a look waits for the device).
    """

    def __init__(self, checkpoint, every=20):
        super().__init__()
        self.checkpoint, self.every = checkpoint, every

    def on_train_begin(self, logs=None):
        self.broken_at = None
        self.start = [keras.ops.convert_to_numpy(v) for v in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        if batch % self.every == 0:
            self._look(f"batch {batch}", logs)

    def on_epoch_end(self, epoch, logs=None):
        if self.broken_at is None and not all_finite(self.model):
            self.broken_at = "the epoch's end"
        self._look("the epoch's end", logs)

    def _look(self, where, logs):
        # The running mean of an epoch stays broken once one loss is.
        if self.broken_at is None and not math.isfinite(float((logs or {}).get("loss", 0.0))):
            self.broken_at = where
        if self.broken_at is not None:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.broken_at is None:
            return
        if self.checkpoint.state_file.exists():
            self.model.load_weights(self.checkpoint.state_file)
            good = f"those of {self.checkpoint.state_file}, step {int(self.model.steps)}"
        else:
            self.model.set_weights(self.start)
            good = "those that it started with"
        raise FloatingPointError(
            f"the loss or a weight was not a finite number by {self.broken_at}. "
            f"The model's weights are now {good}. "
            "Lower the learning rate, or use float32 where you used a smaller type"
        )


class ProgressLine(keras.callbacks.Callback):
    """One live line for the whole run: how far, how long still, the metrics.

    Args:
        epochs: int, of the whole run.
        steps_per_epoch: int.
        done: int, epochs done before.
    """

    def __init__(self, epochs, steps_per_epoch, done=0):
        super().__init__()
        self.arguments = {"total": epochs * steps_per_epoch, "initial": done * steps_per_epoch}

    def on_train_begin(self, logs=None):
        live = sys.stderr.isatty()
        self.line = tqdm(**self.arguments, unit="step", mininterval=0.5 if live else 30, dynamic_ncols=True)

    def on_train_batch_end(self, batch, logs=None):
        self.line.update()
        if batch % 20 == 0:
            self._show(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._show(logs)

    def _show(self, logs):
        self.line.set_postfix({k: f"{float(v):.3f}" for k, v in (logs or {}).items()}, refresh=False)

    def on_train_end(self, logs=None):
        self.line.close()


class PictureGrid(keras.callbacks.Callback):
    """After an epoch, a PNG of what the average of the network makes.

    Args:
        folder: gets `epoch_0001.png` and on.
        draw: function of the objective to a uint8 picture `(h, w, 3)`.
        every: int, epochs between two pictures; the last epoch always has one.
        epochs: int, of the whole run.
    """

    def __init__(self, folder, draw, every=1, epochs=None):
        super().__init__()
        self.folder, self.draw, self.every, self.epochs = Path(folder), draw, every, epochs

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs:
            picture = self.draw(self.model)
            try:
                save_png(picture, self.folder / f"epoch_{epoch + 1:04d}.png")
            except OSError as error:
                warnings.warn(f"could not save a picture ({error}); training goes on", stacklevel=2)


class Measure(keras.callbacks.Callback):
    """After an epoch, figures that no batch can tell join the epoch's logs.

    Args:
        measure: function of the objective to a dict of floats.
        every: int, epochs between two times; the last epoch always counts.
        epochs: int, of the whole run.
    """

    def __init__(self, measure, every=1, epochs=None):
        super().__init__()
        self.measure, self.every, self.epochs = measure, every, epochs

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None and ((epoch + 1) % self.every == 0 or epoch + 1 == self.epochs):
            logs.update(self.measure(self.model))


def all_finite(model):
    return all(np.isfinite(keras.ops.convert_to_numpy(v)).all() for v in model.trainable_variables)


def write_atomically(path, write):
    """Call `write(temporary path)` and rename the result to `path`, which is old or new, never half."""
    path = Path(path)
    temporary = path.with_name("." + path.name)  # the same ending, which Keras insists on
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
