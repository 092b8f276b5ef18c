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

from keras_t2i.training.event_files import EventFile
from keras_t2i.training.event_files import last_step
from keras_t2i.training.trackers import MLflowLog
from keras_t2i.training.trackers import WandbLog
from keras_t2i.training.trackers import floats
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import record
from keras_t2i.utils.files import write_text


class TensorBoardLog(keras.callbacks.Callback):
    """TensorBoard's files in `train/`, `validation/` and `pictures/`; its steps are epochs from 0.

    The figures have the names that they have of `keras.callbacks.TensorBoard`, which needs TensorFlow.
    """

    package = "tensorboard"

    def __init__(self, folder, resume):
        super().__init__()
        self.files = {part: EventFile(Path(folder, part)) for part in ("train", "validation", "pictures")}
        parts = ("train", "pictures")
        self.known = {part: last_step(self.files[part].folder) if resume else -1 for part in parts}
        self.tested = None

    def on_test_end(self, logs=None):
        self.tested = logs  # for after the epoch: its figures tell a run that is resumed that all are there

    def on_epoch_end(self, epoch, logs=None):
        figures = floats(logs)
        if epoch > self.known["train"] and figures:
            of_validation = {name[4:]: figures.pop(name) for name in [*figures] if name.startswith("val_")}
            figures |= learning_rates(self.model.optimizer)
            self.files["train"].write(epoch, {f"epoch_{name}": value for name, value in figures.items()})
            self.files["validation"].write(epoch, {f"epoch_{k}": v for k, v in of_validation.items()})
            iterations = getattr(self.model.optimizer, "iterations", None)
            if self.tested and iterations is not None:
                tested = {f"evaluation_{k}_vs_iterations": v for k, v in floats(self.tested).items()}
                self.files["validation"].write(int(keras.ops.convert_to_numpy(iterations)), tested)
        self.tested = None

    def on_picture(self, epoch, picture):
        if epoch > self.known["pictures"]:
            self.files["pictures"].write(epoch, {"drawn": picture})


def learning_rates(optimizer):
    """The learning rates of an optimizer, or of one that it is made of, as figures of an epoch."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        return {}
    return {"learning_rate": float(keras.ops.convert_to_numpy(optimizer.learning_rate))}


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
