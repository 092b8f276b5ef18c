"""The weights of a preset, checked before a network is built; and a network, checked while it is built.

The arrays of the file say how large the network is. Keras would first build what the config asks for, and a
config may ask for anything: here each weight is held against the arrays before there is memory for it.
"""

import contextlib
import contextvars
import math
import threading
from collections import Counter
from typing import NamedTuple

import h5py
import keras
import numpy as np

from keras_t2i.presets.errors import in_one_sentence
from keras_t2i.presets.files import WEIGHTS
from keras_t2i.utils.memory import free_memory

DEEPEST = 64  # groups within groups
MOST = 100_000  # groups and arrays of a file
FILTERS = {  # of HDF5; another would be looked for among the plug-ins of this machine
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
    h5py.h5z.FILTER_LZF,
}
KINDS = {"f": "f", "i": "i", "u": "i", "b": "i"}  # of NumPy's kinds: floating-point numbers, whole numbers
# Whole numbers that networks have: quantized weights, and the state of random numbers.
WHOLE = {"int8", "uint8", "int32", "uint32", "bool"}


SMALLEST_PACKED = 1100  # times smaller than what it holds is a packed block at the most, of zeros alone
PIECE = 2**22  # numbers that are looked at at once


class Array(NamedTuple):
    """An array of a weights file: the file's name, its own, its shape, and "f" (floats) or "i" (whole)."""

    file: str
    name: str
    shape: tuple
    kind: str


def check_weights(files, values=True):
    """Check the arrays of all weights files of a preset: kinds of numbers, finite ones, memory.

    Args:
        files: `PresetFiles`.
        values: bool, whether the numbers are looked at, which reads them all.

    Returns:
        list of `Array`.

    Raises: PresetError.
    """
    arrays = []
    for name in [*files.weight_files(), *(name for name in WEIGHTS[1:] if files.has(name))]:
        path = files.path(name)
        try:
            with h5py.File(path, "r") as file:
                for key, dataset in _datasets(file):
                    kind = _kind(dataset, key)
                    arrays.append(Array(name, key, dataset.shape, kind))
                    _check_stored(dataset, key)
                _check_memory(sum(math.prod(a.shape) for a in arrays) * 4)
                for key, dataset in _datasets(file) if values else ():
                    _check_finite(dataset, key)
        except _RefusedError as refused:
            raise files.error(name, str(refused)) from None
        except Exception as error:  # HDF5's own words, whatever their type
            reason = f"it is no HDF5 file, or damaged: {in_one_sentence(error)}"
            raise files.error(name, reason) from error
    return arrays


class _RefusedError(Exception):
    """A reason, which wants the names of file and preset."""


def _datasets(group, prefix="", depth=0, count=None):
    """Names and datasets of a file, with no link followed that leaves it."""
    count = [0] if count is None else count
    if depth > DEEPEST:
        raise _RefusedError("its groups are nested too deeply")
    for key in group:
        count[0] += 1
        if count[0] > MOST:
            raise _RefusedError(f"it holds more than {MOST} groups and arrays")
        name = f"{prefix}{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise _RefusedError(f"{name} is a link to another place")
        item = group[key]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, f"{name}/", depth + 1, count)
        elif isinstance(item, h5py.Dataset):
            yield name, item
        else:
            raise _RefusedError(f"{name} is neither a group nor an array")


def _kind(dataset, name):
    """ "f" or "i"; refused is what is no array of such numbers, or lies in another file."""
    if dataset.external or dataset.is_virtual:
        raise _RefusedError(f"{name} is stored in another file")
    packed = dataset.id.get_create_plist()
    for i in range(packed.get_nfilters()):
        if (number := packed.get_filter(i)[0]) not in FILTERS:
            raise _RefusedError(f"{name} is packed in a way (HDF5 filter {number}) that no preset uses")
    if dataset.shape is None:
        raise _RefusedError(f"{name} is empty")
    if _is_bfloat16(dataset):
        return "f"
    dtype = dataset.dtype
    kind = KINDS.get(dtype.kind)
    if kind is None or (kind == "i" and dtype.name not in WHOLE) or dtype.itemsize > 8:
        raise _RefusedError(f"{name} is an array of {dtype.name}: weights are floats of 2, 4 or 8 bytes")
    return kind


def _is_bfloat16(dataset):
    """Keras stores bfloat16 as two bytes that HDF5 has no name for."""
    return dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2 and _mark(dataset) == "bfloat16"


def _mark(dataset):
    mark = dataset.attrs.get("dtype")
    return mark.decode("utf-8", "replace") if isinstance(mark, bytes) else mark


def _check_memory(needed):
    needed, free = 2 * needed, free_memory()  # a weight lies there twice while it is made
    if free is not None and needed > free:
        raise _RefusedError(
            f"its weights need {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} are free"
        )


def _check_stored(dataset, name):
    """An array may claim any size, and store nothing of it."""
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size() if claimed > 64 else claimed
    if claimed > SMALLEST_PACKED * stored:
        raise _RefusedError(f"{name} claims a shape of {dataset.shape} and stores {stored} bytes")


def _check_finite(dataset, name):
    wrong = 0
    for values in _pieces(dataset):  # whole numbers too: a damaged block is an OSError
        if _is_bfloat16(dataset):
            bad = (np.asarray(values).view("uint16") & 0x7F80) == 0x7F80
        else:
            bad = ~np.isfinite(values)
            if dataset.dtype.kind == "f" and dataset.dtype.itemsize > 4:
                bad |= np.abs(values) > np.finfo("float32").max
        wrong += int(np.sum(bad))
    if wrong:
        raise _RefusedError(f"{name} has {wrong} of {dataset.size} numbers that are NaN or infinite")


def _pieces(dataset):
    """The values of an array, a part of its first axis at a time, so that little memory is taken."""
    if not dataset.shape:
        yield dataset[()]
        return
    rows = max(1, PIECE // max(1, math.prod(dataset.shape[1:])))
    for start in range(0, dataset.shape[0], rows):
        yield dataset[start : start + rows]


# While a network is built


class _Expected:
    """The arrays that there are, less those that the network has taken."""

    def __init__(self, files, arrays):
        self.files, self.bytes = files, 0
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
                _check_memory(self.bytes)
            except _RefusedError as refused:
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


def _checked_add_weight(layer, *args, shape=None, dtype=None, **kwargs):
    if (expected := _expected.get()) is not None:
        expected.take(layer, args[0] if shape is None and args else shape, dtype or layer.variable_dtype)
    return _add_weight(layer, *args, shape=shape, dtype=dtype, **kwargs)


@contextlib.contextmanager
def expecting(files, arrays):
    """Hold each weight of the networks that are built in this block (and thread) against the arrays.

    Args:
        files: `PresetFiles`, for errors.
        arrays: list of `Array`; `None`: there are none, and only the memory is looked at.

    Raises, within: PresetError for a weight that no array is left for; at the end, for arrays left over.
    """
    expected = _Expected(files, arrays)
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
