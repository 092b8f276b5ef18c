"""The cache of emoji and TensorFlow Datasets read each other, where that is installed."""

import json

import numpy as np
import pytest

from keras_t2i.data.emoji import tfds_cache
from keras_t2i.data.emoji.examples import decode_example
from keras_t2i.data.emoji.examples import encode_example
from keras_t2i.data.emoji.openmoji import load_openmoji
from keras_t2i.data.emoji.openmoji_builder import OpenMoji
from keras_t2i.data.emoji.rasterize import encode_png

pytestmark = pytest.mark.once

FEATURES = {"group": -3, "id": 2**62, "image": b"\x00" * 300, "captions": [b"a", b"", "é".encode()]}


class Few(OpenMoji):
    """Three pictures, which nothing draws."""

    def examples(self):
        picture = np.arange(self.size**2 * 3, dtype="uint8").reshape(self.size, self.size, 3)
        shown = {"captions": ["one", "two"], "attributes": {"held_out": ""}}
        names = ["a b", "c", "d", "e", "f"]
        return {
            "train": [
                {"image": encode_png(picture + i), "name": name, "group": i, **shown}
                for i, name in enumerate(names)
            ]
        }


def test_examples_come_back():
    lists = {name: value if isinstance(value, list) else [value] for name, value in FEATURES.items()}
    assert decode_example(encode_example(FEATURES)) == lists
    # 150 is 96 01, as the guide to the encoding of Protocol Buffers has it.
    assert encode_example({"n": 150}).endswith(bytes([0x1A, 0x04, 0x0A, 0x02, 0x96, 0x01]))
    with pytest.raises(ValueError, match=r"no tf\.train\.Example"):
        decode_example(encode_example(FEATURES)[:-5])


def test_examples_are_those_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    example = tf.train.Example.FromString(encode_example(FEATURES))
    assert list(example.features.feature["captions"].bytes_list.value) == FEATURES["captions"]
    assert list(example.features.feature["group"].int64_list.value) == [-3]
    lists = {name: value if isinstance(value, list) else [value] for name, value in FEATURES.items()}
    assert decode_example(example.SerializeToString()) == lists


@pytest.fixture(params=["array_record", "tfrecord"])
def prepared(request, tmp_path, monkeypatch):
    """A prepared `Few`, and its file of records."""
    if request.param == "array_record":
        pytest.importorskip("array_record")
    monkeypatch.setattr(tfds_cache, "file_format", lambda: request.param)
    builder = Few(4, data_dir=tmp_path)
    tfds_cache.prepare(builder)
    return builder, builder.folder / f"openmoji-train.{request.param}-00000-of-00001"


def test_files_are_read(prepared):
    data = tfds_cache.read_captioned_pictures(prepared[0], "train")
    assert sorted(data.names) == ["a b", "c", "d", "e", "f"]
    i = data.names.index("c")
    assert data.groups[i] == 1 and data.captions[i] == ["one", "two"] and data.pictures[i][0, 0, 0] == 1
    assert len(tfds_cache.read_captioned_pictures(prepared[0], "test")) == 0


def test_a_file_that_is_damaged_or_not_there_is_named(prepared):
    builder, records = prepared
    whole, content = tfds_cache.read_captioned_pictures(builder, "train"), records.read_bytes()
    found = 0
    for place in range(0, min(len(content), 2000), 97):  # pieces of the file that hold nothing may differ
        records.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        try:
            data = tfds_cache.read_captioned_pictures(builder, "train")
        except ValueError as error:
            found += 1
            assert str(records) in str(error) and f"delete {builder.folder}" in str(error)
        else:
            assert data.names == whole.names and np.array_equal(data.pictures, whole.pictures)
    assert found > 4
    for part in (0, len(content) // 2, len(content) - 1):
        records.write_bytes(content[:part])
        with pytest.raises(ValueError, match=r"(damaged|\d of 5 records).*delete"):
            tfds_cache.read_captioned_pictures(builder, "train")
    records.unlink()
    with pytest.raises(ValueError, match=r"train\.\w+-00000-of-00001 is not there: delete"):
        tfds_cache.read_captioned_pictures(builder, "train")


def test_a_damaged_description_is_named(tmp_path):
    builder = Few(4, data_dir=tmp_path)
    tfds_cache.prepare(builder)
    info = builder.folder / tfds_cache.INFO
    content = info.read_text(encoding="utf-8")
    for damaged in ("", content[:-9], "[]", '{"name": "openmoji"}', content.replace("_record", "_tape")):
        info.write_text(damaged.replace("tfrecord", "tape"), encoding="utf-8")
        with pytest.raises(ValueError, match=r"dataset_info\.json is damaged .*delete"):
            tfds_cache.read_captioned_pictures(builder, "train")
    info.unlink()
    assert not tfds_cache.is_prepared(builder)
    with pytest.raises(FileExistsError, match=r"has no dataset_info\.json: delete"):
        tfds_cache.prepare(builder)


def test_pictures_of_another_size_are_refused(tmp_path):
    small, large = Few(4, data_dir=tmp_path), Few(8, data_dir=tmp_path)
    tfds_cache.prepare(small)
    large.folder.parent.mkdir(parents=True)
    small.folder.rename(large.folder)
    with pytest.raises(ValueError, match="not of 8 pixels"):
        tfds_cache.read_captioned_pictures(large, "train")


def test_a_build_that_fails_leaves_nothing(tmp_path):
    class Twice(Few):
        def examples(self):
            return {"train": [*super().examples()["train"]] * 2}

    with pytest.raises(ValueError, match="two pictures of openmoji/train are named 'a b'"):
        tfds_cache.prepare(Twice(4, data_dir=tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_tfds_reads_what_is_written_here(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("array_record")
    data = load_openmoji("train", size=8, data_dir=tmp_path, limit=12)
    theirs = tfds.builder_from_directory(OpenMoji(8, 12, tmp_path).folder)
    source = theirs.as_data_source("train")
    assert theirs.info.splits["train"].num_examples == len(data) == len(source)
    for i, example in enumerate(source):
        assert example["name"].decode() == data.names[i]
        assert [caption.decode() for caption in example["captions"]] == data.captions[i]
        np.testing.assert_array_equal(example["image"], data.pictures[i])


def test_what_tfds_wrote_is_read_in_its_order(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("array_record")
    ours = Few(4, data_dir=tmp_path / "ours")

    class Openmoji(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """As earlier versions wrote the cache."""

        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="4")]
        pkg_dir_path = tfds.core.Path(tmp_path)
        code_path = None

        def _info(self):
            text = tfds.features.Text()
            features = {"captions": tfds.features.Sequence(text), "name": text, "attributes": text}
            features |= {"image": tfds.features.Image(shape=(4, 4, 3)), "group": np.int64}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for example in ours.examples()["train"]:
                picture = tfds_cache.decode_on_white(example["image"])
                attributes = json.dumps(example["attributes"])
                yield example["name"], {**example, "image": picture, "attributes": attributes}

    Openmoji(config="4", data_dir=str(tmp_path), file_format="array_record").download_and_prepare()
    tfds_cache.prepare(ours)
    old, new = (tfds_cache.read_captioned_pictures(of, "train") for of in (Few(4, data_dir=tmp_path), ours))
    assert old.names == new.names and old.captions == new.captions and old.attributes == new.attributes
    np.testing.assert_array_equal(old.pictures, new.pictures)
    np.testing.assert_array_equal(old.groups, new.groups)
