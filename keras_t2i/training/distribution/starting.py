"""How a program says that its runs share batches among devices."""

import os

from keras_t2i.training.backend import BACKEND
from keras_t2i.training.distribution.on_jax import Jax
from keras_t2i.training.distribution.on_jax import JaxModel
from keras_t2i.training.distribution.on_tensorflow import start_tensorflow
from keras_t2i.training.distribution.world import World

KINDS = ("none", "data", "model")
NOT_PARTED = (
    "on {} each device holds all weights: set KERAS_BACKEND=jax to part them among several by --distribute "
    "model, or leave it out"
)


def start(kind="none", devices=None):
    """Let the runs of this program share each batch, or the weights, among all devices.

    To be called before any array or model is made, and again before another run.

    Args:
        kind: "none"; "data": each device, of all processes of a cluster, has all weights, and its part of a
            batch; or "model", on JAX in one process: each has the whole batch, and its part of each kernel.
        devices: int, how many of those that there are, in one process; `None`: all.

    Returns: `World`.

    Raises: ValueError for an unknown kind, or one that the engine does not have: on torch, where there are
        several devices or processes, any; "model" on TensorFlow too.
    """
    if kind not in KINDS:
        raise ValueError(f"distribute must be one of {', '.join(KINDS)}, received {kind!r}")
    World.present.end()
    World.present = World()
    if kind != "none":
        several = ENGINES[BACKEND](kind, devices)
        if several.devices > 1:
            World.present = several
        else:
            several.leave()
    return World.present


def world():
    """The `World` of the last `start`."""
    return World.present


def _jax(kind, devices=None):
    return {"data": Jax, "model": JaxModel}[kind](devices)


def _tensorflow(kind, devices=None):
    if kind == "model":
        raise ValueError(NOT_PARTED.format("TensorFlow"))
    return start_tensorflow(devices)


def _torch(kind, devices=None):
    import torch

    if kind == "model":
        raise ValueError(NOT_PARTED.format("torch"))
    if max(devices or torch.cuda.device_count(), int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        raise ValueError(
            "on torch a run has one device: set KERAS_BACKEND=jax or tensorflow to share batches among "
            "several, or choose one by CUDA_VISIBLE_DEVICES=0 and leave --distribute out"
        )
    return World()


ENGINES = {"jax": _jax, "tensorflow": _tensorflow, "torch": _torch}
