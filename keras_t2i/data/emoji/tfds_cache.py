"""The cache of TensorFlow Datasets: emoji are drawn once, then read from there."""

import json
import os
from importlib.util import find_spec

import numpy as np

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.rasterize import decode_on_white
from keras_t2i.data.emoji.splits import SPLITS
from keras_t2i.utils.files import expanded


def check_split(split):
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; there are {', '.join(map(repr, SPLITS))}")


def cache_folder(data_dir=None):
    """The folder of TFDS's cache."""
    return expanded(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def file_format():
    """The file format of the cache: the one that is read without starting TensorFlow, where there is one."""
    return "array_record" if find_spec("array_record") else "tfrecord"


def make_builder(builder_class, config, data_dir=None):
    """A TFDS builder, without TFDS's warnings that a size is not one of those listed."""
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        directory = None if data_dir is None else str(data_dir)
        return builder_class(config=config, data_dir=directory, file_format=file_format())
    finally:
        logging.set_verbosity(verbosity)


def prepared(builder_class, config, data_dir=None):
    """A TFDS builder whose data set is in the cache, built now if need be.

    Two processes may build the same one at once: each in a folder of its own, and the first to end wins.
    """
    builder = make_builder(builder_class, config, data_dir)
    try:
        builder.download_and_prepare()
    except OSError:
        # The folder is put in place by one rename, which fails if another process was there before.
        builder = make_builder(builder_class, config, data_dir)
        if not builder.is_prepared():
            raise
    return builder


def read_captioned_pictures(builder, split):
    """A prepared data set's split in memory, as `CaptionedImages`."""
    import tensorflow_datasets as tfds

    size = builder.info.features["image"].shape[0]
    undecoded = {"image": tfds.decode.SkipDecoding()}  # TFDS is slow, and says so, without OpenCV
    if split not in builder.info.splits:
        source = []
    elif file_format() == "array_record":
        source = builder.as_data_source(split, decoders=undecoded)
    else:
        source = tfds.as_numpy(builder.as_dataset(split, decoders=undecoded))
    pictures, captions, names, groups, attributes = [], [], [], [], []
    for example in source:
        pictures.append(decode_on_white(example["image"]))
        captions.append([caption.decode() for caption in example["captions"]])
        names.append(example["name"].decode())
        groups.append(example["group"])
        attributes.append(json.loads(example["attributes"]))
    return CaptionedImages(
        pictures=np.stack(pictures) if pictures else np.empty((0, size, size, 3), "uint8"),
        captions=captions,
        names=names,
        groups=np.asarray(groups, "int64"),
        attributes=attributes,
        source=builder.attribution,
    )
