"""Data sets that TensorFlow Datasets prepared on this disk. Nothing is fetched."""

import os
import re

from keras_t2i.data.emoji.tfds_cache import INFO
from keras_t2i.data.emoji.tfds_cache import cache_folder
from keras_t2i.data.sources.columns import PICTURE
from keras_t2i.data.sources.columns import TEXT
from keras_t2i.data.sources.columns import choose_columns
from keras_t2i.data.sources.source import Source

VERSION = re.compile(r"\d+\.\d+\.\d+")
PREFIX = "tfds:"


class TFDSSource(Source):
    """One split of a prepared data set. An example is called SPLIT/NUMBER.

    Args:
        name: str, `tfds:name`, and as TFDS has it perhaps `/config` and `:version`.
        split: str.
        columns: names of the features of pictures and captions, as of `choose_columns`.

    Raises:
        FileNotFoundError: it is not prepared on this disk.
        ValueError: it lacks the split or the features, or has several configurations.
    """

    def __init__(self, name, split="train", columns=None):
        import tensorflow_datasets as tfds

        self.split, folder = split, find_prepared(name)
        super().__init__(folder, name, f"the data set {name.removeprefix(PREFIX)} of TensorFlow Datasets")
        builder = self._builder()
        if split not in builder.info.splits:
            known = ", ".join(sorted(builder.info.splits))
            raise ValueError(f"{name} has no split {split!r}, it has {known}: choose one with `--split`")
        self._length = builder.info.splits[split].num_examples
        features = builder.info.features
        kinds = {key: _kind(feature, tfds.features) for key, feature in features.items()}
        self.columns = choose_columns(name, kinds, columns)

    def _builder(self):
        import tensorflow_datasets as tfds

        return tfds.builder_from_directory(str(self.place))

    def __len__(self):
        return self._length

    def state(self, first, last):
        files = [(entry.name, entry.stat()) for entry in sorted(os.scandir(self.place), key=lambda e: e.name)]
        files = [[name, found.st_size, found.st_mtime_ns] for name, found in files]
        return [files, self.split, self.columns.names, [first, last]]

    def start(self, first):
        import tensorflow_datasets as tfds

        builder = self._builder()
        if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:  # without starting TensorFlow
            images = [key for key, f in builder.info.features.items() if isinstance(f, tfds.features.Image)]
            undecoded = dict.fromkeys(images, tfds.decode.SkipDecoding())
            source = builder.as_data_source(self.split, decoders=undecoded)
            rows = (source[number] for number in range(first, self._length))
        else:
            wanted = dict.fromkeys(self.columns.names, True)
            undecoded = {self.columns.image: tfds.decode.SkipDecoding()}
            decoders = tfds.decode.PartialDecoding(wanted, decoders=undecoded)
            part = tfds.core.ReadInstruction(self.split, from_=first, unit="abs")
            options = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
            rows = builder.as_dataset(part, decoders=decoders, read_config=options, shuffle_files=False)
            rows = tfds.as_numpy(rows)
        for number, row in enumerate(self._naming_damage(rows), first):
            values = {column: _plain(row[column]) for column in self.columns.names}
            yield self.columns.read(f"{self.split}/{number:08}", values)

    def _naming_damage(self, rows):
        try:
            yield from rows
        except Exception as error:  # of array_record or TensorFlow, each with kinds of its own
            raise ValueError(f"{self.place} is damaged, or lacks a file: {error}") from error


def find_prepared(name):
    """The folder of a data set in TFDS's cache, `TFDS_DATA_DIR` or ~/tensorflow_datasets: of the version that
    is named, or the latest.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it has several configurations, of which none is named.
    """
    wanted, _, version = name.removeprefix(PREFIX).partition(":")
    root = cache_folder()
    parts = wanted.split("/")
    is_name = len(parts) <= 2 and all(re.fullmatch(r"[\w.+-]*\w[\w.+-]*", part) for part in parts)
    found = [] if not is_name else [*root.glob(f"{wanted}/*/{INFO}"), *root.glob(f"{wanted}/*/*/{INFO}")]
    versions = {file.parent for file in found if VERSION.fullmatch(file.parent.name)}
    versions = sorted(folder for folder in versions if version in ("", folder.name))
    configs = sorted({folder.parent for folder in versions})
    if not configs:
        there = sorted(folder.parent.name for folder in root.glob(f"{parts[0]}/*/")) if is_name else []
        raise FileNotFoundError(
            f"TensorFlow Datasets has no {name.removeprefix(PREFIX)} prepared in {root}"
            f"{' (there is a part of it)' if there else ''}; nothing is downloaded here: run "
            f"`tfds build {wanted}`, or set TFDS_DATA_DIR to where it is"
        )
    if len(configs) > 1:
        known = ", ".join(f"{PREFIX}{parts[0]}/{folder.name}" for folder in configs)
        raise ValueError(f"{name} has several configurations: name one of {known}")
    return max(versions, key=lambda folder: [int(n) for n in folder.name.split(".")])


def _kind(feature, features):
    """What a feature holds, as of `choose_columns`."""
    if isinstance(feature, features.Image):
        return PICTURE
    if isinstance(feature, features.ClassLabel):
        return list(feature.names)
    inner = feature.feature if isinstance(feature, features.Sequence) else feature
    if isinstance(inner, features.FeaturesDict) and inner is not feature and "text" in inner:
        inner = inner["text"]  # as coco_captions has it
    return TEXT if isinstance(inner, features.Text) else type(feature).__name__


def _plain(value):
    """A value of TFDS as Python has it."""
    if isinstance(value, dict):
        return _plain(value["text"])
    return value.tolist() if hasattr(value, "tolist") else value
