"""Which shards there are to write, which of them are there, and what is left of an earlier plan."""

import json

from keras_t2i.data.folder.cache import fingerprint
from keras_t2i.data.sharded.shard_files import FORMAT
from keras_t2i.data.sharded.shard_files import INPUTS
from keras_t2i.data.sharded.shard_files import MANIFEST
from keras_t2i.data.sharded.shard_files import SUFFIX
from keras_t2i.data.sharded.shard_files import Shard
from keras_t2i.data.sharded.shard_files import read_json
from keras_t2i.utils.files import remove_file
from keras_t2i.utils.files import write_text

PICTURES = 4096  # of a shard
KEY = ".key"  # ends the name of a file that says what a shard was made of, until `INPUTS` does


def plan(source, size, pictures=PICTURES):
    """The shards of a source's pictures: list of `Shard`.

    Args:
        source: `Source`.
        size, pictures: as of `prepare_shards`.
    """
    parts = [(i, min(i + pictures, len(source))) for i in range(0, len(source), pictures)]
    keys = [key_of(source, *part, size) for part in parts]
    return [
        Shard(f"{i:05}-of-{len(parts):05}", source, *part, size, key)
        for i, (part, key) in enumerate(zip(parts, keys, strict=True))
    ]


def key_of(source, first, last, size):
    """What a shard is made of: another str where a picture or a caption is."""
    return fingerprint([FORMAT, size, *source.state(first, last)])


def inputs_of(folder):
    """What the shards of an earlier plan were made of: dict of name to key."""
    return read_json(folder / INPUTS) if (folder / INPUTS).exists() else {}


def keys_beside(folder):
    """What workers wrote: dict of a shard's name to what it was made of."""
    return {file.stem: file.read_text("utf-8") for file in folder.glob(f"*{KEY}")}


def finished_of(shards, folder):
    """The shards of a plan that are there, dict of name to key, and a list of the others; `(None, [])` where
    nothing is to be done."""
    inputs, keys = inputs_of(folder), keys_beside(folder)
    known = inputs | keys
    finished = {s.name: s.key for s in shards if known.get(s.name) == s.key and is_whole(folder, s.name)}
    missing = [shard for shard in shards if shard.name not in finished]
    return (None, []) if not missing and inputs == finished and not keys else (finished, missing)


def begin(shards, folder, finished):
    """Remove what is there of an earlier plan, the manifest first: half of two plans is never trained on.

    Args:
        shards: list of `Shard`, the plan.
        folder: path.
        finished: as of `finished_of`.
    """
    remove_file(folder / MANIFEST)
    keys = keys_beside(folder)
    earlier = {*inputs_of(folder), *keys}
    write_text(folder / INPUTS, json.dumps(finished))
    for name in keys:
        remove_file(folder / f"{name}{KEY}")
    for name in earlier - {shard.name for shard in shards}:
        for suffix in (SUFFIX, ".json"):
            remove_file(folder / f"{name}{suffix}")


def is_whole(folder, name):
    """Whether both files of a shard are there, whole."""
    try:
        held = read_json(folder / f"{name}.json")
        return (folder / f"{name}{SUFFIX}").stat().st_size == held["bytes"]
    except (OSError, ValueError):
        return False
