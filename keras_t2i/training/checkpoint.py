"""The state of a run: saving it, going on from it, and going back to it when the loss breaks."""

import hashlib
import io
import json
import math
import re
import time
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np

from keras_t2i.models.lora import is_lora
from keras_t2i.utils.files import digest
from keras_t2i.utils.files import weights_in_memory
from keras_t2i.utils.files import write_bytes
from keras_t2i.utils.files import write_text

SHARE = 0.05  # of the time, at most, that goes into saving
CHEAP = 0.5  # seconds: who saves as fast does so after every epoch
FINGERPRINT = re.compile(r"[0-9a-f]{32,}")  # a value that says that something changed, and not what it was


def steps_done(model):
    """The `steps` of an `Objective`, an int; on several devices too, where `int` takes no variable."""
    return int(keras.ops.convert_to_numpy(model.steps))


class Checkpoint(keras.callbacks.Callback):
    """Writes the whole state of a run after an epoch: weights, averages, optimizer, random state, steps.

    That is every epoch where it takes under half a second; else so many that saving takes a twentieth of the
    time, for epochs of small data sets are short, and networks may be large; and always the last.

    The file is written under another name and renamed, so a kill at any moment leaves the last whole
    one. With a `Pipeline`, whose batches are a function of the step, a resumed run ends bit for bit
    where an uninterrupted one ends (on a CPU).

    `state.sha256` holds the digest of the state, a line, and below it that of the state before: it is written
    first, so that a kill between the two files leaves a state whose digest is there.

    Args:
        folder: where `state.weights.h5`, `state.sha256` and `settings.json` are kept.
        settings: dict, JSON-able: what must not change between a run and its resumption.
    """

    def __init__(self, folder, settings=None):
        super().__init__()
        self.folder = Path(folder)
        self.settings = json.loads(json.dumps(settings or {}))
        self.state_file = self.folder / "state.weights.h5"
        self.digest_file = self.folder / "state.sha256"
        self.settings_file = self.folder / "settings.json"
        self.digest = None  # of the state that is there
        self.epochs_done = 0  # of that state
        self.due = -math.inf  # when the next is to be written, by `time.monotonic`

    def saved_settings(self):
        """The settings of the run that is there to be gone on with; an empty dict for a new run.

        Raises: ValueError where they are damaged.
        """
        if not self.state_file.exists():
            return {}
        try:
            return dict(json.loads(self.settings_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(
                f"{self.settings_file} is damaged or missing ({error}), so the run cannot be resumed. Delete "
                f"the folder {self.folder} to start anew, or give another --output"
            ) from error

    def restore(self, objective, steps_per_epoch):
        """Load the last state into a compiled `objective`, if there is one.

        Returns:
            The number of epochs that are done; 0 for a new run.

        Raises:
            ValueError: the saved run was made with other settings, or a file is damaged; names what, and what
                to do.
        """
        if not self.state_file.exists():
            write_text(self.settings_file, json.dumps(self.settings, indent=2))
            return 0
        if changed := differences(self.saved_settings(), self.settings):
            raise ValueError(
                f"{self.folder} holds a run with other settings ({', '.join(changed)}). "
                "Give the same settings to resume it, another --output, or --restart to throw it away"
            )
        self._check_digest()
        try:
            load_state(objective, self.state_file)
        except Exception as error:  # of Keras or h5py, about layers that a person has not heard of
            hint = "are they of other sizes, or has one of the two LoRA?"
            sentence = f"{self.state_file} does not fit the networks: {hint} {_way_out(self.folder)}"
            raise ValueError(sentence) from error
        self.epochs_done = steps_done(objective) // steps_per_epoch
        return self.epochs_done

    def _check_digest(self):
        with self.state_file.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            known = self.digest_file.read_text(encoding="utf-8", errors="replace").split()
        except FileNotFoundError:
            warnings.warn(f"{self.digest_file} is missing: the state may be damaged", stacklevel=3)
            return
        if self.digest not in known:
            raise ValueError(
                f"{self.state_file} is damaged: it is not what the run wrote, by {self.digest_file.name}. "
                f"{_way_out(self.folder)}"
            )

    def on_epoch_end(self, epoch, logs=None):
        start = time.monotonic()
        if start < self.due and epoch + 1 != (self.params or {}).get("epochs"):
            return
        if not math.isfinite(float((logs or {}).get("loss", 0.0))) or not all_finite(self.model):
            return  # the last good state stays; StopOnNonFinite goes back to it
        try:
            content = state_in_memory(self.model)
            new = digest(content)
            write_text(self.digest_file, f"{new}\n{self.digest or ''}\n")
            write_bytes(self.state_file, content)
            self.digest, self.epochs_done = new, epoch + 1
        except OSError as error:
            warnings.warn(f"could not save the run's state ({error}); training goes on", stacklevel=2)
        took = time.monotonic() - start
        self.due = start + took / SHARE if took > CHEAP else -math.inf


def state_in_memory(objective):
    """The state of a compiled objective as a memory view of an HDF5 file's bytes.

    It is Keras' own; where a network has LoRA, whose matrices Keras would merge, all variables by number.
    """
    if not is_lora(objective):
        return weights_in_memory(objective)
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for i, variable in enumerate(_all_variables(objective)):
            array = keras.ops.convert_to_numpy(variable)
            # HDF5 has no bfloat16; float32 holds all of its numbers
            file[str(i)] = array.astype("float32") if variable.dtype == "bfloat16" else array
    return memory.getbuffer()


def load_state(objective, path):
    """Load what `state_in_memory` gave. Raises: whatever Keras and h5py do where it does not fit."""
    if not is_lora(objective):
        objective.load_weights(path)
        return
    with h5py.File(path, "r") as file:
        variables = _all_variables(objective)
        if len(file) != len(variables):
            raise ValueError(f"{len(file)} arrays for {len(variables)} variables")
        for i, variable in enumerate(variables):
            variable.assign(file[str(i)][()])


def _all_variables(objective):
    return [*objective.variables, *objective.optimizer.variables]


def differences(saved, settings, of=""):
    """What differs between two dicts of settings: a list of phrases, in the order of names."""
    found = []
    for name in sorted({*saved, *settings}):
        there, here = saved.get(name), settings.get(name)
        if there == here:
            continue
        if isinstance(there, dict) or isinstance(here, dict):
            found += differences(there or {}, here or {}, f"{of}{name} ")
        elif all(isinstance(value, str) and FINGERPRINT.fullmatch(value) for value in (there, here)):
            found.append(f"{of}{name}: changed since the run began")
        else:
            found.append(f"{of}{name}: {there} there, {here} here")
    return found


def _way_out(folder):
    return f"Restore {folder} from a copy, use --restart to begin again, or give another --output"


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends a run whose loss is no longer a number, with the last good weights in the model.

    Args:
        checkpoint: `Checkpoint`, which holds them.
        every: int, batches between two looks (a look waits for the device).
        restore: bool, whether those are put in the model: not where it is one model of several processes, of
            which the first alone has them.
    """

    def __init__(self, checkpoint, every=20, restore=True):
        super().__init__()
        self.checkpoint, self.every, self.restore = checkpoint, every, restore

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
        if not self.restore:
            good = f"The last whole epoch's weights, if there was one, are in {self.checkpoint.state_file}"
        elif self.checkpoint.state_file.exists():
            load_state(self.model, self.checkpoint.state_file)
            step = steps_done(self.model)
            good = f"The model's weights are now those of {self.checkpoint.state_file}, step {step}"
        else:
            self.model.set_weights(self.start)
            good = "The model's weights are now those that it started with"
        raise FloatingPointError(
            f"the loss or a weight was not a finite number by {self.broken_at}. {good}. "
            "Lower the learning rate, or use float32 where you used a smaller type"
        )


def all_finite(model):
    return all(np.isfinite(keras.ops.convert_to_numpy(v)).all() for v in model.trainable_variables)
