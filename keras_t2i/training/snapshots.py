"""Stored averages of the weights, and out of them averages of any other width (EDM2: Karras et al. 2024,
arXiv 2312.02696, section 3.2)."""

import re
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np

from keras_t2i.training.averages import exponent
from keras_t2i.training.callbacks import Periodic
from keras_t2i.training.checkpoint import steps_done
from keras_t2i.utils.files import atomic_file
from keras_t2i.utils.files import remove_file


class SaveSnapshots(Periodic):
    """Stores an objective's `PowerFunctionEMA` averages now and then, as float16, each whole or not at all.

    Args:
        folder: gets one file for each time and width: `step_00001200_width_0.050.npz`.
        every, epochs, times: of `Periodic`.
    """

    def __init__(self, folder, every=1, epochs=None, times=None):
        super().__init__(every, epochs, times)
        self.folder, self.run = Path(folder), ""

    def on_train_begin(self, logs=None):
        """A new run begins without averages of another; a resumed one without those after its state."""
        self.run = begin_snapshots(self.folder, steps_done(self.model))

    def on_epoch_end(self, epoch, logs=None):
        if not self.is_due(epoch):
            return
        try:
            widths = self.model.averaging.sigma_rel if self.model.averages else ()
            for width, average in zip(widths, self.model.averages, strict=True):
                save_snapshot(self.folder, average.get_weights(), steps_done(self.model), width, self.run)
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


def choose_average(objective, validation, folder, sigma_rel=(0.05, 0.075, 0.1, 0.15, 0.2)):
    """Validation chooses among the averages that can be put together of the stored ones.

    Args:
        objective: compiled `Objective`; its average is left with the weights of the lowest loss.
        validation: `Pipeline` of validation batches.
        folder: of `SaveSnapshots`.
        sigma_rel: floats, the widths to try.

    Returns:
        `(best, metrics)`: the chosen width, and a dict of width to that average's validation metrics.

    Raises: as of `reconstruct`.
    """
    metrics = {}
    for width in sigma_rel:
        objective.average.set_weights(reconstruct(folder, width))
        metrics[width] = objective.evaluate(validation, verbose=0, return_dict=True)
    best = min(metrics, key=lambda width: metrics[width]["loss"])
    objective.average.set_weights(reconstruct(folder, best))
    return best, metrics
