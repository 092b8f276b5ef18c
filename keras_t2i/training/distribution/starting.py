"""How a program says that its runs share batches among devices."""

import os

from keras_t2i.training.backend import BACKEND
from keras_t2i.training.distribution.on_jax import Jax
from keras_t2i.training.distribution.on_tensorflow import TensorFlow
from keras_t2i.training.distribution.world import World

KINDS = ("none", "data")


def start(kind="none", devices=None):
    """Let the runs of this program share each batch among all devices, of all processes of its cluster.

    To be called before any array or model is made, and again before another run.

    Args:
        kind: "none", or "data": each device has all weights, and its part of a batch.
        devices: int, how many of those that there are, in one process; `None`: all.

    Returns: `World`.

    Raises: ValueError for an unknown kind, and on torch where there are several devices or processes.
    """
    if kind not in KINDS:
        raise ValueError(f"distribute must be one of {', '.join(KINDS)}, received {kind!r}")
    World.present.end()
    World.present = World()
    if kind == "data":
        several = ENGINES[BACKEND](devices)
        if several.devices > 1:
            World.present = several
        else:
            several.leave()
    return World.present


def world():
    """The `World` of the last `start`."""
    return World.present


def _torch(devices=None):
    import torch

    if max(devices or torch.cuda.device_count(), int(os.environ.get("WORLD_SIZE", "1"))) > 1:
        raise ValueError(
            "on torch a run has one device: set KERAS_BACKEND=jax or tensorflow to share batches among "
            "several, or choose one by CUDA_VISIBLE_DEVICES=0 and leave --distribute out"
        )
    return World()


ENGINES = {"jax": Jax, "tensorflow": TensorFlow, "torch": _torch}
