"""The two kinds of pictures that data are made of: an array in memory, or what is read like one."""

import abc

import numpy as np


class StoredPictures(abc.ABC):
    """Pictures in files, read like a uint8 array `(n, s, s, 3)`: `len`, `shape`, `dtype`, `take` and
    `pictures[rows]`, which reads these rows at each call anew. What would need all in memory is an error."""

    dtype, ndim = np.dtype("uint8"), 4

    @property
    @abc.abstractmethod
    def identity(self):
        """Bytes that are the same where the pictures are: nothing is read for them."""

    @abc.abstractmethod
    def joined(self, other):
        """These, then those of `other`, which are of the same files and size. Raises: ValueError."""


def joined(pictures, others):
    """The pictures of both, uint8 arrays `(n, s, s, 3)` or `StoredPictures`."""
    if isinstance(pictures, StoredPictures):
        return pictures.joined(others)
    return np.concatenate([pictures, others])


def identity_of(pictures):
    """What a digest of pictures is made of: the array, or bytes in its place."""
    return pictures.identity if isinstance(pictures, StoredPictures) else pictures
