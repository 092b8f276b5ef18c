"""The weights of a preset, checked before a network is built."""

import math
from typing import NamedTuple

import h5py
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
                check_memory(sum(math.prod(a.shape) for a in arrays) * 4)
                for key, dataset in _datasets(file) if values else ():
                    _check_finite(dataset, key)
        except RefusedError as refused:
            raise files.error(name, str(refused)) from None
        except Exception as error:  # HDF5's own words, whatever their type
            reason = f"it is no HDF5 file, or damaged: {in_one_sentence(error)}"
            raise files.error(name, reason) from error
    return arrays


class RefusedError(Exception):
    """A reason, which wants the names of file and preset."""


def _datasets(group, prefix="", depth=0, count=None):
    """Names and datasets of a file, with no link followed that leaves it."""
    count = [0] if count is None else count
    if depth > DEEPEST:
        raise RefusedError("its groups are nested too deeply")
    for key in group:
        count[0] += 1
        if count[0] > MOST:
            raise RefusedError(f"it holds more than {MOST} groups and arrays")
        name = f"{prefix}{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise RefusedError(f"{name} is a link to another place")
        item = group[key]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, f"{name}/", depth + 1, count)
        elif isinstance(item, h5py.Dataset):
            yield name, item
        else:
            raise RefusedError(f"{name} is neither a group nor an array")


def _kind(dataset, name):
    """ "f" or "i"; refused is what is no array of such numbers, or lies in another file."""
    if dataset.external or dataset.is_virtual:
        raise RefusedError(f"{name} is stored in another file")
    packed = dataset.id.get_create_plist()
    for i in range(packed.get_nfilters()):
        if (number := packed.get_filter(i)[0]) not in FILTERS:
            raise RefusedError(f"{name} is packed in a way (HDF5 filter {number}) that no preset uses")
    if dataset.shape is None:
        raise RefusedError(f"{name} is empty")
    if _is_bfloat16(dataset):
        return "f"
    dtype = dataset.dtype
    kind = KINDS.get(dtype.kind)
    if kind is None or (kind == "i" and dtype.name not in WHOLE) or dtype.itemsize > 8:
        raise RefusedError(f"{name} is an array of {dtype.name}: weights are floats of 2, 4 or 8 bytes")
    return kind


def _is_bfloat16(dataset):
    """Keras stores bfloat16 as two bytes that HDF5 has no name for."""
    return dataset.dtype.kind == "V" and dataset.dtype.itemsize == 2 and _mark(dataset) == "bfloat16"


def _mark(dataset):
    mark = dataset.attrs.get("dtype")
    return mark.decode("utf-8", "replace") if isinstance(mark, bytes) else mark


def check_memory(needed):
    needed, free = 2 * needed, free_memory()  # a weight lies there twice while it is made
    if free is not None and needed > free:
        raise RefusedError(
            f"its weights need {needed / 2**30:.1f} GiB of memory, {free / 2**30:.1f} are free"
        )


def _check_stored(dataset, name):
    """An array may claim any size, and store nothing of it."""
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    stored = dataset.id.get_storage_size() if claimed > 64 else claimed
    if claimed > SMALLEST_PACKED * stored:
        raise RefusedError(f"{name} claims a shape of {dataset.shape} and stores {stored} bytes")


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
        raise RefusedError(f"{name} has {wrong} of {dataset.size} numbers that are NaN or infinite")


def _pieces(dataset):
    """The values of an array, a part of its first axis at a time, so that little memory is taken."""
    if not dataset.shape:
        yield dataset[()]
        return
    rows = max(1, PIECE // max(1, math.prod(dataset.shape[1:])))
    for start in range(0, dataset.shape[0], rows):
        yield dataset[start : start + rows]
