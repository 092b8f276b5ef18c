"""What is read of tar files, and what is said of those that cannot be."""

import tarfile

import pytest
from sources_made import SIZE
from sources_made import add
from sources_made import png
from sources_made import tar

from keras_t2i.data import prepare_shards
from keras_t2i.data.sources.opening import open_source

pytestmark = pytest.mark.once


def test_strange_members_of_a_tar_are_named_and_not_followed(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "ok.png", png(0))
        add(archive, "ok.txt", b"fine")
        add(archive, "ok.jpg", png(1))  # one more picture of the key
        add(archive, "/etc/a.png", png(1))
        add(archive, "../b.png", png(2))
        add(archive, "link.png", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        add(archive, "device.png", b"", type=tarfile.CHRTYPE)
        add(archive, "._ok.png", b"of another system")
        add(archive, "lonely.png", png(3))
        add(archive, "words.txt", b"of no picture")
        add(archive, "latin.png", png(4))
        add(archive, "latin.txt", "ä".encode("latin-1"))
        add(archive, "folder", b"", type=tarfile.DIRTYPE)
    before = {file.name for file in tmp_path.iterdir()}
    report = prepare_shards(tmp_path / "a.tar", tmp_path / "shards", SIZE)
    assert report.num_usable == 1 and report.num_files == 10 == 1 + sum(report.left_out.values())
    assert report.left_out == {
        "is one more of its key": 1,
        "has an absolute name": 1,
        "has a name that leaves its folder": 1,
        "is a link or a device, which is not followed": 2,
        "begins with a dot or two underscores": 1,
        "has no caption": 1,
        "has no picture": 1,
        "has a caption that is not UTF-8": 1,
    }
    assert {file.name for file in tmp_path.iterdir()} == before | {"shards"}


def test_a_tar_that_was_cut_short_is_refused_or_told(tmp_path):
    whole = (tar(tmp_path) / "0.tar").read_bytes()
    (tmp_path / "1.tar").unlink()
    damaged = bytearray(whole)
    damaged[5 * 512 : 6 * 512] = b"x" * 512
    for content in (whole[: len(whole) // 2 + 100], b"no tar" * 200, b""):
        (tmp_path / "0.tar").write_bytes(content)
        with pytest.raises(ValueError, match=r"0\.tar (is damaged, cut short|is empty)"):
            open_source(tmp_path)
    (tmp_path / "0.tar").write_bytes(whole.rstrip(b"\0") + bytes(-len(whole.rstrip(b"\0")) % 512))
    assert open_source(tmp_path).notes == ["0.tar has no mark of its end: was it cut short?"]
    (tmp_path / "0.tar").write_bytes(whole + whole)
    assert "goes on behind the mark of its end" in open_source(tmp_path).notes[0]


def test_a_negative_size_is_no_circle(tmp_path):
    member = tarfile.TarInfo("a.png")
    member.size = -1024
    header = member.tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "a.tar").write_bytes(tarfile.TarInfo("b").tobuf() + header + bytes(10240))
    with pytest.raises(ValueError, match=r"a\.tar is damaged, cut short, or no tar file"):
        open_source(tmp_path / "a.tar")
