"""Shards of a folder are the folder's data set, read picture by picture."""

import shutil
import sys

import numpy as np
import pytest
from PIL import Image
from shards_made import contents
from shards_made import kill_third_shard

from keras_t2i.data import Pipeline
from keras_t2i.data import load
from keras_t2i.data import prepare_shards
from keras_t2i.data import registry
from keras_t2i.data.folder.captioned_folder import read_captioned_folder
from keras_t2i.data.sharded import pictures as sharded_pictures
from keras_t2i.data.sharded.loading import load_shards
from keras_t2i.data.sharded.shard_files import INPUTS
from keras_t2i.data.sharded.shard_files import MANIFEST
from keras_t2i.data.windows import digest_of

pytestmark = pytest.mark.once
SIZE, IN_A_SHARD = 12, 16


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """40 pictures, two of them equal, one with a caption that no terminal prints; and a file that is none."""
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "cache"))
    folder, rng = tmp_path / "my pictures", np.random.default_rng(0)
    (folder / "more").mkdir(parents=True)
    for i in range(40):
        name = folder / ("more" if i % 3 else ".") / f"{i:02}"
        picture = (
            rng.integers(0, 256, (14, 12 + i % 5, 3), "uint8") if i != 21 else np.zeros((12, 12, 3), "uint8")
        )
        Image.fromarray(np.zeros((12, 12, 3), "uint8") if i == 3 else picture).save(f"{name}.png")
        name.with_suffix(".txt").write_text(
            "\n".join([f"picture {i}", "zwei\u2028 \U0001f34e"][: 1 + i % 2]), "utf-8"
        )
    (folder / "bad.png").write_text("no picture")
    (folder / "bad.txt").write_text("a caption")
    return folder


@pytest.fixture
def shards(folder):
    path = folder.parent / "shards"
    prepare_shards(folder, path, SIZE, pictures=IN_A_SHARD)
    return path


@pytest.fixture
def decoded(monkeypatch):
    """A list of how many pictures each call decoded."""
    counts, decode = [], sharded_pictures.Shards.decode
    monkeypatch.setattr(
        sharded_pictures.Shards,
        "decode",
        lambda self, rows, size: counts.append(len(rows)) or decode(self, rows, size),
    )
    return counts


@pytest.mark.filterwarnings("ignore:.*left out")
def test_shards_are_the_data_set_of_their_folder(folder, shards):
    assert len(list(shards.glob("*.array_record"))) == 3
    for split in registry.splits_of(shards):
        ours, theirs = load(shards, split, SIZE), load(folder, split, SIZE)
        assert (ours.names, ours.captions, ours.source) == (theirs.names, theirs.captions, theirs.source)
        np.testing.assert_array_equal(ours.groups, theirs.groups)
        np.testing.assert_array_equal(ours.pictures[:], theirs.pictures)
        options = {"batch_size": 7, "seed": 5, "training": split == "train"}
        for step in (9, 0, 4):  # each without those before it, as a resumed run wants it
            batches = [Pipeline(data, **options).batch(step) for data in (ours, theirs)]
            assert batches[0].keys() == batches[1].keys()
            for name in batches[0]:
                np.testing.assert_array_equal(batches[0][name], batches[1][name])


def test_what_is_left_out_is_reported_as_of_the_folder(folder):
    report = prepare_shards(folder, folder.parent / "shards", SIZE)
    assert report == read_captioned_folder(folder, SIZE)[1] and list(report.problems) == ["bad.png"]


def test_a_batch_decodes_its_pictures_and_no_others(shards, decoded):
    pipeline = Pipeline(load(shards, "train", SIZE), batch_size=5)
    pipeline.fingerprint()
    assert decoded == []
    pipeline.batch(3)
    assert decoded == [5]


def test_a_few_are_an_array_and_many_stay_in_their_shards(shards, decoded, monkeypatch):
    data = load(shards, "train", SIZE)
    monkeypatch.setattr(sharded_pictures, "IN_MEMORY", 10 * SIZE * SIZE * 3)
    few, many = data.spread(10), data.take([5, 3, *range(20)])
    assert isinstance(few.pictures, np.ndarray) and decoded == [10]
    assert many.pictures.shape == (22, SIZE, SIZE, 3) and decoded == [10]
    np.testing.assert_array_equal(many.pictures[0], data.pictures[5])
    with pytest.raises(ValueError, match=r"needs all of 22 pictures.*spread"):
        np.asarray(many.pictures)


def test_splits_are_joined_without_reading(shards, decoded):
    data = load(shards, "train", SIZE).joined(load(shards, "validation", SIZE))
    assert decoded == [] and len(data) == 40 and sorted(data.names) == load_shards(shards, "all").names
    with pytest.raises(ValueError, match="same shards"):
        data.joined(data.spread(3))


def test_fingerprints_are_of_pictures_rows_and_size(folder, shards):
    def fingerprint(size=SIZE, split="train"):
        return Pipeline(load(shards, split, size), batch_size=4).fingerprint()["pictures"]

    before = fingerprint()
    assert before == fingerprint() and len({before, fingerprint(8), fingerprint(split="validation")}) == 3
    Image.new("RGB", (12, 12), "red").save(folder / "more" / "01.png")
    prepare_shards(folder, shards, SIZE, pictures=IN_A_SHARD)
    assert fingerprint() != before


def test_smaller_pictures_are_had_and_larger_ones_are_not(shards):
    assert load(shards, "train", 6).pictures[:2].shape == (2, 6, 6, 3)
    with pytest.raises(ValueError, match=r"of 12 pixels, 32 are asked for.*--size 32"):
        load(shards, "train", 32)
    data = load(shards, "train", 6).take([4, 1])
    truths = registry.load_truths(shards, "train", data)  # as large as they are
    np.testing.assert_array_equal(truths[1].pixels, load(shards, "train", SIZE).pictures[1])
    assert digest_of(truths) == digest_of(list(truths))


def test_the_same_pictures_give_the_same_bytes(folder, shards):
    copy = folder.parent / "copy" / folder.name
    shutil.copytree(folder, copy)
    prepare_shards(copy, folder.parent / "again", SIZE, pictures=IN_A_SHARD)
    assert contents(shards) == contents(folder.parent / "again")


def test_what_was_killed_goes_on_and_ends_the_same(folder, shards, monkeypatch):
    path, written = folder.parent / "killed", kill_third_shard(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        prepare_shards(folder, path, SIZE, pictures=IN_A_SHARD)
    with pytest.raises(FileNotFoundError, match=r"not finished: run `keras-t2i prepare` again"):
        load(path, "train", SIZE)
    written[:1] = []
    prepare_shards(folder, path, SIZE, pictures=IN_A_SHARD)
    assert written[1:] == ["00002-of-00003"] and contents(path) == contents(shards)
    prepare_shards(folder, path, SIZE, pictures=IN_A_SHARD)  # and nothing is left to do
    assert len(written) == 2


def test_another_plan_replaces_the_files_of_the_first(folder, shards):
    prepare_shards(folder, shards, 8, pictures=30)
    names = {f"0000{i}-of-00002.{kind}" for i in range(2) for kind in ("array_record", "json")}
    assert {file.name for file in shards.iterdir()} == names | {MANIFEST, INPUTS}
    assert load(shards, "train", 8).pictures[3:5].shape == (2, 8, 8, 3)


def test_a_damaged_shard_is_named_and_written_anew(folder, shards):
    before, shard = contents(shards), shards / "00001-of-00003.array_record"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:3000] + bytes(byte ^ 255 for byte in whole[3000:3100]) + whole[3100:])
    with pytest.raises(ValueError, match=r"00001-of-00003.array_record is damaged: remove it and run"):
        load_shards(shards, "all").pictures[:]
    shard.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match=r"00001-of-00003.array_record is damaged: run"):
        load(shards, "train", SIZE)
    shard.unlink()
    with pytest.raises(FileNotFoundError, match=r"00001-of-00003.array_record is missing: run"):
        load(shards, "train", SIZE)
    prepare_shards(folder, shards, SIZE, pictures=IN_A_SHARD)
    assert contents(shards) == before


def test_without_the_extra_it_is_named(folder, shards, monkeypatch):
    for module in ("array_record_module", "array_record_data_source"):
        monkeypatch.setitem(sys.modules, f"array_record.python.{module}", None)
    for call in (lambda: load(shards, "train", SIZE), lambda: prepare_shards(folder, shards, SIZE)):
        with pytest.raises(ImportError, match=r'pip install "keras-t2i\[shards\]"'):
            call()


def test_what_is_not_ours_is_not_touched(folder, tmp_path):
    other = tmp_path / "another's"
    other.mkdir()
    (other / "shards.json").write_text('["1.tar"]')
    with pytest.raises(FileExistsError, match=r"not empty and was not written .*shards\.json"):
        prepare_shards(folder, other)
    assert [file.name for file in other.iterdir()] == ["shards.json"]


def test_shards_do_not_go_into_the_pictures(folder):
    with pytest.raises(ValueError, match="beside the data"):
        prepare_shards(folder, folder / "shards", SIZE)
