"""Figures and pictures of a run, for TensorBoard, a table, Weights & Biases, or MLflow: `LOGS`.

No epoch is written twice. What a run wrote of an epoch that its state does not have, for it was killed in
between, stays when the run is resumed, and the epoch, which is the same again, is left out.
"""

import csv
import importlib.util
import io
import warnings
from pathlib import Path

import keras

from keras_t2i.training.trackers import MLflowLog
from keras_t2i.training.trackers import WandbLog
from keras_t2i.training.trackers import floats
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import record
from keras_t2i.utils.files import write_text


class TensorBoardLog(keras.callbacks.TensorBoard):
    """TensorBoard's files in `train/`, `validation/` and `pictures/`; its steps are epochs from 0."""

    package = "tensorboard"

    def __init__(self, folder, resume):
        super().__init__(folder, write_graph=False, update_freq="epoch")
        parts = ("train", "pictures")
        self.known = {part: last_step(Path(folder, part)) if resume else -1 for part in parts}
        self.tested = None

    def on_test_end(self, logs=None):
        self.tested = logs  # for after the epoch: its figures tell a run that is resumed that all are there

    def on_epoch_end(self, epoch, logs=None):
        if epoch > self.known["train"]:
            super().on_epoch_end(epoch, logs)
            self._flush()
            if self.tested is not None:
                super().on_test_end(self.tested)
                self._flush()
        self.tested = None

    def on_picture(self, epoch, picture):
        if epoch <= self.known["pictures"]:
            return
        if "pictures" not in self._writers:
            self._writers["pictures"] = self.summary.create_file_writer(str(Path(self.log_dir, "pictures")))
        with self._writers["pictures"].as_default():
            self.summary.image("drawn", picture[None], step=epoch)
        self._flush()

    def _flush(self):
        for writer in self._writers.values():
            writer.flush()  # else a kill takes what two minutes wrote


def last_step(folder):
    """The last step of a folder of TensorBoard's files, an int; -1: there is none."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    files = folder.glob("events.out.*")
    steps = (
        event.step for file in files for event in EventFileLoader(str(file)).Load() if event.summary.value
    )
    return max(steps, default=-1)


class TableLog(keras.callbacks.Callback):
    """`epochs.csv`: a row for each epoch, from 1, a column for each figure, empty where there was none."""

    package = "csv"

    def __init__(self, folder, resume):
        super().__init__()
        self.file = Path(folder) / "epochs.csv"
        self.rows = {}
        if resume and self.file.exists():
            with self.file.open(encoding="utf-8", newline="") as file:
                self.rows = {int(row["epoch"]): row for row in csv.DictReader(file)}

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 in self.rows:
            return
        self.rows[epoch + 1] = {"epoch": epoch + 1, **floats(logs)}
        text = io.StringIO(newline="")
        columns = dict.fromkeys(name for row in self.rows.values() for name in row)
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows.values())
        write_text(self.file, text.getvalue())

    def on_picture(self, epoch, picture):
        pass  # it is a file in pictures/


LOGS = {"tensorboard": TensorBoardLog, "csv": TableLog, "wandb": WandbLog, "mlflow": MLflowLog}


def check_logs(names):
    """Check, before any work, that there are such logs, and what they need.

    Raises:
        ValueError: there is no log of a name.
        ImportError: its package is not installed.
    """
    for name in names:
        if name not in LOGS:
            raise ValueError(f"there is no log {name!r}; there are {', '.join(LOGS)}")
        if importlib.util.find_spec(LOGS[name].package) is None:
            raise ImportError(f'--log {name} needs the package {name}: pip install "keras-t2i[{name}]"')


class Logs(keras.callbacks.Callback):
    """Some of `LOGS`. Where one cannot be written, for a disk that is full or read-only, or a network that is
    away, it ends with a warning, and not the run.

    Args:
        folder: of what is written.
        names: of `LOGS`.
        resume: bool, whether what is there is this run's, and its epochs are left out; of another run, in a
            folder that it left, none are.

    Raises: as of `check_logs`.
    """

    def __init__(self, folder, names=("tensorboard",), resume=False):
        super().__init__()
        check_logs(names)
        self.folder = expanded(folder)
        self._known = self._files()
        self._logs = {}
        for name in names:
            self._try(name, lambda name=name: self._logs.update({name: LOGS[name](self.folder, resume)}))

    def _files(self):
        return {file for file in self.folder.rglob("*") if file.is_file()}

    def _try(self, name, write):
        try:
            write()
            for file in self._files() - self._known:
                self._known.add(file)
                record(file)
        except Exception as error:  # TensorFlow has kinds of its own for a full disk
            self._logs.pop(name, None)
            warnings.warn(
                f"could not write {name} in {self.folder} ({error}); training goes on", stacklevel=3
            )

    def _write(self, hook, *args):
        for name, log in list(self._logs.items()):
            self._try(name, lambda log=log: getattr(log, hook)(*args))

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

    def on_picture(self, epoch, picture):
        """What the objective draws, uint8 `(h, w, 3)`, after an epoch, counted from 0."""
        self._write("on_picture", epoch, picture)

    def on_train_end(self, logs=None):
        self._write("on_train_end", logs)
