"""What `fit` does besides learning: showing how far it is, what it draws, and what no batch can tell."""

import sys
import warnings
from pathlib import Path

import keras
from tqdm.auto import tqdm

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
        live = sys.stderr.isatty() or "ipykernel" in sys.modules  # a terminal, or a notebook
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


class Periodic(keras.callbacks.Callback):
    """Something to do after some of the epochs, and after the last.

    Args:
        every: int, epochs between two times.
        epochs: int, of the whole run; `None`: as `fit` is told.
        times: int, in place of `every`: about how often in the whole run, but at most once an epoch.
    """

    def __init__(self, every=1, epochs=None, times=None):
        super().__init__()
        self.every, self.epochs, self.times = every, epochs, times

    def is_due(self, epoch):
        """Whether it is to be done after this epoch, counted from 0."""
        epochs = (self.params or {}).get("epochs") if self.epochs is None else self.epochs
        every = self.every if self.times is None else max(1, epochs // self.times)
        return (epoch + 1) % every == 0 or epoch + 1 == epochs


class PictureGrid(Periodic):
    """After an epoch, a PNG of what the average of the network makes.

    Args:
        folder: gets `epoch_0001.png` and on.
        draw: function of the objective to a uint8 picture `(h, w, 3)`.
        every, epochs, times: of `Periodic`.
        logs: `Logs`, which get the picture too, or `None`.
    """

    def __init__(self, folder, draw, every=1, epochs=None, times=None, logs=None):
        super().__init__(every, epochs, times)
        self.folder, self.draw, self.logs = Path(folder), draw, logs

    def on_epoch_end(self, epoch, logs=None):
        if self.is_due(epoch):
            picture = self.draw(self.model)
            try:
                save_png(picture, self.folder / f"epoch_{epoch + 1:04d}.png")
            except OSError as error:
                warnings.warn(f"could not save a picture ({error}); training goes on", stacklevel=2)
            if self.logs is not None:
                self.logs.on_picture(epoch, picture)


class Measure(Periodic):
    """After an epoch, figures that no batch can tell join the epoch's logs.

    Args:
        measure: function of the objective to a dict of floats.
        every, epochs, times: of `Periodic`.
    """

    def __init__(self, measure, every=1, epochs=None, times=None):
        super().__init__(every, epochs, times)
        self.measure = measure

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None and self.is_due(epoch):
            logs.update(self.measure(self.model))
