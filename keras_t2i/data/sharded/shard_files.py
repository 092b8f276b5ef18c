"""The files of a folder of shards, and how one shard is written.

    shards.json                      the manifest: size, source, shards, splits; written last
    00000-of-00003.array_record      a shard: records, see `records`
    00000-of-00003.json              what it holds, without the pictures, and what was left out
    shards.inputs.json               what each finished shard was made of, so that a killed `prepare` goes on

All but `shards.inputs.json` (it has times of files) depends on what was read alone, byte for byte.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from keras_t2i.data.array_records import array_record
from keras_t2i.data.folder.captioned_folder import digest_of
from keras_t2i.data.folder.image_files import decode_square_pictures
from keras_t2i.data.sharded.records import encode_record
from keras_t2i.data.sources.source import Source
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import write_text

MANIFEST, INPUTS, SUFFIX = "shards.json", "shards.inputs.json", ".array_record"
FORMAT = 1
BLOCK = 256  # pictures that are decoded at a time while a shard is written
BLOCK_BYTES = 2**26  # and bytes of their files, where these are in memory
# A record can be read without its neighbors; PNGs are compressed already.
WRITER_OPTIONS = "group_size:1,uncompressed"


def is_sharded(source):
    """Whether a path is a folder of shards, be they finished or not."""
    folder = expanded(source)
    return folder.is_dir() and ((folder / MANIFEST).exists() or (folder / INPUTS).exists())


def read_json(path):
    """Raises: ValueError that names the file where it holds no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is damaged: it is no JSON") from None


@dataclass(frozen=True)
class Shard:
    """What one shard is made of: plain data, which can be sent to another machine.

    Attributes:
        name: str, of its files, without their endings.
        source: `Source`.
        first, last: int, numbers of its first example, and of the one behind its last.
        size: int, pixels.
        key: str, another where a picture or a caption is.
    """

    name: str
    source: Source
    first: int
    last: int
    size: int
    key: str

    def __len__(self):
        return self.last - self.first


def write_shard(shard, folder, progress=None):
    """Write the two files of a shard.

    They depend on what the shard is made of alone, and on no other shard, so workers on many machines can
    write them (`on_beam.write_on_beam`).

    Args:
        shard: `Shard`.
        folder: path, where the files are written: a temporary one.
        progress: an open bar of tqdm, or `None`.

    Returns:
        list of the paths of the two, that with the records first.
    """
    path, headers, problems = Path(folder, shard.name + SUFFIX), [], {}
    writer = array_record().ArrayRecordWriter(str(path), WRITER_OPTIONS)
    for block in _blocks(shard.source.examples(shard.first, shard.last)):
        problems |= {example.name: example.problem for example in block.values() if example.problem}
        names = [name for name in block if name not in problems]
        pictures, read, failed = decode_square_pictures(
            names, lambda name, block=block: block[name].content, shard.size, progress
        )
        problems |= failed
        if progress is not None:
            progress.update(len(block) - len(names))
        for name, picture in zip(read, pictures, strict=True):
            header = {"name": name, "captions": block[name].captions, "attributes": {}}
            header["digest"] = digest_of(picture)
            writer.write(encode_record(header, picture))
            headers.append(header)
    writer.close()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    held = {"bytes": path.stat().st_size, "sha256": sha256, "problems": problems, "records": headers}
    index = path.with_suffix(".json")
    write_text(index, json.dumps(held, sort_keys=True))
    return [path, index]


def _blocks(examples):
    """Dicts of name -> example, each of `BLOCK` at most, and of few more than `BLOCK_BYTES`."""
    block, held = {}, 0
    for example in examples:
        block[example.name] = example
        held += len(example.content) if isinstance(example.content, bytes) else 0
        if len(block) == BLOCK or held >= BLOCK_BYTES:
            yield block
            block, held = {}, 0
    if block:
        yield block
