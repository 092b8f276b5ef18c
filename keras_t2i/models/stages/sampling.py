"""The one loop: seeds, batches of one size, noise, progress and callbacks of everything that draws."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from tqdm.auto import tqdm

from keras_t2i.utils.batching import batches_of_one_size
from keras_t2i.utils.batching import fitting_batch_size
from keras_t2i.utils.random_streams import random_stream


class Draw(NamedTuple):
    """What the chance of one drawing depends on.

    seed: int in [0, 2**64); candidate: int, which of several drawings of this seed (`best_of`).
    """

    seed: int
    candidate: int = 0


class StepState(NamedTuple):
    """What a callback of `generate` is told after a step.

    step: int, from 0, of `num_steps`; t: float, the time reached, 0 at the end; first: int, the place of the
    first of these pictures among all (of which there are `best_of` for each); pictures: uint8 `(b, s, s, 3)`,
    what they would be by the present estimate.
    """

    step: int
    num_steps: int
    t: float
    first: int
    pictures: np.ndarray


class Batch(NamedTuple):
    """Drawings made at once: `rows`, int `(b,)`, their places among all; the first `count` of them count, the
    rest fill the batch up; `draws`, a `Draw` each; `update`, to be called after each network evaluation."""

    rows: np.ndarray
    count: int
    draws: list
    update: Callable


def sample_in_batches(sample_batch, draws, batch_size, num_steps=1, progress=False):
    """All drawings, made in batches of one size, so that each network compiles once.

    Args:
        sample_batch: function of a `Batch` to an array `(b, ...)`, or a structure of them.
        draws: sequence of `Draw`, at least one.
        batch_size: int, at least 1.
        num_steps: int, how often `sample_batch` calls `update`.
        progress: bool, whether to show a progress bar of steps.

    Returns:
        Array `(len(draws), ...)`, or the same structure of them.

    Raises: TypeError, ValueError where `batch_size` is not an int of at least 1.
    """
    total = len(draws)
    size = fitting_batch_size(total, batch_size)
    parts = []
    with tqdm(total=-(-total // size) * num_steps, unit="step", disable=not progress) as bar:
        for rows, count in batches_of_one_size(total, size):
            batch = Batch(rows, count, [draws[row] for row in rows], bar.update)
            parts.append(keras.tree.map_structure(lambda x, n=count: x[:n], sample_batch(batch)))
    return keras.tree.map_structure(lambda *found: np.concatenate(found), *parts)


def rows_of(conditions, rows):
    """These rows of every array of a structure; of `None`, `None`."""
    return keras.tree.map_structure(lambda values: None if values is None else values[rows], conditions)


def noise_of(draws, shape, number=0, purpose="picture"):
    """Standard normal noise of each drawing, float32 `(n, *shape)`, a function of its `Draw`, `number`
    and `purpose`.

    Args:
        draws: sequence of `Draw`.
        shape: tuple of ints.
        number: int, 0 for where a drawing starts, 1 and on for what a stochastic sampler draws on the way.
        purpose: str, what it is for: stages of one generator draw apart from each other.
    """
    streams = [random_stream(draw.seed, purpose, draw.candidate, number) for draw in draws]
    return np.stack([stream.standard_normal(shape, dtype="float32") for stream in streams])
