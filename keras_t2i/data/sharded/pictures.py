"""Pictures that stay in their shards until a batch asks for them."""

import hashlib
from typing import NamedTuple

import numpy as np

from keras_t2i.data.array_records import array_record
from keras_t2i.data.pictures import StoredPictures
from keras_t2i.data.sharded.records import decode_picture
from keras_t2i.data.sharded.shard_files import SUFFIX

IN_MEMORY = 2**28  # bytes; what `take` chooses is decoded at once where it is no more than this


class _Part(NamedTuple):  # what array_record calls a FileInstruction: it then opens no file to count records
    filename: str
    skip: int
    take: int
    examples_in_shard: int


class Shards:
    """The records of a folder's shards, by their number over all shards.

    Args:
        folder: path.
        manifest: dict, of `shard_files.MANIFEST`; at least one shard has a record.
    """

    def __init__(self, folder, manifest):
        module = array_record("array_record_data_source")
        self.stored = manifest["size"]
        shards = [shard for shard in manifest["shards"] if shard["records"]]
        self.files = [folder / f"{shard['name']}{SUFFIX}" for shard in shards]
        self.ends = np.cumsum([shard["records"] for shard in shards])
        self.digest = hashlib.sha256("".join(shard["sha256"] for shard in shards).encode()).digest()
        self._records = module.ArrayRecordDataSource(
            [_Part(str(f), 0, s["records"], s["records"]) for f, s in zip(self.files, shards, strict=True)]
        )

    def decode(self, rows, size):
        """Pictures of the records of these numbers, int64 `(n,)`: uint8 `(n, size, size, 3)`.

        Raises: ValueError that names a damaged shard.
        """
        pictures = np.empty((len(rows), size, size, 3), "uint8")
        # Record by record: to ask for all at once starts threads, which take ten times as long as reading.
        for place, row in enumerate(rows.tolist()):
            try:
                pictures[place] = decode_picture(self._records[row], self.stored, size)
            except (RuntimeError, ValueError) as error:  # of array_record, of the PNG
                file = self.files[np.searchsorted(self.ends, row, side="right")]
                raise ValueError(
                    f"The shard {file} is damaged: remove it and run `keras-t2i prepare` again, which writes "
                    f"it anew and keeps the others ({error})"
                ) from None
        return pictures


class ShardedPictures(StoredPictures):
    """Some of the pictures in shards, in any order.

    `pictures[rows]` decodes these rows: a number, a slice, or an array of numbers.

    Args:
        shards: `Shards`.
        rows: int array `(n,)`, numbers of records.
        size: int, pixels, at most those that are stored.
    """

    def __init__(self, shards, rows, size):
        self.shards, self.rows, self.size = shards, np.asarray(rows, "int64"), size

    def __len__(self):
        return len(self.rows)

    @property
    def shape(self):
        return (len(self.rows), self.size, self.size, 3)

    @property
    def nbytes(self):
        """int, how much memory the pictures would take."""
        return int(np.prod(self.shape))

    @property
    def identity(self):
        digest = hashlib.sha256(self.shards.digest + str(self.size).encode())
        digest.update(self.rows.astype("<i8"))
        return digest.digest()

    def __getitem__(self, index):
        rows = self.rows[index]
        return self.shards.decode(np.atleast_1d(rows), self.size)[0 if np.ndim(rows) == 0 else slice(None)]

    def take(self, indices, axis=0):
        """As of an array, which it becomes if it is of `IN_MEMORY` bytes at most; else more of the kind."""
        if axis != 0:
            raise ValueError(f"whole pictures can be taken, axis=0, received axis={axis}")
        taken = ShardedPictures(self.shards, self.rows[indices], self.size)
        return taken[:] if taken.nbytes <= IN_MEMORY else taken

    def joined(self, other):
        if not isinstance(other, ShardedPictures) or (other.shards.digest, other.size) != (
            self.shards.digest,
            self.size,
        ):
            raise ValueError("pictures in shards can be joined with others of the same shards and size alone")
        return ShardedPictures(self.shards, np.concatenate([self.rows, other.rows]), self.size)

    def __array__(self, dtype=None, copy=None):
        raise ValueError(
            f"This needs all of {len(self):,} pictures in memory, {self.nbytes / 2**20:,.0f} MiB, and they "
            "lie in shards so as not to be. Use some, `data.spread(count)`, or read `pictures[rows]` in turn"
        )
