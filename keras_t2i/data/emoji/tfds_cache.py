"""The cache of emoji: they are drawn once, then read from there.

It has the layout, the file formats and the order of TensorFlow Datasets, which wrote it in earlier versions
and reads it (`tensorflow_datasets.builder_from_directory`). Neither that package nor TensorFlow is needed.

    openmoji/32/1.0.0/                            name, config and version of a data set
        dataset_info.json                         what splits there are, in how many files
        features.json                             what an example has
        LICENSE
        openmoji-train.array_record-00000-of-00001
"""

import hashlib
import json
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from keras_t2i.data.array_records import array_record
from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.examples import decode_example
from keras_t2i.data.emoji.examples import encode_example
from keras_t2i.data.emoji.rasterize import decode_on_white
from keras_t2i.data.emoji.splits import SPLITS
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import move_file
from keras_t2i.utils.files import staged_folder
from keras_t2i.utils.files import write_bytes
from keras_t2i.utils.files import write_text
from keras_t2i.utils.tfrecord import frame_record
from keras_t2i.utils.tfrecord import read_records

INFO = "dataset_info.json"
FEATURES = "tensorflow_datasets.core.features"


def check_split(split):
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; there are {', '.join(map(repr, SPLITS))}")


def cache_folder(data_dir=None):
    """The folder of the cache, that of TFDS."""
    return expanded(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def file_format():
    """The file format of what is written: the smaller one, where its package is installed."""
    return "array_record" if find_spec("array_record") else "tfrecord"


def is_prepared(builder):
    """Whether the data set of an `EmojiBuilder` is in the cache."""
    return (builder.folder / INFO).exists()


def prepare(builder):
    """Draws the data set of an `EmojiBuilder` into the cache, if it is not there.

    Two processes may build the same one at once: each in a folder of its own, and the first to end wins.

    Raises:
        FileExistsError: its folder is there, but not whole.
        ValueError: two pictures of a split have one name.
    """
    if is_prepared(builder):
        return
    if builder.folder.is_dir() and any(builder.folder.iterdir()) and not is_prepared(builder):
        raise FileExistsError(f"{builder.folder} has no {INFO}: {again(builder.folder)}")
    with staged_folder(builder.folder.parent) as staged:
        folder = staged / builder.folder.name
        splits = []
        for split, examples in builder.examples().items():
            records = {}
            for example in examples:
                if example["name"] in records:
                    raise ValueError(f"two pictures of {builder.name}/{split} are named {example['name']!r}")
                records[example["name"]] = encode_example(example_features(example))
            names = sorted(records, key=lambda name, split=split: shuffling_hash(split, name))
            write_records(folder / shard_name(builder.name, split, file_format()), map(records.get, names))
            splits.append(
                {
                    "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                    "name": split,
                    "numBytes": str(sum(map(len, records.values()))),
                    "shardLengths": [str(len(records))],
                }
            )
        write_text(folder / "LICENSE", builder.attribution)
        write_text(folder / "features.json", json.dumps(describe_features(builder.size), indent=4))
        write_text(folder / INFO, json.dumps(describe(builder, splits), indent=2))
        try:
            move_file(folder, builder.folder)
        except OSError:  # another process was there before
            if not is_prepared(builder):
                raise


def shuffling_hash(split, name):
    """What TFDS sorts the examples of a split by, an int."""
    return int(hashlib.md5(f"{split}{name}".encode(), usedforsecurity=False).hexdigest(), 16)


def shard_name(data_set, split, suffix, number=0, shards=1):
    return f"{data_set}-{split}.{suffix}-{number:05}-of-{shards:05}"


def write_records(path, records):
    """Writes a file of records, bytes, in `file_format()`."""
    if file_format() == "tfrecord":
        write_bytes(path, b"".join(map(frame_record, records)))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = array_record().ArrayRecordWriter(str(path), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()


def read_array_records(path):
    """The records of an ArrayRecord file, list of bytes.

    Raises: ImportError, without the package; ValueError that names the file where it is damaged.
    """
    otherwise = f". Or delete {path.parent}: the data set is then drawn again"
    module = array_record(what=f"Reading {path} takes", otherwise=otherwise)
    try:
        return module.ArrayRecordReader(str(path)).read_all()
    except (RuntimeError, IndexError) as error:
        raise ValueError(f"{path} is damaged or was not written to its end ({error})") from None


READERS = {"array_record": read_array_records, "tfrecord": read_records}


def example_features(example):
    """An example, as `EmojiBuilder.examples` makes it, as its features."""
    return {
        "image": example["image"],
        "captions": [caption.encode() for caption in example["captions"]],
        "name": example["name"].encode(),
        "group": int(example["group"]),
        "attributes": json.dumps(example["attributes"]).encode(),
    }


def describe_features(size):
    """What TFDS's features.json says: which decoders an example needs."""
    text = {"pythonClassName": f"{FEATURES}.text_feature.Text", "text": {}}
    tensor = {"dtype": "int64", "encoding": "none", "shape": {}}
    image = {"dtype": "uint8", "encodingFormat": "png", "shape": {"dimensions": [str(size), str(size), "3"]}}
    captions = {"feature": text, "length": "-1"}
    features = {
        "attributes": text,
        "captions": {"pythonClassName": f"{FEATURES}.sequence_feature.Sequence", "sequence": captions},
        "group": {"pythonClassName": f"{FEATURES}.tensor_feature.Tensor", "tensor": tensor},
        "image": {"image": image, "pythonClassName": f"{FEATURES}.image_feature.Image"},
        "name": text,
    }
    return {
        "featuresDict": {"features": features},
        "pythonClassName": f"{FEATURES}.features_dict.FeaturesDict",
    }


def describe(builder, splits):
    """What TFDS's dataset_info.json says."""
    return {
        "configName": builder.config_name,
        "description": builder.__doc__.partition("\n\n    Args:")[0].strip(),
        "fileFormat": file_format(),
        "moduleName": type(builder).__module__,
        "name": builder.name,
        "redistributionInfo": {"license": builder.attribution},
        "releaseNotes": builder.release_notes,
        "splits": splits,
        "version": builder.version,
    }


def read_captioned_pictures(builder, split):
    """A prepared data set's split in memory, as `CaptionedImages`.

    Raises:
        ValueError: a file is damaged, or not there.
        ImportError: the files are ArrayRecord, and the package is not installed.
    """
    pictures, captions, names, groups, attributes = [], [], [], [], []
    for path, record in split_records(builder.folder, split):
        try:
            example = decode_example(record)
            pictures.append(decode_on_white(example["image"][0]))
            if pictures[-1].shape[:2] != (builder.size, builder.size):
                raise ValueError(f"a picture is not of {builder.size} pixels")
            captions.append([caption.decode() for caption in example["captions"]])
            names.append(example["name"][0].decode())
            groups.append(example["group"][0])
            attributes.append(json.loads(example["attributes"][0]))
        except (ValueError, KeyError, IndexError, OSError, SyntaxError) as error:
            reason = f"an example has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{path} is damaged ({reason}): {again(builder.folder)}") from None
    return CaptionedImages(
        pictures=np.stack(pictures) if pictures else np.empty((0, builder.size, builder.size, 3), "uint8"),
        captions=captions,
        names=names,
        groups=np.asarray(groups, "int64"),
        attributes=attributes,
        source=builder.attribution,
    )


def split_records(folder, split):
    """Yields the path of the file and each record of a split, in order; none where there is no such split.

    Raises: as of `read_captioned_pictures`.
    """
    path = Path(folder, INFO)
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        data_set, suffix = info["name"], info.get("fileFormat", "tfrecord")
        read = READERS[suffix]
        lengths = [
            int(n) for about in info["splits"] if about["name"] == split for n in about["shardLengths"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error!r}): {again(folder)}") from None
    for number, length in enumerate(lengths):
        path = Path(folder, shard_name(data_set, split, suffix, number, len(lengths)))
        if not path.is_file():
            raise ValueError(f"{path} is not there: {again(folder)}")
        try:
            records = list(read(path))
        except ValueError as error:
            raise ValueError(f"{error}: {again(folder)}") from None
        if len(records) != length:
            raise ValueError(f"{path} has {len(records)} of {length} records: {again(folder)}")
        yield from ((path, record) for record in records)


def again(folder):
    """What to do about a folder of the cache that is not whole."""
    return f"delete {folder}, and the data set is drawn again"
