"""Weights out of torch's legacy file (that of versions before 1.6), without torch and without running code.

The file is a row of pickles: a magic number, the protocol's version, what machine wrote it, the object with
its storages named by keys, the list of keys. Then follow, for each key, the count as int64 and the numbers.
"""

import io
import math
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

STORAGES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


MOST_NUMBERS_OF_A_VIEW = 2**20  # where a view repeats numbers of its storage


# What a file can name or make has no attribute that it could set: BUILD sets those of anything that has some,
# frozen or not.
class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    count: int


class _View(NamedTuple):
    """A tensor: where its numbers are in a storage, which comes later in the file."""

    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple

    def of(self, numbers):
        """The tensor as an array of its own, given the numbers of the storage."""
        last = _last(self.offset, self.shape, self.strides)
        if last >= len(numbers) or math.prod(self.shape) > max(len(numbers), MOST_NUMBERS_OF_A_VIEW):
            raise ValueError(f"a tensor reaches beyond the {len(numbers)} numbers of its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides).copy()


def _last(offset, shape, strides):
    """The place of a tensor's last number in its storage; -1 where it has none."""
    if 0 in shape:
        return -1
    return offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


class _RebuildTensor:
    """Stands for torch's function of this name."""

    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_gradient_and_hooks):
        shape, strides = tuple(shape), tuple(strides)
        numbers = (offset, *shape, *strides)
        if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError("a tensor is not a view of a storage")
        if _last(offset, shape, strides) >= storage.count:
            raise ValueError(f"a tensor reaches beyond the {storage.count} numbers of its storage")
        return _View(storage, offset, shape, strides)


class _Tensors(dict):
    """Stands for an OrderedDict. What torch notes beside the tensors is not kept."""

    __slots__ = ()

    def __setstate__(self, state):
        pass


class _Refused(pickle.UnpicklingError):
    """The file asks for something that weights do not need."""


class _Unpickler(pickle.Unpickler):
    """Knows ordered dictionaries, tensors and storages; refuses to look up anything else."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return _Tensors
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _RebuildTensor()
        if module == "torch" and name in STORAGES:
            return name
        raise _Refused(f"The file asks for {module}.{name}, which weights do not need; it is not read")

    def persistent_load(self, reference):
        kind, name, key, _device, count, view = reference
        known = kind == "storage" and type(name) is str and name in STORAGES and type(count) is int
        if not known or count < 0 or view is not None:
            raise ValueError("a reference is not one to a storage")
        return _Storage(key, STORAGES[name], count)


def _read(stream):
    if stream.getvalue().startswith(b"PK"):
        raise ValueError("it is a zip, which torch writes since version 1.6")
    if _Unpickler(stream).load() != MAGIC_NUMBER or _Unpickler(stream).load() != PROTOCOL_VERSION:
        raise ValueError("its magic number or its version is another")
    if not _Unpickler(stream).load()["little_endian"]:
        raise ValueError("it was written by a big-endian machine")
    tensors = _Unpickler(stream).load()
    if not all(type(tensor) is _View for tensor in tensors.values()):
        raise ValueError("it holds something that is not a tensor")
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    numbers = {}
    for key in _Unpickler(stream).load():
        storage = storages[key]
        count = stream.read(8)
        if len(count) < 8 or int.from_bytes(count, "little") != storage.count:
            raise ValueError(f"it ends, or is damaged, before storage {key}")
        raw = stream.read(storage.count * storage.dtype.itemsize)
        if len(raw) != storage.count * storage.dtype.itemsize:
            raise ValueError(f"it ends within storage {key}")
        numbers[key] = np.frombuffer(raw, storage.dtype)
    return {name: tensor.of(numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def read_legacy_pickle(file):
    """Read the tensors of a state dict that torch saved before version 1.6.

    Nothing in the file is executed: a name other than the few that weights need is refused.

    Args:
        file: path of the file.

    Returns:
        Dict of name to NumPy array, in the file's order.

    Raises:
        pickle.UnpicklingError: the file asks for anything but tensors; the message names it.
        ValueError: the file has another format, is cut short or damaged; the message says why.
    """
    stream = io.BytesIO(Path(file).read_bytes())
    try:
        return _read(stream)
    except _Refused:
        raise
    except Exception as error:  # a damaged pickle can raise nearly all there are
        raise ValueError(f"{file} is not a whole state dict in torch's legacy format: {error}") from error
