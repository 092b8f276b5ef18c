"""Shards written by the workers of Apache Beam."""

import functools
import json

from keras_t2i.data.sharded.planning import KEY
from keras_t2i.data.sharded.planning import begin
from keras_t2i.data.sharded.planning import finished_of
from keras_t2i.data.sharded.planning import is_whole
from keras_t2i.data.sharded.planning import key_of
from keras_t2i.data.sharded.planning import keys_beside
from keras_t2i.data.sharded.shard_files import INPUTS
from keras_t2i.data.sharded.shard_files import Shard
from keras_t2i.data.sharded.shard_files import write_shard
from keras_t2i.utils.beam import run_on_beam
from keras_t2i.utils.files import move_file
from keras_t2i.utils.files import remove_file
from keras_t2i.utils.files import staged_folder
from keras_t2i.utils.files import write_text


def write_on_beam(shards, folder, opener, options):
    """Write those shards of a plan that are not there yet, as `preparing.write_unfinished` does.

    A worker says in a file beside a shard what it was made of, by which a call that was killed goes on. In
    the end these files are one, `INPUTS`.

    Args:
        shards: list of `Shard`.
        folder: path, absolute.
        opener: function without arguments that opens the source, on a worker.
        options: as of `run_on_beam`.

    Raises: as `run_on_beam`, and RuntimeError where the workers wrote elsewhere.
    """
    finished, missing = finished_of(shards, folder)
    if finished is None:
        return
    begin(shards, folder, finished)
    parts = [(shard.name, shard.first, shard.last, shard.size, shard.key) for shard in missing]
    if parts:
        run_on_beam(parts, functools.partial(_open_worker, opener, folder), options)
    if lost := [
        s.name for s in missing if keys_beside(folder).get(s.name) != s.key or not is_whole(folder, s.name)
    ]:
        raise RuntimeError(
            f"{folder} has no shard {lost[0]}, which a worker wrote: the folder must be where all see it"
        )
    write_text(folder / INPUTS, json.dumps({shard.name: shard.key for shard in shards}))
    for shard in missing:
        remove_file(folder / f"{shard.name}{KEY}")


def _open_worker(opener, folder):
    """What a worker of Beam does with a part of a plan: the source is opened once, not sent with each."""
    source = opener()

    def write(part):
        name, first, last, size, key = part
        if last > len(source) or key_of(source, first, last, size) != key:
            raise ValueError(
                f"A worker sees other pictures in {source.title} than who called it, or others now"
            )
        with staged_folder(folder) as staged:
            for file in write_shard(Shard(name, source, first, last, size, key), staged):
                move_file(file, folder / file.name)
        write_text(folder / f"{name}{KEY}", key)

    return write
