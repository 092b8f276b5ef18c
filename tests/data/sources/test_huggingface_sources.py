"""Which files a data set of Hugging Face consists of."""

import importlib
import json

import pytest
from sources_made import COUNT
from sources_made import hub
from sources_made import png
from sources_made import prepared_by_datasets
from sources_made import saved
from sources_made import stream
from sources_made import table

from keras_t2i.data.sources.folder import FolderSource
from keras_t2i.data.sources.huggingface import _split_in
from keras_t2i.data.sources.opening import open_source

pytestmark = pytest.mark.once


def test_a_part_of_a_download_is_not_taken_for_all(tmp_path, monkeypatch):
    source = hub(tmp_path, monkeypatch)
    next(tmp_path.rglob("data/train-00000*")).unlink()
    with pytest.raises(ValueError, match=r"not fetched to the end: data/train-00000-of-00002\.parquet"):
        open_source(source)
    with pytest.raises(ValueError, match="has no split 'validation', it has test, train"):
        open_source(source, "validation")
    assert len(open_source(source, "test")) == 3


def test_saved_splits(tmp_path):
    folder = saved(tmp_path)
    assert len(open_source(folder, "test")) == len(open_source(folder / "test")) == 3
    with pytest.raises(ValueError, match="has no split 'dev', it has train, test"):
        open_source(folder, "dev")
    state = json.loads((folder / "test" / "state.json").read_text())
    state["_data_files"] = [{"filename": "../train/data-00000-of-00001.arrow"}]
    (folder / "test" / "state.json").write_text(json.dumps(state))
    with pytest.raises(ValueError, match="outside of its folder"):
        open_source(folder, "test")


def test_what_datasets_itself_saves_is_read(tmp_path):
    if not importlib.util.find_spec("datasets"):
        pytest.skip("datasets is not installed")
    import datasets

    rows = {"image": [{"bytes": png(i), "path": None} for i in range(5)], "text": list("abcde")}
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    made = datasets.Dataset.from_dict(rows, features=features)
    made.select([3, 1]).save_to_disk(tmp_path / "saved")
    found = list(open_source(tmp_path / "saved").examples(0, 2))
    assert [example.captions for example in found] == [["d"], ["b"]]
    assert [example.content for example in found] == [png(3), png(1)]


def test_a_folder_of_pictures_may_have_a_file_called_state(tmp_path):
    (tmp_path / "state.json").write_text("[]")
    (tmp_path / "a.png").write_bytes(png(0))
    (tmp_path / "a.txt").write_text("a")
    assert isinstance(open_source(tmp_path), FolderSource)


def test_damaged_descriptions_are_named(tmp_path):
    folder = saved(tmp_path)
    for content in ("{", "[]", '{"_data_files": 1}', '{"splits": []}', '{"_data_files": [1]}'):
        (folder / "test" / "state.json").write_text(content)
        with pytest.raises(
            ValueError, match=r"state\.json (is damaged: save|names a file that lies outside)"
        ):
            open_source(folder, "test")
    (folder / "test" / "state.json").unlink()
    with pytest.raises(ValueError, match=r"state\.json is missing"):
        open_source(folder, "test")


@pytest.mark.parametrize(
    ("file", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("data/train-00000-of-00002-0123456789abcdef.parquet", "train"),
        ("data/train_small-00000-of-00002.parquet", "train_small"),
        ("default/train/0000.parquet", "train"),
        ("train-signs/test.parquet", "test"),
        ("images_val.parquet", "val"),
        ("train-signs-test.arrow", "test"),
        ("train-signs-full-00000-of-00002.arrow", "full"),
        ("data/shard-00000-of-00002.parquet", None),
        ("0000.parquet", None),
    ],
)
def test_which_split_a_file_is_of(file, split):
    assert _split_in(file, "train") == split
    assert _split_in("data/shard-00000-of-00002.parquet", "shard") == "shard"


def test_other_splits_and_what_map_left_are_not_read(tmp_path, monkeypatch):
    source = prepared_by_datasets(tmp_path, monkeypatch)
    folder = next(tmp_path.rglob("birds-train.arrow")).parent
    stream(table(0, 7), folder / "cache-0123.arrow")
    stream(table(0, 5), folder / "birds-train_small.arrow")
    assert [len(open_source(source, split)) for split in (None, "test", "train_small")] == [COUNT, 3, 5]
    with pytest.raises(ValueError, match="has no split 'full', it has test, train, train_small"):
        open_source(source, "full")
