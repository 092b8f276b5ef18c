from types import SimpleNamespace

import prepare_data
import pytest
from common import load_splits

from keras_t2i.data.emoji.designs import load_emoji

pytestmark = pytest.mark.once


def test_smoke_prepares_a_set_that_loads(tmp_path, capsys):
    prepare_data.main(["--smoke", "--size", "16", "--data-dir", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "black line" in shown and str(tmp_path) in shown
    pictures = load_emoji("train", 16, tmp_path, (), 40)
    assert pictures.pictures.shape[1:] == (16, 16, 3) and len(pictures) > 10
    assert f"{len(pictures):12}" in shown


def test_own_pictures_become_shards_that_recipes_load(folder, tmp_path, capsys):
    shards = tmp_path / "shards"
    prepare_data.main([str(folder), str(shards), "--size", "16"])
    assert "24 pictures were read, 24 hold their captions, 0 were left out" in capsys.readouterr().out
    train, validation = load_splits(SimpleNamespace(data=str(shards), smoke=False), 16)
    assert len(train) + len(validation) == 24 and train.pictures[:2].shape == (2, 16, 16, 3)
    for arguments, said in (
        ([str(folder)], "where to?"),
        (["--split", "test"], "are of a source"),
        ([str(folder), str(shards), "--columns", "photo", "title"], "is no table"),
        ([str(folder), str(folder / "shards")], "lies in it"),
        ([str(tmp_path / "none"), str(tmp_path / "a")], "There is no folder"),
    ):
        with pytest.raises(SystemExit) as stopped:
            prepare_data.main(arguments)
        assert stopped.value.code == 2 and said in capsys.readouterr().err.splitlines()[-1]


def test_a_mistake_is_one_sentence_and_code_2(tmp_path, capsys):
    (tmp_path / "file").touch()
    for where, said in (
        ("file", "is a file: give a folder"),
        ("file/x", "Not a directory"),
        ("", "is empty"),
    ):
        where = str(tmp_path / where) if where else where
        with pytest.raises(SystemExit) as stopped:
            prepare_data.main(["--smoke", "--size", "8", "--data-dir", where])
        last = capsys.readouterr().err.splitlines()[-1]
        assert stopped.value.code == 2 and ": error: " in last and said in last


def test_no_npm_is_said_and_code_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        prepare_data.main(["--designs", "noto", "--data-dir", str(tmp_path)])
    assert stopped.value.code == 2 and "npm" in capsys.readouterr().err.splitlines()[-1]
