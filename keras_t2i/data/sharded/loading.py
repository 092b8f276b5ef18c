"""Opens a folder of shards as captioned pictures."""

import numpy as np

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.folder.captioned_folder import number_groups
from keras_t2i.data.sharded.pictures import ShardedPictures
from keras_t2i.data.sharded.pictures import Shards
from keras_t2i.data.sharded.shard_files import FORMAT
from keras_t2i.data.sharded.shard_files import MANIFEST
from keras_t2i.data.sharded.shard_files import SUFFIX
from keras_t2i.data.sharded.shard_files import read_json
from keras_t2i.data.texts import ListsOfTexts
from keras_t2i.data.texts import Texts
from keras_t2i.utils.files import expanded

AGAIN = "run `keras-t2i prepare` again, which goes on with what is whole"


def load_shards(folder, split="train", size=None):
    """The captioned pictures of a folder of shards, or one part of them.

    Captions, names and groups are in memory, pictures are not: they are read and decoded batch by batch.

    Args:
        folder: path, of `prepare_shards`.
        split: "train", "validation" or "all".
        size: int, pixels, at most what the shards were prepared at; `None`: just that.

    Returns:
        `CaptionedImages` whose `pictures` are `ShardedPictures`, sorted by path.

    Raises:
        FileNotFoundError: a file is missing, or preparing is not finished.
        ValueError: a file is damaged; `split` is unknown or empty; `size` is too large.
        ImportError: the package array_record is not installed.
    """
    folder, manifest = expanded(folder), read_manifest(folder)
    if split not in ("train", "validation", "all"):
        raise ValueError(f'`split` must be "train", "validation" or "all", received {split!r}')
    stored = manifest["size"]
    if size is not None and not 1 <= size <= stored:
        raise ValueError(
            f"{folder} holds pictures of {stored} pixels, {size} are asked for: prepare them anew with "
            f"`--size {size}`"
        )
    count = sum(shard["records"] for shard in manifest["shards"])
    in_validation = np.zeros(count, bool)
    in_validation[manifest["splits"]["validation"]] = True
    rows = np.arange(count) if split == "all" else np.flatnonzero(in_validation == (split != "train"))
    if len(rows) == 0:
        raise ValueError(f"The {split} split of {folder} is empty")
    captions, names, attributes, nothing = ListsOfTexts(), Texts(), [], {}

    def digests():
        wanted = np.zeros(count, bool)
        wanted[rows] = True
        for chosen, header in zip(wanted.tolist(), _records(folder, manifest), strict=True):
            if chosen:
                captions.append(header["captions"])
                names.append(header["name"])
                attributes.append(header["attributes"] or nothing)  # one for all: of millions they add up
            yield header["digest"]

    groups = number_groups(digests())[rows]
    return CaptionedImages(
        pictures=ShardedPictures(Shards(folder, manifest), rows, stored if size is None else size),
        captions=captions,
        names=names,
        groups=groups,
        attributes=attributes,
        source=manifest["source"],
    )


def read_manifest(folder):
    """The manifest of a folder of shards. Raises as `load_shards`."""
    folder = expanded(folder)
    if not (folder / MANIFEST).exists():
        raise FileNotFoundError(f"The shards in {folder} are not finished: {AGAIN}")
    manifest = read_json(folder / MANIFEST)
    if manifest.get("format") != FORMAT:
        raise ValueError(
            f"{folder / MANIFEST} is of format {manifest.get('format')!r}, this version reads {FORMAT}: "
            "prepare the shards anew"
        )
    return manifest


def _records(folder, manifest):
    """Iterator of the headers of all records. Those of one shard are in memory at a time, not all."""
    for shard in manifest["shards"]:
        file = folder / f"{shard['name']}{SUFFIX}"
        for path in (file, file.with_suffix(".json")):
            if not path.exists():
                raise FileNotFoundError(f"{path} is missing: {AGAIN}")
        held = read_json(file.with_suffix(".json"))
        same = held["sha256"] == shard["sha256"] and len(held["records"]) == shard["records"]
        if file.stat().st_size != shard["bytes"] or not same:
            raise ValueError(f"The shard {file} is damaged: {AGAIN}")
        yield from held["records"]
