"""What is read of tables, and what is said of those that cannot be."""

import json
import sys

import numpy as np
import pytest
from sources_made import COUNT
from sources_made import IN_A_SHARD
from sources_made import SIZE
from sources_made import parquet
from sources_made import png
from sources_made import stream
from sources_made import table

from keras_t2i.data import prepare_shards
from keras_t2i.data.sharded import preparing
from keras_t2i.data.sources.folder import FolderSource
from keras_t2i.data.sources.opening import open_source

pytestmark = pytest.mark.once


def test_rows_that_cannot_be_used_are_named(tmp_path):
    pa, write = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    images = [png(0), b"no picture", None, png(3), png(4), png(5)]
    texts = ["fine", "a", "b", " ", None, "None"]
    write(pa.table({"image": images, "text": texts}), tmp_path / "a.parquet")
    report = prepare_shards(tmp_path / "a.parquet", tmp_path / "shards", SIZE)
    assert (report.num_usable, report.num_files, sum(report.left_out.values())) == (2, 6, 4)
    assert {name[-1]: why.split(" P")[0] for name, why in report.problems.items()} == {
        "1": "is not a",
        "2": "has no picture",
        "3": "has an empty caption",
        "4": "has an empty caption",
    } | {"1": report.problems["a.parquet/00000001"].split(" P")[0]}
    assert "is not a PNG" in report.problems["a.parquet/00000001"] and "'None'" in report.notes[0]


def test_pictures_that_are_paths_are_not_followed(tmp_path):
    pa, write = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    (tmp_path / "b.png").write_bytes(png(1))
    images = [{"bytes": png(0), "path": None}, {"bytes": None, "path": str(tmp_path / "b.png")}]
    write(pa.table({"image": images, "text": ["a", "b"]}), tmp_path / "a.parquet")
    report = prepare_shards(tmp_path / "a.parquet", tmp_path / "shards", SIZE)
    assert report.num_usable == 1 and list(report.left_out) == [
        "has its picture in another file, which is not followed"
    ]


def test_labels_are_captions_where_there_are_no_words_and_columns_can_be_named(tmp_path):
    pa, write = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    features = {"label": {"_type": "ClassLabel", "names": ["red_rose", "iris"]}}
    rows = pa.table({"photo": [png(0), png(1), png(2)], "title": ["a", "b", "c"], "label": [1, 0, -1]})
    rows = rows.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    write(rows, tmp_path / "a.parquet")
    found = list(open_source(tmp_path / "a.parquet", columns=["photo", "label"]).examples(0, 3))
    assert [example.captions for example in found] == [["iris"], ["red rose"], []]
    found = list(open_source(tmp_path / "a.parquet", columns=["photo", "title"]).examples(0, 3))
    assert [example.captions for example in found] == [["a"], ["b"], ["c"]]
    renamed = rows.rename_columns(["image", "title", "label"])
    write(renamed.replace_schema_metadata(rows.schema.metadata), tmp_path / "a.parquet")
    assert open_source(tmp_path / "a.parquet").columns[0].captions == ["label"]


def test_a_file_that_changed_is_read_anew(tmp_path):
    parquet(tmp_path)
    before = [shard.key for shard in preparing.plan(open_source(tmp_path), SIZE, IN_A_SHARD)]
    write = pytest.importorskip("pyarrow.parquet").write_table
    write(table(0, 13), tmp_path / "1.parquet", compression="none")  # as many rows, others
    after = [shard.key for shard in preparing.plan(open_source(tmp_path), SIZE, IN_A_SHARD)]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, False]


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    parquet(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r'pip install "keras-t2i\[parquet\]"'):
        open_source(tmp_path)


def test_text_that_is_not_utf_8_is_one_row_s(tmp_path):
    pa, write = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    texts = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    write(pa.table({"image": [png(0), png(1), png(2)], "text": texts}), tmp_path / "a.parquet")
    found = list(open_source(tmp_path / "a.parquet").examples(0, 3))
    assert [example.captions for example in found] == [["a"], [], ["c"]]
    assert [example.problem for example in found] == [None, "has text that is not UTF-8", None]


def test_columns_of_one_name_are_refused(tmp_path):
    pa, write = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet").write_table
    write(pa.table([[png(0)], ["a"], ["b"]], names=["image", "text", "text"]), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet has several columns 'text': rename"):
        open_source(tmp_path / "a.parquet")


def test_arrow_files_with_wrong_offsets_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    offsets = pa.py_buffer(np.array([0, 2**30, 3], "int32"))  # the first text would end far outside
    texts = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"abc"))
    stream(pa.table({"image": [png(0), png(1)], "text": texts}), tmp_path / "a.arrow")
    with pytest.raises(ValueError, match=r"a\.arrow is damaged, or no Arrow file"):
        list(open_source(tmp_path / "a.arrow").examples(0, 2))


def test_what_is_hidden_says_nothing_of_a_folder(tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").write_bytes(png(0))
    assert len(open_source(parquet(tmp_path))) == COUNT
    (tmp_path / "a.png").write_bytes(png(0))
    assert isinstance(open_source(tmp_path), FolderSource)
