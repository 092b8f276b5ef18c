import base64
import errno
import importlib.util
import io
import os
import shutil
import struct
import tracemalloc
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import resvg_py
import tensorflow as tf
from full_disk import full_disk
from PIL import Image

from keras_t2i.utils import streaming
from keras_t2i.utils.files import check_writable
from keras_t2i.utils.streaming import check_target
from keras_t2i.utils.streaming import write_bands

pytest.importorskip("png")  # both are in the extra `test`
tifffile = pytest.importorskip("tifffile")

NOISE = np.random.default_rng(0).integers(0, 256, (37, 29, 4), "uint8")
SUFFIXES = [".png", ".tif"]


def cut(picture, *tops):
    return iter(np.split(picture, tops))


def names(folder):
    return [path.name for path in folder.iterdir()]


def with_resvg(file):
    """Resvg's decoder is written in Rust; the picture lies in an SVG, pixel on pixel."""
    height, width = struct.unpack(">II", file.read_bytes()[16:24])[::-1]
    content = base64.b64encode(file.read_bytes()).decode()
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"><image width="{width}" '
        f'height="{height}" image-rendering="optimizeSpeed" href="data:image/png;base64,{content}"/></svg>'
    )
    return np.asarray(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA"))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("block_bytes", [1, 29 * 4 * 5, 2**20])
def test_a_png_is_what_three_readers_read(tmp_path, monkeypatch, channels, block_bytes):
    monkeypatch.setattr(streaming, "BLOCK_BYTES", block_bytes)
    picture = NOISE[..., :channels].copy()
    picture[..., 3:] = 255 * (picture[..., 3:] > 99)  # resvg multiplies colors by what lies between
    picture *= picture[..., 3:] > 0 if channels == 4 else True
    file = write_bands(tmp_path / "new" / "ä.PNG", cut(picture, 1, 1, 20), 37, 29, channels)
    with Image.open(file) as opened:
        assert opened.mode == {3: "RGB", 4: "RGBA"}[channels]
        np.testing.assert_array_equal(np.asarray(opened), picture)
    np.testing.assert_array_equal(tf.io.decode_png(file.read_bytes()).numpy(), picture)  # libpng
    np.testing.assert_array_equal(with_resvg(file)[..., :channels], picture)


def test_a_png_has_the_chunks_of_the_standard(tmp_path):
    content = write_bands(tmp_path / "a.png", [NOISE], 37, 29, 4).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = [], 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert content[at + 8 + length : at + 12 + length] == struct.pack(">I", zlib.crc32(kind + body))
        chunks.append((kind, body))
        at += 12 + length
    assert chunks[0] == (b"IHDR", struct.pack(">IIBBBBB", 29, 37, 8, 6, 0, 0, 0)) and chunks[-1] == (
        b"IEND",
        b"",
    )
    assert {kind for kind, _ in chunks[1:-1]} == {b"IDAT"}


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("block_bytes", [1, 29 * 4 * 5, 2**20])
def test_a_tiff_is_what_two_readers_read(tmp_path, monkeypatch, channels, block_bytes):
    monkeypatch.setattr(streaming, "BLOCK_BYTES", block_bytes)
    picture = NOISE[..., :channels]
    file = write_bands(tmp_path / "a.tiff", cut(picture, 7, 20), 37, 29, channels)
    with Image.open(file) as opened:  # libtiff
        assert opened.mode == {3: "RGB", 4: "RGBA"}[channels]
        np.testing.assert_array_equal(np.asarray(opened), picture)
    np.testing.assert_array_equal(tifffile.imread(file), picture)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bytes_do_not_depend_on_how_rows_are_cut(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(streaming, "BLOCK_BYTES", 29 * 4 * 5)
    bands = [[NOISE], cut(NOISE, 0, 3, 3, 11, 36), iter(NOISE[:, None]), [NOISE.repeat(2, axis=1)[:, ::2]]]
    found = {
        write_bands(tmp_path / f"{i}{suffix}", each, 37, np.int8(29), 4).read_bytes()
        for i, each in enumerate(bands)
    }
    assert len(found) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_picture_is_never_held(tmp_path, suffix):
    side, seen = 2048, []
    bands = (np.full((64, side, 3), i, "uint8") for i in range(side // 64))
    write_bands(tmp_path / f"warm{suffix}", [NOISE], 37, 29, 4)  # imports are not counted
    tracemalloc.start()
    try:
        write_bands(tmp_path / f"a{suffix}", bands, side, side, progress=seen.append)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * 2**20 < side * side * 3 and seen == [64] * 32


WRONG = {
    "float": ([NOISE / 255], r"Band 0 must be uint8 \(rows, 29, 4\), got float64 \(37, 29, 4\)"),
    "width": ([NOISE[:9], NOISE[9:, 1:]], r"Band 1 must be .*, got uint8 \(28, 28, 4\)"),
    "channels": ([NOISE[..., :3]], r"Band 0 must be .*, got uint8 \(37, 29, 3\)"),
    "a picture, not bands": (NOISE, r"Band 0 must be .*, got uint8 \(29, 4\)"),
    "too few": ([NOISE[:9], NOISE[:20]], "too few rows: 29, the height is 37"),
    "none": ([], "too few rows: 0, the height is 37"),
    "too many": ([NOISE, NOISE[:2]], "too many rows: 39 by band 1, the height is 37"),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("bands", "sentence"), WRONG.values(), ids=WRONG)
def test_wrong_bands_are_named_and_leave_what_was_there(tmp_path, monkeypatch, bands, sentence, suffix):
    monkeypatch.setattr(streaming, "BLOCK_BYTES", 29 * 4 * 5)
    file = tmp_path / f"a{suffix}"
    file.write_bytes(b"old")
    with pytest.raises(ValueError, match=sentence):
        write_bands(file, bands, 37, 29, 4)
    assert file.read_bytes() == b"old" and names(tmp_path) == [file.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_file_is_not_there(tmp_path, error, suffix):
    def bands():
        yield NOISE[:30]
        assert len(names(tmp_path)) == 1  # on its way
        raise error

    with pytest.raises(error):
        write_bands(tmp_path / f"a{suffix}", bands(), 37, 29, 4)
    assert names(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_leaves_what_was_there(tmp_path, suffix):
    file = tmp_path / f"a{suffix}"
    file.write_bytes(b"old")
    noise = np.random.default_rng(0).integers(0, 256, (300, 100, 3), "uint8")
    with full_disk(free=20_000), pytest.raises(OSError, match="too large"):
        write_bands(file, cut(noise, 100, 200), 300, 100)
    assert file.read_bytes() == b"old" and names(tmp_path) == [file.name]


def never():
    raise AssertionError("a band was asked for before all was checked")
    yield


def test_what_cannot_be_written_is_refused_before_drawing(tmp_path, monkeypatch):
    def refused(error, sentence, name="a.png", height=37, width=29, channels=3):
        with pytest.raises(error, match=sentence):
            check_target(tmp_path / name, height, width, channels)
        with pytest.raises(error, match=sentence):
            write_bands(tmp_path / name, never(), height, width, channels)

    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for name in ("a.jpg", "a", "a.png.gz"):
        refused(ValueError, r"must end in \.png, \.tif, \.tiff, got 'a", name)
    refused(IsADirectoryError, "a folder is there", "folder.png")
    refused(NotADirectoryError, "a file is there", "file/new/a.png")
    refused(OSError, "too long", "a" * 300 + ".png")
    for size in ((0, 1, 3), (1, -1, 3), (2**31, 1, 3), (1, 2**31, 3), (1, 1, 1), (1, 1, 5)):
        refused(ValueError, "1 to 2.*got {} x {} x {}".format(*size), "a.png", *size)
    refused(TypeError, "integer", height=2.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda folder, mode: False)  # root may write everywhere
        refused(PermissionError, "nothing may be written")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=1, free=2**20))
        refused(OSError, r"1\.5 MiB are needed, 1\.0 MiB are free", "new/a.png", 1024, 1024)
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        refused(ImportError, "pip install tifffile", "a.tif")
        refused(ImportError, "pip install pypng")
    assert {*names(tmp_path)} == {"folder.png", "file"}


def test_the_largest_sides_of_a_png_are_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=2**64, free=2**63))
    assert check_target(tmp_path / "a.png", 2**31 - 1, 2**31 - 1, 4) == tmp_path / "a.png"


def test_a_path_that_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "a")
    for name in ("file", "link", "new/folder/a"):
        check_writable(tmp_path / name, 1)
    with pytest.raises(OSError, match="are needed") as error:
        check_writable(tmp_path / "link", 2**80)
    assert error.value.errno == errno.ENOSPC and {*names(tmp_path)} == {"file", "link"}
