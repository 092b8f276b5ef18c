"""What `fit` does besides learning: showing how far it is, what it draws, and its figures."""

import sys
import warnings
from pathlib import Path

import keras
from tqdm.auto import tqdm

from keras_t2i.utils.files import record
from keras_t2i.utils.images import save_png


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


class Logs(keras.callbacks.Callback):
    """TensorBoard's files; a disk that is full or read-only ends them with a warning, and not the run.

    Args:
        folder: gets `train/` and `validation/`.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = Path(folder)
        self.writer = keras.callbacks.TensorBoard(folder, write_graph=False, update_freq="epoch")
        self._known = set(self.folder.glob("*/events.out.*"))

    def _write(self, hook, *args):
        if self.writer is None:
            return
        try:
            getattr(self.writer, hook)(*args)
            for file in set(self.folder.glob("*/events.out.*")) - self._known:
                self._known.add(file)
                record(file)
        except Exception as error:  # TensorFlow has kinds of its own for a full disk
            self.writer = None
            warnings.warn(f"could not write {self.folder} ({error}); training goes on", stacklevel=2)

    def set_params(self, params):
        super().set_params(params)
        self._write("set_params", params)

    def set_model(self, model):
        super().set_model(model)
        self._write("set_model", model)

    def on_train_begin(self, logs=None):
        self._write("on_train_begin", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._write("on_epoch_begin", epoch, logs)

    def on_test_begin(self, logs=None):
        self._write("on_test_begin", logs)

    def on_test_end(self, logs=None):
        self._write("on_test_end", logs)

    def on_epoch_end(self, epoch, logs=None):
        self._write("on_epoch_end", epoch, logs)

    def on_train_end(self, logs=None):
        self._write("on_train_end", logs)
