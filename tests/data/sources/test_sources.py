"""Shards of every source hold what shards of a folder of the same pictures hold."""

import pickle
import socket

import numpy as np
import pytest
from shards_made import contents
from shards_made import kill_third_shard
from sources_made import COUNT
from sources_made import IN_A_SHARD
from sources_made import SIZE
from sources_made import arrow
from sources_made import captions
from sources_made import hub
from sources_made import parquet
from sources_made import png
from sources_made import prepared_by_datasets
from sources_made import saved
from sources_made import table
from sources_made import tar
from sources_made import tfds

from keras_t2i.data import load
from keras_t2i.data import prepare_shards
from keras_t2i.data.sharded.loading import load_shards
from keras_t2i.data.sources.opening import open_source

pytestmark = pytest.mark.once


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder of the same pictures and captions, to compare with."""
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(COUNT):
        (folder / f"{i:02}.png").write_bytes(png(i))
        (folder / f"{i:02}.txt").write_text("\n".join(captions(i)), "utf-8")
    return folder


def refuse(*address):
    raise AssertionError("a source needs a network")


@pytest.fixture(params=["parquet", "arrow", "saved", "tar", "hub", "datasets", "array_record", "tfrecord"])
def source(request, tmp_path, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", refuse)
    folder = tmp_path / "source"
    folder.mkdir()
    of_files = {"parquet": parquet, "arrow": arrow, "saved": saved, "tar": tar}
    cached = {"hub": hub, "datasets": prepared_by_datasets}
    if request.param in of_files:
        return of_files[request.param](folder)
    if request.param in cached:
        return cached[request.param](folder, monkeypatch)
    return tfds(folder, monkeypatch, request.param)


def test_shards_hold_the_pictures_and_captions(source, pictures, tmp_path, monkeypatch):
    report = prepare_shards(source, tmp_path / "shards", SIZE, pictures=IN_A_SHARD)
    assert (report.num_usable, report.num_files, report.left_out, report.unit) == (
        COUNT,
        COUNT,
        {},
        "example",
    )
    assert f"{COUNT} examples in all: {COUNT} pictures were read, 0 were left out" in str(report)
    prepare_shards(pictures, tmp_path / "folder", SIZE, pictures=IN_A_SHARD)
    ours, theirs = load_shards(tmp_path / "shards", "all"), load_shards(tmp_path / "folder", "all")
    assert ours.captions == theirs.captions and len(set(ours.names)) == COUNT
    np.testing.assert_array_equal(ours.pictures[:], theirs.pictures[:])
    parts = [load(tmp_path / "shards", split, SIZE) for split in ("train", "validation")]
    assert sorted(parts[0].names + parts[1].names) == sorted(ours.names) and min(map(len, parts)) > 0


def test_what_was_killed_goes_on_and_ends_the_same(source, tmp_path, monkeypatch):
    prepare_shards(source, tmp_path / "shards", SIZE, pictures=IN_A_SHARD)
    written = kill_third_shard(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        prepare_shards(source, tmp_path / "killed", SIZE, pictures=IN_A_SHARD)
    written.clear()
    prepare_shards(source, tmp_path / "killed", SIZE, pictures=IN_A_SHARD)
    assert written == ["00002-of-00003"] and contents(tmp_path / "killed") == contents(tmp_path / "shards")
    prepare_shards(source, tmp_path / "killed", SIZE, pictures=IN_A_SHARD)
    assert len(written) == 1


def test_examples_are_had_from_any_place_on_and_from_a_copy(source):
    opened = open_source(source)
    every = list(opened.examples(0, COUNT))
    for first, last in ((5, 9), (9, 30), (27, 28), (0, 2), (39, 40)):
        assert list(opened.examples(first, last)) == every[first:last]
    assert list(pickle.loads(pickle.dumps(opened)).examples(7, 11)) == every[7:11]
    assert opened.state(0, 9) == open_source(source).state(0, 9) != opened.state(9, 18)


def test_recipes_say_what_to_do_first(source):
    with pytest.raises(ValueError, match=r"^Make shards of .*: `keras-t2i prepare .* shards`"):
        load(source, "train", SIZE)


def test_mistakes_are_one_sentence(tmp_path, monkeypatch):
    write = pytest.importorskip("pyarrow.parquet").write_table
    parquet(tmp_path)
    rows = table(0, 3)
    write(rows.drop_columns("caption"), tmp_path / "lacks.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no table PAR1")
    (tmp_path / "bad.arrow").write_bytes(b"no arrow file at all")
    (tmp_path / "a.tar.gz").write_bytes(b"1")
    (tmp_path / "a.tar").write_bytes(b"1")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    for source, options, said in (
        ("lacks.parquet", {}, r"lacks a column of captions called .*image \(picture\): name .* `--columns"),
        ("0.parquet", {"columns": ["image", "title"]}, "lacks a column of captions among image and title"),
        ("0.parquet", {"split": "test"}, "has no splits: leave out"),
        ("bad.parquet", {}, "is damaged, or no Parquet file"),
        ("bad.arrow", {}, "is damaged, or no Arrow file"),
        ("a.tar.gz", {}, "is compressed: unpack it"),
        ("a.tar", {"columns": ["a", "b"]}, "is no table"),
        ("tfds:birds", {}, r"has no birds prepared in .*: run `tfds build birds`"),
        ("tfds:../birds", {}, "nothing is downloaded"),
        ("hf:me/birds", {}, "nothing is downloaded here: run `hf download me/birds --repo-type dataset`"),
        ("hf:../../etc", {}, "is no name of a data set"),
    ):
        named = source if ":" in source else tmp_path / source
        with pytest.raises((ValueError, FileNotFoundError), match=said) as error:
            prepare_shards(named, tmp_path / "shards", SIZE, **options)
        assert not (tmp_path / "shards").exists() and str(error.value).count(". ") == 0


def test_a_damaged_data_set_of_tfds_is_named(tmp_path, monkeypatch):
    source = tfds(tmp_path, monkeypatch, "array_record")
    file = next(tmp_path.rglob("*.array_record*"))
    for content in (file.read_bytes()[:-700], b""):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"birds.1\.0\.0 is damaged, or lacks a file"):
            list(open_source(source).examples(0, COUNT))


def test_paths_that_are_not_there_are_said_first(tmp_path):
    (tmp_path / "a.txt").touch()
    for name, error in {"none.parquet": FileNotFoundError, "a.txt": NotADirectoryError}.items():
        with pytest.raises(error, match=name):
            open_source(tmp_path / name, columns=["photo", "title"])
