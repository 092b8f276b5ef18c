"""Averages of the weights whose length can be chosen after training (EDM2, Karras et al. 2024, arXiv
2312.02696, section 3).

A power-function average at step t weighs the weights of each earlier step s with s^exponent: it forgets in
proportion to how long training has lasted. Its width is the standard deviation of that profile divided by t
(sigma_rel of the paper). A few of two widths, stored on the way, are enough to put together any other.
"""

import re
import time
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_t2i.training.objective import Objective
from keras_t2i.training.objective import copy
from keras_t2i.training.objective import freeze
from keras_t2i.utils.files import atomic_file
from keras_t2i.utils.files import remove_file

WIDEST = 12**-0.5  # of the plain mean of all steps, whose exponent is 0


def exponent(width):
    """The exponent of the profile of this relative width (gamma of the paper, section 3.1).

    width^2 = (exponent + 1) / ((exponent + 2)^2 (exponent + 3)).

    Raises:
        ValueError: `width` is not in (0, 0.2887]; the widest is the plain mean.
    """
    if not 0 < width <= WIDEST + 1e-9:
        raise ValueError(f"width must be above 0 and at most {WIDEST:.4f}, received {width}")
    t = float(width) ** -2
    return max(float(np.roots([1, 7, 16 - t, 12 - t]).real.max()), 0.0)


class PowerAveraged(Objective):
    """An objective with power-function averages of its network instead of exponential ones.

    At step t each average moves to the weights by the share 1 - (1 - 1/t)^(exponent + 1).

    Args:
        network: Backbone, trained in place.
        widths: floats, one for each average. The first average is what validation and drawings use; with
            none it is the network itself.
        Others as of `Objective`.
    """

    def __init__(self, network, widths=(0.05, 0.1), **kwargs):
        super().__init__(network, ema_decay=0, **kwargs)
        self.widths = tuple(float(width) for width in widths)
        self._exponents = [exponent(width) for width in self.widths]
        self.averages = [freeze(copy(network)) for _ in self.widths]
        if self.averages:
            self.average = self.averages[0]

    def update_average(self):
        self.steps.assign_add(1.0)
        for power, average in zip(self._exponents, self.averages, strict=True):
            # expm1 and log1p: late in training the share is too small for a difference of float32 numbers.
            share = -ops.expm1((power + 1.0) * ops.log1p(-1.0 / self.steps))
            for mean, weight in zip(average.weights, self.network.weights, strict=True):
                weight = ops.cast(ops.stop_gradient(ops.convert_to_tensor(weight)), mean.dtype)
                mean.assign(mean + share * (weight - mean))


class SaveSnapshots(keras.callbacks.Callback):
    """Stores the averages of a `PowerAveraged` objective now and then, as float16, each whole or not at all.

    Args:
        folder: gets one file for each time and width: `step_00001200_width_0.050.npz`.
        every: int, epochs between two times; the last epoch always counts.
        epochs: int, of the whole run.
    """

    def __init__(self, folder, every=1, epochs=None):
        super().__init__()
        self.folder, self.every, self.epochs = Path(folder), every, epochs
        self.run = ""

    def on_train_begin(self, logs=None):
        """A new run begins without averages of another; a resumed one without those after its state."""
        self.run = begin_snapshots(self.folder, int(self.model.steps))

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every and epoch + 1 != self.epochs:
            return
        try:
            for width, average in zip(self.model.widths, self.model.averages, strict=True):
                save_snapshot(self.folder, average.get_weights(), int(self.model.steps), width, self.run)
        except OSError as error:
            warnings.warn(f"could not save an average ({error}); training goes on", stacklevel=2)


def save_snapshot(folder, weights, step, width, run=""):
    """Write one average of a run, a list of arrays; floats become float16 where they fit."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for i, weight in enumerate(weights):
        with np.errstate(over="ignore"):
            half = np.asarray(weight).astype("float16")
        arrays[f"weight{i:04d}"] = half if np.isfinite(half).all() else weight
    file = folder / f"step_{step:08d}_width_{width:.3f}.npz"
    with atomic_file(file) as opened:
        np.savez(opened, run=np.array(run), **arrays)


def begin_snapshots(folder, step):
    """Remove what other runs stored, and what was stored after `step`; returns the name of the run.

    Only files that `save_snapshot` named go. A run that begins, at step 0, gets a new name.
    """
    stored = _stored(folder)
    run = f"{time.time_ns():020d}" if step == 0 else max((s[3] for s in stored if s[0] <= step), default="")
    try:
        for later, _, file, other in stored:
            if later > step or other != run:
                remove_file(file)
    except OSError as error:
        warnings.warn(f"averages of another run stay in {folder} ({error})", stacklevel=2)
    return run or f"{time.time_ns():020d}"


def snapshots(folder):
    """What a folder holds of the run that began last: a list of (step, width, file), the earliest first.

    Raises: FileNotFoundError where there is none.
    """
    stored = _stored(folder)
    if not stored:
        raise FileNotFoundError(f"{folder} holds no averages: see SaveSnapshots")
    last = max(run for *_, run in stored)
    return [(step, width, file) for step, width, file, run in stored if run == last]


def _stored(folder):
    found = []
    for file in sorted(Path(folder).glob("step_*_width_*.npz")):
        name = re.fullmatch(r"step_(\d+)_width_([\d.]+)", file.stem)
        if name:
            found.append((int(name[1]), float(name[2]), file, _run_of(file)))
    return found


def _run_of(file):
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return str(arrays["run"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return ""  # of no run, or damaged


def inner_products(steps, exponents, other_steps, other_exponents):
    """Of profiles, each with each: integrals of p(s) q(s) ds, in closed form (appendix C).

    A profile of exponent g that ends at step t is (g + 1) s^g / t^(g + 1) for s up to t.

    Args:
        steps, exponents: `(n,)`; other_steps, other_exponents: `(m,)`.

    Returns:
        float64 `(n, m)`.
    """
    t, g = (np.asarray(v, "float64")[:, None] for v in (steps, exponents))
    u, h = (np.asarray(v, "float64")[None, :] for v in (other_steps, other_exponents))
    ratio = (t / u) ** np.where(t < u, h, -g)
    return (g + 1) * (h + 1) * ratio / ((g + h + 1) * np.maximum(t, u))


def coefficients(steps, widths, step, width):
    """How much of each stored average makes the profile of `width` that ends at `step`, by least squares.

    Args:
        steps, widths: `(n,)`, of the stored averages.

    Returns:
        float64 `(n,)` with sum 1, some below 0.
    """
    exponents, wanted = [exponent(w) for w in widths], [exponent(width)]
    products = inner_products(steps, exponents, steps, exponents)
    target = inner_products(steps, exponents, [step], wanted)[:, 0]
    found = np.linalg.lstsq(products, target, rcond=1e-12)[0]
    return found / found.sum()  # exactly 1: a weight that never changed stays what it is


def reconstruct(folder, width, step=None):
    """The average of any width, out of stored ones (section 3.2).

    Args:
        folder: of `SaveSnapshots`.
        width: float in (0, 0.2887], the relative width: 0.05 to 0.15 are usual.
        step: int, as of when; the last stored step that is not later counts. None: the last of all.

    Returns:
        list of float32 arrays, for `set_weights`.

    Raises:
        ValueError: the width is out of range, or nothing was stored by `step`.
        FileNotFoundError: the folder holds no averages.
    """
    stored = snapshots(folder)
    kept = [s for s in stored if step is None or s[0] <= step]
    if not kept:
        raise ValueError(f"the first average in {folder} is of step {stored[0][0]}, later than {step}")
    steps, widths, files = zip(*kept, strict=True)
    total = None
    for share, file in zip(coefficients(steps, widths, steps[-1], width), files, strict=True):
        with np.load(file, allow_pickle=False) as arrays:
            names = sorted(name for name in arrays.files if name != "run")
            parts = [share * arrays[name].astype("float64") for name in names]
        total = parts if total is None else [t + p for t, p in zip(total, parts, strict=True)]
    return [weight.astype("float32") for weight in total]
