"""Writes a folder of shards: decode, check, shrink, write, split."""

import functools
import json
from collections.abc import Sequence

import numpy as np
from tqdm.auto import tqdm

from keras_t2i.data.array_records import array_record
from keras_t2i.data.folder.captioned_folder import VALIDATION_FRACTION
from keras_t2i.data.folder.captioned_folder import in_validation
from keras_t2i.data.folder.captioned_folder import number_groups
from keras_t2i.data.folder.report import FolderReport
from keras_t2i.data.sharded.on_beam import write_on_beam
from keras_t2i.data.sharded.planning import PICTURES
from keras_t2i.data.sharded.planning import begin
from keras_t2i.data.sharded.planning import finished_of
from keras_t2i.data.sharded.planning import plan
from keras_t2i.data.sharded.shard_files import FORMAT
from keras_t2i.data.sharded.shard_files import INPUTS
from keras_t2i.data.sharded.shard_files import MANIFEST
from keras_t2i.data.sharded.shard_files import read_json
from keras_t2i.data.sharded.shard_files import write_shard
from keras_t2i.data.sources.opening import open_source
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.beam import pipeline_options
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import move_file
from keras_t2i.utils.files import staged_folder
from keras_t2i.utils.files import write_text
from keras_t2i.utils.folders import check_apart
from keras_t2i.utils.folders import check_ours


def prepare_shards(
    source: Place,
    folder: Place,
    size: int = 64,
    validation_fraction: float = VALIDATION_FRACTION,
    pictures: int = PICTURES,
    split: str | None = None,
    columns: Sequence[str] | None = None,
    beam: Sequence[str] | None = None,
) -> FolderReport:
    """Turn captioned pictures into shards, of which training reads what a batch needs.

    Of a folder of pictures, what is read, left out and kept for validation is what `load_captioned_folder`
    reads, leaves out and keeps at this size. Of other sources, an example's name decides where it is kept:
    FILE/ROW, FILE/KEY or SPLIT/NUMBER. Of pictures, 256 are in memory at a time; their names and captions all
    are. Nothing is downloaded or extracted.

    A call that was killed goes on behind the last finished shard, and a finished folder is left as it is
    while the pictures and captions are.

    Args:
        source: path of a folder of pictures, as `load_captioned_folder` takes it; of a Parquet, Arrow or tar
            file (webdataset), or a folder of them; of a folder of `datasets.save_to_disk`; or a name:
            "hf:user/name", "tfds:name", of what is on this disk.
        folder: path of the shards.
        size: int, pixels; a recipe can ask for any size up to this.
        validation_fraction: 0 to 1, the share of the validation pictures.
        pictures: int, of a shard.
        split: str, of a source that has splits; `None`: "train".
        columns: two names, of the column of pictures and that of captions, of a table (Parquet, Arrow, TFDS);
            `None`: those that are called as usual.
        beam: list of str, options of Apache Beam, whose workers then write the shards, to the same bytes (the
            extra `beam`; `source` and `folder` are on a disk that all of them see); `None`: a loop.

    Returns:
        `FolderReport`: what became of every file, or example.

    Raises:
        FileNotFoundError, NotADirectoryError: `source` is not there, or a file of no kind that is read.
        FileExistsError: `folder` holds what no earlier call wrote.
        ValueError: nothing in it can be used, it is damaged, it has no such split or columns, or the two
            places are not apart.
        ImportError: a package is not installed: array_record, or pyarrow for Parquet and Arrow files.
        RuntimeError: a worker of Beam failed.
    """
    array_record()  # before any work
    if beam is not None:
        pipeline_options(beam)
    if size < 1:
        raise ValueError(f"`size` must be at least 1, received {size}")
    folder = expanded(folder)
    check_ours(folder, INPUTS, lambda held: isinstance(held, dict))
    opened = open_source(source, split, columns)
    check_apart(folder, opened.place)
    shards = plan(opened, size, pictures)
    if beam is None:
        write_unfinished(shards, folder)
    else:
        place = expanded(source).absolute() if expanded(source).exists() else source
        write_on_beam(shards, folder.absolute(), functools.partial(open_source, place, split, columns), beam)
    captions, problems, written = {}, {}, []

    def digests():  # of one shard after the other: the headers of all are never in memory
        for shard in shards:
            held = read_json(folder / f"{shard.name}.json")
            about = {"records": len(held["records"]), "bytes": held["bytes"], "sha256": held["sha256"]}
            written.append({"name": shard.name} | about)
            problems.update(held["problems"])
            for header in held["records"]:
                captions[header["name"]] = header["captions"]
                yield header["digest"]

    groups = number_groups(digests())
    names = list(captions)
    report = opened.report(captions, problems)  # raises where nothing was read
    validation = np.flatnonzero(in_validation(names, groups, validation_fraction))
    manifest = {
        "format": FORMAT,
        "size": size,
        "source": opened.origin,
        "shards": written,
        "splits": {"validation": validation.tolist()},  # rows; the others are for training
    }
    write_text(folder / MANIFEST, json.dumps(manifest, sort_keys=True))
    return report


def write_unfinished(shards, folder):
    """Write those shards of a plan that are not there yet, each whole or not at all."""
    finished, missing = finished_of(shards, folder)
    if finished is None:
        return
    total = sum(map(len, shards))
    with (
        staged_folder(folder) as staged,
        tqdm(total=total, desc="Preparing shards", unit="picture") as progress,
    ):
        begin(shards, folder, finished)
        progress.update(total - sum(map(len, missing)))
        for shard in missing:
            for file in write_shard(shard, staged, progress):
                move_file(file, folder / file.name)
            finished[shard.name] = shard.key
            write_text(folder / INPUTS, json.dumps(finished))
