"""A network, checked while it is built.

The arrays of the file say how large the network is. Keras would first build what the config asks for, and a
config may ask for anything: here each weight is held against the arrays before there is memory for it.
"""

import contextlib
import contextvars
import math
import threading
from collections import Counter

import keras
import numpy as np

from keras_t2i.presets.weights import RefusedError
from keras_t2i.presets.weights import check_memory


class _Expected:
    """The arrays that there are, less those that the network has taken."""

    def __init__(self, files, arrays, read):
        self.files, self.read, self.bytes = files, read, 0
        self.left = None if arrays is None else Counter((a.shape, a.kind) for a in arrays)

    def take(self, layer, shape, dtype):
        try:
            shape = tuple(int(side) for side in ((shape,) if isinstance(shape, int) else shape or ()))
            kind = "f" if "float" in keras.backend.standardize_dtype(dtype) else "i"
        except (TypeError, ValueError):
            return  # Keras has words for it
        self.bytes += math.prod(shape) * 4
        if self.left is None:
            try:
                check_memory(self.bytes)
            except RefusedError as refused:
                raise self.files.error("config.json", f"it asks for too large a network: {refused}") from None
        elif self.left[shape, kind] > 0:
            self.left[shape, kind] -= 1
        else:
            self.refuse(layer, shape, kind)

    def refuse(self, layer, shape, kind):
        weights = " and ".join(self.files.weight_files()) or "its weights file"
        other = {"f": "i", "i": "f"}[kind]
        wanted = {"f": "floats", "i": "whole numbers"}
        if self.left[shape, other] > 0:
            reason = (
                f"an array of shape {shape} holds {wanted[other]} where {layer.name!r} wants {wanted[kind]}"
            )
            raise self.files.error(weights, reason)
        raise self.files.error(
            "config.json",
            f"it asks for weights of shape {shape} (layer {layer.name!r}) that {weights} does not have: they "
            "are not of one network, or one of them is damaged",
        )

    def check_all_taken(self):
        """Raise a PresetError where there are floats that the network has no place for."""
        if self.left is None:
            return
        spare = sum(n for (_, kind), n in self.left.items() if kind == "f")
        if spare:
            weights = " and ".join(self.files.weight_files())
            shape = next(shape for (shape, kind), n in self.left.items() if kind == "f" and n)
            raise self.files.error(
                weights,
                f"it has {spare} arrays more than the network of config.json, one of shape {shape}: they are "
                "not of one network, or one of them is damaged",
            )


_expected = contextvars.ContextVar("expected", default=None)
_lock, _watching, _add_weight = threading.Lock(), [], keras.layers.Layer.add_weight
_compiles_initializers = keras.config.backend() == "jax"


def _checked_add_weight(layer, *args, shape=None, dtype=None, **kwargs):
    if (expected := _expected.get()) is not None:
        expected.take(layer, args[0] if shape is None and args else shape, dtype or layer.variable_dtype)
        named = len(args) < 2  # a second one would be the initializer
        if _compiles_initializers and expected.read and named:
            kwargs["initializer"] = _zeros
    return _add_weight(layer, *args, shape=shape, dtype=dtype, **kwargs)


def _zeros(shape, dtype=None):
    """In place of numbers drawn by chance, for each shape of which JAX compiles a program. The others draw
    fast, and torch keeps the order in memory of what was drawn: its products are rounded by that order. NumPy
    knows bfloat16 by ml_dtypes, which Keras imports."""
    return np.zeros(shape, keras.backend.standardize_dtype(dtype))


@contextlib.contextmanager
def expecting(files, arrays, read):
    """Hold each weight of the networks that are built in this block (and thread) against the arrays.

    Args:
        files: `PresetFiles`, for errors.
        arrays: list of `Array`; `None`: there are none, and only the memory is looked at.
        read: bool, whether the weights are read next: on JAX they begin as zeros, not as layers ask for.

    Raises, within: PresetError for a weight that no array is left for; at the end, for arrays left over.
    """
    expected = _Expected(files, arrays, read)
    with _lock:
        _watching.append(expected)
        keras.layers.Layer.add_weight = _checked_add_weight
    token = _expected.set(expected)
    try:
        yield
        expected.check_all_taken()
    finally:
        _expected.reset(token)
        with _lock:
            _watching.remove(expected)
            if not _watching:
                keras.layers.Layer.add_weight = _add_weight
