"""Random numbers that are a function of what they are for, and of nothing that was drawn before."""

import functools
import hashlib

import numpy as np


@functools.lru_cache
def hash_purpose(purpose):
    """A number below 2**64 for what random numbers are for."""
    # Python's own hash() differs from process to process.
    return int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")


def random_stream(seed, purpose, index=0, subindex=0):
    """A NumPy generator of its own for each (seed, purpose, index, subindex).

    The four numbers are the key and the start of the counter of Philox, so any of its 2^128 long
    streams is reached at once, whatever was drawn before, and is the same on every machine.

    Args:
        seed: int, `0 <= seed < 2**64`.
        purpose: string, what the numbers are for: `"order"`, `"phrasing"`, `"noise"`, ...
        index: int, `0 <= index < 2**64`: a step, a pass, a picture.
        subindex: int, `0 <= subindex < 2**64`, where one index is not enough.

    Raises:
        ValueError: if a number is outside of its range.
    """
    for name, value in (("seed", seed), ("index", index), ("subindex", subindex)):
        if not 0 <= value < 2**64:
            raise ValueError(f"`{name}` must be between 0 and 2**64 - 1, received {value}")
    key = np.array([int(seed), hash_purpose(purpose)], dtype="uint64")
    # The stream itself counts in the low words and never reaches these two.
    counter = np.array([0, 0, int(subindex), int(index)], dtype="uint64")
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
