"""A network on many rows, without the threads and queues of `predict`."""

import contextlib
import operator
import threading

import keras
import numpy as np
from tqdm.auto import tqdm

from keras_t2i.utils.stopping import ask

# On JAX `predict_on_batch` gives the weights away and puts them back: another thread would find none.
# Networks share weights with those that they are made of, so one lock is for all.
_TURNS = threading.RLock() if keras.config.backend() == "jax" else contextlib.nullcontext()


def predict_on_batch(model, inputs):
    """`model.predict_on_batch(inputs)`, of any thread: on JAX they take turns.

    Args:
        model: Keras model.
        inputs: array, or a structure of arrays, as it takes them.

    Returns:
        NumPy array, or a structure of them.

    Raises: what a caller's `stopping.asking` raises.
    """
    ask()
    with _TURNS:
        return model.predict_on_batch(inputs)


def predict_in_batches(model, inputs, batch_size, progress=False):
    """`model` on all rows of `inputs`, in batches of one size so that it compiles once.

    Args:
        model: Keras model with one output, or a structure of them.
        inputs: array, or a structure of arrays, whose first axis counts the rows.
        batch_size: int, at least 1.
        progress: whether to show a bar.

    Returns:
        float32 `(n, ...)`, or the same structure of such arrays.

    Raises:
        TypeError, ValueError: batch_size is not an int, or less than 1.
    """
    batch_size = at_least_one("batch_size", batch_size)
    total = len(keras.tree.flatten(inputs)[0])
    outputs = []
    with tqdm(total=total, unit="picture", disable=not progress) as bar:
        for rows, count in batches_of_one_size(total, batch_size):
            batch = keras.tree.map_structure(lambda x, rows=rows: x[rows], inputs)
            outputs.append(predict_on_batch(model, batch))
            bar.update(count)
    if not outputs:
        return np.zeros((0, *model.output_shape[1:]), dtype="float32")
    return keras.tree.map_structure(
        lambda *parts: np.concatenate([np.asarray(p, dtype="float32") for p in parts])[:total], *outputs
    )


def batches_of_one_size(total, size):
    """Which rows each batch has: the last is filled up with copies of row 0, to be dropped, so that a network
    compiles once.

    Args:
        total: int, how many rows there are.
        size: int, at least 1, rows of a batch.

    Yields:
        (rows, count): int array `(size,)`, and how many of them, the first ones, are not copies.
    """
    for start in range(0, total, size):
        rows = np.arange(start, start + size)
        yield np.where(rows < total, rows, 0), min(size, total - start)


def fitting_batch_size(total, batch_size):
    """`batch_size`, or less where there are fewer rows: a power of two then, so that few sizes are compiled.

    Raises: TypeError, ValueError as of `at_least_one`.
    """
    return min(at_least_one("batch_size", batch_size), 1 << (total - 1).bit_length())


def spread(total, count):
    """So many of `total` places, evenly from the first to the last, or all where there are no more: int64."""
    return np.linspace(0, total - 1, min(count, total)).astype("int64")


def at_least_one(name, value):
    """`value` as an int; TypeError or ValueError, by this name, where it is none or less than 1."""
    try:
        value = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {value!r}") from None
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return value
