"""Logs of a run that other programs keep: Weights & Biases, and MLflow, each imported where it is used."""

import json
import os
import secrets
from pathlib import Path

import keras
from PIL import Image

from keras_t2i.utils.files import write_text


class WandbLog(keras.callbacks.Callback):
    """A run of Weights & Biases, of the project of $WANDB_PROJECT, else "keras_t2i".

    Without a key, or with WANDB_MODE=offline, it is kept in the folder, for `wandb sync`. `wandb.json` has
    its name and the last epochs, which offline nobody else knows; it is written first: what a kill then keeps
    from being written is missing, and nothing is there twice.
    """

    package = "wandb"

    def __init__(self, folder, resume):
        super().__init__()
        self.folder, self.file = Path(folder), Path(folder) / "wandb.json"
        self.known = {"figures": 0, "pictures": 0, "step": 0}
        if resume and self.file.exists():
            self.known |= json.loads(self.file.read_text(encoding="utf-8"))

    def on_train_begin(self, logs=None):
        import wandb

        self.folder.mkdir(parents=True, exist_ok=True)
        self.known.setdefault("id", secrets.token_hex(4))
        offline = "WANDB_MODE" not in os.environ and not wandb.setup().settings.api_key
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "keras_t2i"),
            name=self.folder.absolute().parent.name,
            dir=str(self.folder),
            id=self.known["id"],
            resume="allow",
            mode="offline" if offline else None,
        )
        self.run.define_metric("*", step_metric="epoch")

    def _log(self, what, epoch, values):
        if epoch + 1 > self.known[what]:
            step = self.known["step"]
            self.known |= {what: epoch + 1, "step": step + 1}
            write_text(self.file, json.dumps(self.known))
            self.run.log({"epoch": epoch + 1, **values}, step=step, commit=True)

    def on_epoch_end(self, epoch, logs=None):
        self._log("figures", epoch, floats(logs))

    def on_picture(self, epoch, picture):
        import wandb

        self._log("pictures", epoch, {"drawn": wandb.Image(picture)})

    def on_train_end(self, logs=None):
        self.run.finish()


class MLflowLog(keras.callbacks.Callback):
    """A run of MLflow, of the experiment "keras_t2i", where $MLFLOW_TRACKING_URI says, else in the folder;
    its steps are epochs from 1. `mlflow.json` has its name."""

    package = "mlflow"

    def __init__(self, folder, resume):
        super().__init__()
        self.folder, self.file, self.resume = Path(folder), Path(folder) / "mlflow.json", resume

    def on_train_begin(self, logs=None):
        from mlflow import MlflowClient

        where = os.environ.get("MLFLOW_TRACKING_URI")
        if not where:
            where = (self.folder / "mlflow").absolute().as_uri()
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # it would rather have a database
        self.client = MlflowClient(where)
        if self.resume and self.file.exists():
            self.run = json.loads(self.file.read_text(encoding="utf-8"))["run"]
        else:
            found = self.client.get_experiment_by_name("keras_t2i")
            experiment = found.experiment_id if found else self.client.create_experiment("keras_t2i")
            name = self.folder.absolute().parent.name
            self.run = self.client.create_run(experiment, run_name=name).info.run_id
            write_text(self.file, json.dumps({"run": self.run}))
        self.client.update_run(self.run, "RUNNING")
        self.known = {}

    def on_epoch_end(self, epoch, logs=None):
        for name, value in floats(logs).items():
            if name not in self.known:
                history = self.client.get_metric_history(self.run, name)
                self.known[name] = max((metric.step for metric in history), default=0)
            if epoch + 1 > self.known[name]:
                self.client.log_metric(self.run, name, value, step=epoch + 1)

    def on_picture(self, epoch, picture):  # of one name is one file
        self.client.log_image(self.run, Image.fromarray(picture), f"pictures/epoch_{epoch + 1:04d}.png")

    def on_train_end(self, logs=None):
        self.client.set_terminated(self.run)


def floats(logs):
    """An epoch's logs as floats of Python."""
    return {name: float(value) for name, value in (logs or {}).items()}
