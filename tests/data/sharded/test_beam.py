"""Workers of Apache Beam write the shards that a loop writes."""

import numpy as np
import pytest
from PIL import Image
from shards_made import contents

from keras_t2i.data import load
from keras_t2i.data import prepare_shards
from keras_t2i.data.sharded import on_beam
from keras_t2i.data.sharded import preparing
from keras_t2i.data.sharded.shard_files import INPUTS
from keras_t2i.utils.beam import apache_beam

pytestmark = pytest.mark.once
SHARDS = {"size": 8, "pictures": 4}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pytest.importorskip("apache_beam")
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "cache"))
    (tmp_path / "mine").mkdir()
    for i in range(11):
        picture = np.random.default_rng(i // 2).integers(0, 256, (9, 9, 3), "uint8")
        Image.fromarray(picture).save(tmp_path / "mine" / f"{i:02}.png")
        (tmp_path / "mine" / f"{i:02}.txt").write_text(f"picture {i}")
    (tmp_path / "mine" / "05.png").write_text("no picture")
    return tmp_path / "mine"


def test_shards_and_report_are_those_of_the_loop(folder, tmp_path, monkeypatch):
    plain = prepare_shards(folder, tmp_path / "plain", **SHARDS)
    monkeypatch.chdir(tmp_path)
    report = prepare_shards("mine", "beam", **SHARDS, beam=[])
    assert report.problems == plain.problems and list(report.problems) == ["05.png"]
    assert report.num_usable == plain.num_usable == 10
    assert contents(tmp_path / "beam") == contents(tmp_path / "plain")
    assert (tmp_path / "beam" / INPUTS).read_bytes() == (tmp_path / "plain" / INPUTS).read_bytes()


@pytest.mark.parametrize("then", [None, []])
def test_what_was_killed_goes_on(folder, tmp_path, monkeypatch, then):
    prepare_shards(folder, tmp_path / "plain", **SHARDS)
    write, written = preparing.write_shard, []

    def noted(shard, *options):
        if len(written) == 2:
            raise OSError("no disk")
        written.append(shard.name)
        return write(shard, *options)

    for module in (on_beam, preparing):
        monkeypatch.setattr(module, "write_shard", noted)
    with pytest.raises(RuntimeError, match="A worker of Apache Beam failed: no disk"):
        prepare_shards(folder, tmp_path / "beam", **SHARDS, beam=[])
    with pytest.raises(FileNotFoundError, match="not finished"):
        load(tmp_path / "beam", "train", 8)
    before = list(written)
    written.clear()
    prepare_shards(folder, tmp_path / "beam", **SHARDS, beam=then)
    assert len(written) == 1 and sorted(written + before) == [f"0000{i}-of-00003" for i in range(3)]
    assert contents(tmp_path / "beam") == contents(tmp_path / "plain")
    prepare_shards(folder, tmp_path / "beam", **SHARDS, beam=[])  # and nothing is left to do
    assert len(written) == 1


def test_a_worker_that_sees_other_pictures_says_so(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(on_beam, "key_of", lambda *of: "another")
    with pytest.raises(RuntimeError, match="A worker sees other pictures"):
        prepare_shards(folder, tmp_path / "beam", **SHARDS, beam=[])


def test_without_the_package_it_says_how_to_install_it():
    with pytest.raises(ImportError, match=r'pip install "keras-t2i\[beam\]"'):
        apache_beam("no_such_package")
