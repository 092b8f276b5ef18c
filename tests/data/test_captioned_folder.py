import csv
import json
import os
import struct
import sys
import unicodedata
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_t2i.data import captioned_folder
from keras_t2i.data.captioned_folder import load_captioned_folder
from keras_t2i.data.captioned_folder import read_captioned_folder
from keras_t2i.data.picture_files import keep_rows
from keras_t2i.data.picture_files import read_picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links and odd names need rights on Windows")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my pictures"
    path.mkdir()
    return path


def save(path, color=RED, size=(8, 8), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)


def write_csv(folder, *rows, encoding="utf-8"):
    with (folder / "metadata.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([("file_name", "text"), *rows])


def write_jsonl(folder, *rows):
    lines = [json.dumps(dict(zip(("file_name", "text"), row, strict=True))) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_captions(folder):
    data, report = read_captioned_folder(folder, 4)
    return dict(zip(data.names, data.captions, strict=True)), report.problems


# === Captions ===

CAPTIONS = {
    "a.png": ['a "red", round apple'],
    "ß ö/日本 語.png": ["赤いりんご", "ein Apfel"],
    "sub/deep/c d.png": ["x" * 300_000],
    "sub/e.png": ["تفاحة, حمراء", "apple 🍎"],
}


def test_captions_from_csv(folder):
    for name in CAPTIONS:
        save(folder / name)
    # Several lines in one field, and several rows for one file.
    rows = [(name, "\n".join(captions)) for name, captions in CAPTIONS.items() if name != "sub/e.png"]
    write_csv(folder, *rows, *[("sub/e.png", caption) for caption in CAPTIONS["sub/e.png"]])
    assert read_captions(folder) == (CAPTIONS, {})


def test_captions_from_jsonl(folder):
    for name in CAPTIONS:
        save(folder / name)
    write_jsonl(folder, *[(name, "\r\n".join(captions)) for name, captions in CAPTIONS.items()])
    assert read_captions(folder) == (CAPTIONS, {})


def test_captions_from_text_files(folder):
    for name, captions in CAPTIONS.items():
        save(folder / name)
        text = "\n\n  ".join(captions) + "\n"
        (folder / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    assert read_captions(folder) == (CAPTIONS, {})


def test_metadata_in_a_nested_folder_is_relative_to_it(folder):
    save(folder / "train" / "a.png")
    save(folder / "b.png")
    write_jsonl(folder / "train", ("a.png", "a"))
    (folder / "b.txt").write_text("b")
    assert read_captions(folder) == ({"train/a.png": ["a"], "b.png": ["b"]}, {})


def test_rows_are_joined_with_equal_captions_once(folder):
    save(folder / "a.png")
    write_csv(folder, ("a.png", "one\ntwo"), ("./a.png", "two"), ("x/../a.png", "three"))
    assert read_captions(folder) == ({"a.png": ["one", "two", "three"]}, {})


def test_byte_order_mark_and_commas_without_quotes(folder):
    save(folder / "a.png")
    (folder / "metadata.csv").write_bytes(b"\xef\xbb\xbfFile_Name, text\r\na.png,a red, round apple\r\n\r\n")
    assert read_captions(folder) == ({"a.png": ["a red, round apple"]}, {})


def test_names_in_another_spelling_are_found(folder):
    on_disk = ["sub/" + unicodedata.normalize("NFD", "é.png"), unicodedata.normalize("NFC", "ö.png"), "B.JPG"]
    for name in on_disk:
        save(folder / name)
    rows = [("sub\\é.png", "1"), (unicodedata.normalize("NFD", "ö.png"), "2"), ("b.jpg", "3")]
    write_csv(folder, *rows)
    captions, problems = read_captions(folder)
    assert [captions[name] for name in on_disk] == [["1"], ["2"], ["3"]]
    assert problems == {}


def test_captions_are_always_text_that_can_be_encoded(folder):
    save(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "x\\ud800y\\u2028z"}')
    assert read_captions(folder)[0] == {"a.png": ["x?y", "z"]}


def test_every_caption_problem_is_named(folder):
    for name in "abcdefg":
        save(folder / f"{name}.png")
    (folder / "b.txt").write_text("from the text file")
    (folder / "c.txt").write_text(" \n")
    (folder / "d.txt").write_bytes("Äpfel".encode("latin-1"))
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "good"}\n{"file_name": "a.png", "text": ""}\n'
        '{"file_name": "e.png", "text": null}\n{"file_name": "f.png", "text": 7}\n'
        '{"text": "x"}\nnonsense\n["g.png"]\n{"file_name": "gone.png", "text": "x"}\n'
    )
    captions, problems = read_captions(folder)
    assert captions == {"a.png": ["good"], "b.png": ["from the text file"]}
    assert problems == {
        "c.png": "has an empty caption",
        "d.png": "has a caption that cannot be read: d.txt is not UTF-8 (byte 0xc4 at position 0): "
        "save it with the encoding UTF-8",
        "e.png": "has an empty caption",
        "f.png": 'has a "text" that is not a string',
        "g.png": "has no caption",
        "gone.png": "is missing",
        "metadata.jsonl, line 5": 'has no "file_name" that is a string',
        "metadata.jsonl, line 6": "is not JSON: Expecting value: line 1 column 1 (char 0)",
        "metadata.jsonl, line 7": 'has no "file_name" that is a string',
    }


def test_malformed_csv_rows_are_named(folder):
    for name in "abc":
        save(folder / f"{name}.png")
    rows = ["text,file_name", '"bad" quotes,a.png', "red, round,b.png", "good,c.png", ",c.png", "nothing"]
    rows += ['"never closed,b.png', "good,a.png"]
    (folder / "metadata.csv").write_text("\n".join(rows))
    captions, problems = read_captions(folder)
    assert captions == {"c.png": ["good"]}
    assert "malformed" in problems["metadata.csv, line 2"]
    assert "put the caption in quotes" in problems["metadata.csv, line 3"]
    assert problems["metadata.csv, line 6"] == "names no file"
    assert "malformed" in problems["metadata.csv, line 7"]


def test_lonely_text_file_is_named(folder):
    save(folder / "a.png")
    (folder / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    assert read_captions(folder)[1] == {"b.txt": "has no picture of its name beside it"}


def test_metadata_must_be_utf8_with_its_columns(folder):
    save(folder / "a.png")
    write_csv(folder, ("a.png", "a"), encoding="utf-16")
    with pytest.raises(ValueError, match=r"metadata.csv is not UTF-8 \(byte 0xff at position 0\)"):
        load_captioned_folder(folder)
    (folder / "metadata.csv").write_text("image;caption\na.png;a\n")
    with pytest.raises(ValueError, match=r"needs the columns file_name and text, found \['image;caption'\]"):
        load_captioned_folder(folder)


# === Pictures ===


def half(mode, left, right, size=(8, 4)):
    """A picture whose left half is of one colour and whose right half is of another."""
    picture = Image.new(mode, size, left)
    picture.paste(right, (size[0] // 2, 0, *size))
    return picture


def test_formats_and_modes(tmp_path):
    def check(name, picture, left, right, tolerance=0, **options):
        picture.save(tmp_path / name, **options)
        # From 8 x 4 the square in the middle is cut: half of it left, half of it right.
        pixels = read_picture(tmp_path / name, 4)
        assert pixels.dtype == "uint8"
        assert pixels.shape == (4, 4, 3)
        expected = np.broadcast_to(np.array([left, left, right, right]), (4, 4, 3))
        np.testing.assert_allclose(pixels, expected, atol=tolerance)

    rgb = half("RGB", RED, BLUE)
    check("a.png", rgb, RED, BLUE)
    check("a.JPG", rgb, RED, BLUE, tolerance=3, quality=100, subsampling=0)
    check("a.webp", rgb, RED, BLUE, lossless=True)
    check("mpo.jpg", rgb, RED, BLUE, 3, format="MPO", quality=100, subsampling=0, append_images=[rgb])
    check("frames.gif", rgb, RED, BLUE, save_all=True, append_images=[Image.new("RGB", (8, 4), GREEN)])
    check("frames.webp", rgb, RED, BLUE, save_all=True, append_images=[rgb.rotate(180)], lossless=True)
    palette = half("P", 0, 1)
    palette.putpalette([*RED, *BLUE])
    check("palette.png", palette, RED, BLUE)
    check("transparent palette.png", palette, RED, WHITE, transparency=1)
    check("transparent.gif", palette, RED, WHITE, transparency=1)
    check("transparent colour.png", rgb, WHITE, BLUE, transparency=RED)
    check("alpha.png", half("RGBA", (*RED, 255), (0, 0, 0, 0)), RED, WHITE)
    check("alpha.webp", half("RGBA", (*RED, 255), (0, 0, 255, 0)), RED, WHITE, lossless=True)
    check("half alpha.png", half("RGBA", (*RED, 255), (0, 0, 0, 128)), RED, (127, 127, 127))
    check("grey alpha.png", half("LA", (50, 255), (50, 0)), (50, 50, 50), WHITE)
    check("grey.png", half("L", 10, 200), (10, 10, 10), (200, 200, 200))
    check("bits.png", half("1", 0, 1), (0, 0, 0), WHITE)
    check("cmyk.jpg", half("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), RED, BLUE, tolerance=3, quality=100)
    levels = np.repeat(np.array([[10 * 257, 200 * 257]], dtype="uint16"), 4, axis=1).repeat(4, axis=0)
    check("16 bit.png", Image.fromarray(levels), (10, 10, 10), (200, 200, 200))


def raw_png(width, height, bits, rows):
    """An RGB file such as Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for body in (b"IHDR" + header, b"IDAT" + zlib.compress(rows), b"IEND"):
        content += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return content


def test_16_bit_colour(tmp_path):
    row = b"\0" + struct.pack(">6H", *[257 * value for value in (255, 128, 0)] * 2)
    (tmp_path / "a.png").write_bytes(raw_png(2, 2, 16, row * 2))
    assert (read_picture(tmp_path / "a.png", 2) == (255, 128, 0)).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(tmp_path, orientation):
    corners = np.zeros((2, 2, 3), dtype="uint8")
    corners[0, 0], corners[0, 1] = RED, GREEN
    turned = {
        1: corners,
        2: corners[:, ::-1],
        3: corners[::-1, ::-1],
        4: corners[::-1],
        5: corners.swapaxes(0, 1),
        6: np.rot90(corners, 1),
        7: corners[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(corners, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = Image.fromarray(np.ascontiguousarray(turned[orientation]).repeat(16, 0).repeat(16, 1))
    picture.save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    pixels = read_picture(tmp_path / "a.jpg", 32)[8::16, 8::16]
    np.testing.assert_allclose(pixels, corners, atol=3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_picture(tmp_path):
    save(tmp_path / "a.jpg", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\xff")
    assert read_picture(tmp_path / "a.jpg", 4).shape == (4, 4, 3)


@pytest.mark.parametrize("size", [(512, 512), (64, 64), (512, 640), (3, 3), (1, 500)])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_fitting_is_antialiased_and_keeps_the_middle(tmp_path, size, suffix):
    # Stripes of one pixel: without antialiasing they would come out black or white.
    stripes = np.zeros((size[1], size[0], 3), dtype="uint8")
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / f"a.{suffix}", **({"quality": 95} if suffix == "jpg" else {}))
    pixels = read_picture(tmp_path / f"a.{suffix}", 16)
    assert pixels.shape == (16, 16, 3)
    if min(size) >= 64:
        assert abs(pixels[:, 2:-2].astype(int) - 127).max() < 20
    side = min(size)
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    middle = stripes[top : top + side, left : left + side]
    np.testing.assert_allclose(pixels.mean(), middle.mean(), atol=9)


def test_every_picture_problem_is_named(folder):
    save(folder / "good.png")
    (folder / "zero.png").write_bytes(b"")
    (folder / "no picture.png").write_text("<svg/>")
    save(folder / "whole.jpg", size=(99, 99))
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:-500])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")).save(folder / "b.png")
    (folder / "truncated.png").write_bytes((folder / "b.png").read_bytes()[:-5000])
    Image.new("RGBA", (8, 8)).save(folder / "invisible.png")
    (folder / "bomb.png").write_bytes(raw_png(10_000, 10_000, 8, b""))
    (folder / "great bomb.png").write_bytes(raw_png(100_000, 100_000, 8, b""))
    Image.new("RGB", (8, 8)).save(folder / "a.bmp")
    (folder / "directory.png").mkdir()
    save(folder.parent / "outside.png")
    names = ["zero.png", "no picture.png", "truncated.jpg", "truncated.png", "invisible.png", "bomb.png"]
    names += ["great bomb.png", "a.bmp", "directory.png", "missing.png", "../outside.png"]
    names += [str(folder.parent / "outside.png"), "good.png", str(folder / "whole.jpg"), "b.png"]
    write_csv(folder, *[(name, "text") for name in names])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        captions, problems = read_captions(folder)
    assert list(captions) == ["b.png", "good.png", "whole.jpg"]
    no_picture = "is not a PNG, JPEG, WebP or GIF picture, or is damaged"
    assert problems.pop("truncated.jpg").startswith("cannot be read: ")
    assert problems.pop("truncated.png").startswith("cannot be read: ")
    assert "decompression bomb" in problems.pop("bomb.png")
    assert "decompression bomb" in problems.pop("great bomb.png")
    assert problems == {
        "../outside.png": "lies outside of the folder",
        str(folder.parent / "outside.png"): "lies outside of the folder",
        "a.bmp": no_picture,
        "directory.png": "is missing",
        "invisible.png": "cannot be read: it is fully transparent",
        "missing.png": "is missing",
        "no picture.png": no_picture,
        "zero.png": "is empty (0 bytes)",
    }


@needs_links
def test_links(folder):
    save(folder.parent / "outside" / "secret.png")
    (folder.parent / "outside" / "secret.txt").write_text("secret")
    save(folder / "a.png")
    for name in ("a", "leaves", "nothing", "loop", "inside", "pipe", "text leaves"):
        (folder / f"{name}.txt").write_text("text")
    (folder / "inside.png").symlink_to(folder / "a.png")
    (folder / "leaves.png").symlink_to(folder.parent / "outside" / "secret.png")
    (folder / "nothing.png").symlink_to(folder / "gone.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    (folder / "linked folder").symlink_to(folder.parent / "outside")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.png")
    save(folder / "text leaves.png")
    (folder / "text leaves.txt").unlink()
    (folder / "text leaves.txt").symlink_to(folder.parent / "outside" / "secret.txt")
    write_csv(folder, ("linked folder/secret.png", "x"))
    captions, problems = read_captions(folder)
    assert list(captions) == ["a.png", "inside.png"]
    assert problems.pop("loop.png")
    assert problems == {
        "leaves.png": "is a link that leaves the folder",
        "linked folder": "is a link to a folder, which is not followed",
        "linked folder/secret.png": "is missing",
        "nothing.png": "is a link to nothing",
        "pipe.png": "is not a regular file",
        "round": "is a link to a folder, which is not followed",
        "text leaves.png": "has no caption: text leaves.txt is a link that leaves the folder",
    }


@needs_links
def test_names_that_are_not_utf8(folder):
    name = os.fsdecode(b"caf\xe9")
    try:
        save(folder / f"{name}.png")
    except OSError:
        pytest.skip("the file system takes only UTF-8")
    (folder / f"{name}.txt").write_text("a café")
    (folder / "b.txt").write_text("b")
    for _ in range(2):  # the second time from the cache
        with pytest.warns(UserWarning, match=r"b\.txt"):
            assert load_captioned_folder(folder, "all", 4).names == [f"{name}.png"]


# === The folder ===


def test_nothing_usable_says_what_was_looked_for(folder):
    with pytest.raises(ValueError, match=r"Looked for metadata.csv or metadata.jsonl .* Found 0 pictures"):
        load_captioned_folder(folder)
    save(folder / "a.png")
    (folder / "notes.doc").write_text("a")
    with pytest.raises(
        ValueError, match=r"(?s)Found 1 pictures, 0 metadata.*among 2 files.*a.png has no caption"
    ):
        load_captioned_folder(folder)
    with pytest.raises(FileNotFoundError, match="no folder"):
        load_captioned_folder(folder / "gone")
    with pytest.raises(NotADirectoryError, match="is a file"):
        load_captioned_folder(folder / "a.png")
    with pytest.raises(ValueError, match="`split` must be"):
        load_captioned_folder(folder, split="test")


def make_distinct(folder, n):
    for i in range(n):
        save(folder / f"{i:03}.png", (i, 255 - i, 99))
        (folder / f"{i:03}.txt").write_text(f"colour {i}")


def test_one_warning_names_the_problems(folder):
    make_distinct(folder, 60)
    for i in range(30):
        (folder / f"broken {i:02}.png").write_text("no")
        (folder / f"broken {i:02}.txt").write_text("text")
    with pytest.warns(UserWarning) as caught:
        load_captioned_folder(folder, size=4)
    (message,) = [str(warning.message) for warning in caught]
    assert "60 pictures with captions, 30 left out" in message
    assert "broken 00.png is not a PNG" in message
    assert "and 10 more" in message


def test_splits_are_disjoint_stable_and_complete(folder):
    make_distinct(folder, 200)
    everything, train, validation = (
        load_captioned_folder(folder, split, 4) for split in ("all", "train", "validation")
    )
    assert sorted(train.names + validation.names) == everything.names
    assert 3 <= len(validation) <= 20
    for part in (train, validation):
        rows = [everything.names.index(name) for name in part.names]
        np.testing.assert_array_equal(part.pictures, everything.pictures[rows])
        np.testing.assert_array_equal(part.groups, everything.groups[rows])
        assert part.captions == [everything.captions[row] for row in rows]
    # Fewer files: each that is left stays in its split.
    for name in everything.names[::2]:
        (folder / name).with_suffix(".txt").unlink()
        (folder / name).unlink()
    assert load_captioned_folder(folder, "validation", 4).names == [
        name for name in validation.names if name not in everything.names[::2]
    ]
    # And on every machine the same.
    assert captioned_folder._position("a") == 0.25379361057584854


def test_identical_pictures_share_group_and_split(folder):
    for i in range(90):
        save(folder / f"{i:02}.png", (i // 3, 0, 0))
        (folder / f"{i:02}.txt").write_text("x")
    data = load_captioned_folder(folder, "all", 4)
    np.testing.assert_array_equal(data.groups, np.arange(90) // 3)
    train, validation = (load_captioned_folder(folder, split, 4, 0.3) for split in ("train", "validation"))
    assert len(validation) % 3 == 0
    assert not set(train.groups) & set(validation.groups)


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_two_pictures_are_enough_for_both_splits(folder, fraction):
    make_distinct(folder, 2)
    with pytest.warns(UserWarning, match="only 2 different pictures"):
        parts = [load_captioned_folder(folder, s, 4, fraction) for s in ("train", "validation")]
    assert sorted(parts[0].names + parts[1].names) == ["000.png", "001.png"]
    assert len(parts[0]) == len(parts[1]) == 1


def test_one_picture_has_no_validation(folder):
    make_distinct(folder, 1)
    assert len(load_captioned_folder(folder, "train", 4)) == 1
    with pytest.raises(ValueError, match=r"validation split of .* is empty: 1 different"):
        load_captioned_folder(folder, "validation", 4)


def test_relative_and_string_paths(folder, monkeypatch):
    make_distinct(folder, 3)
    monkeypatch.chdir(folder)
    expected = load_captioned_folder(folder, "all", 4)
    for path in (".", str(folder), Path("..") / folder.name):
        assert load_captioned_folder(path, "all", 4).names == expected.names


# === The cache ===


def count_decoding(monkeypatch):
    calls = []
    read = captioned_folder.read_pictures
    monkeypatch.setattr(captioned_folder, "read_pictures", lambda *a: calls.append(a) or read(*a))
    return calls


def test_cache_is_used_until_something_changes(folder, cache, monkeypatch):
    make_distinct(folder, 3)
    (folder / "000.png").write_text("broken")
    calls = count_decoding(monkeypatch)
    first, report = read_captioned_folder(folder, 4)
    second, report_again = read_captioned_folder(folder, 4)
    assert len(calls) == 1
    np.testing.assert_array_equal(first.pictures, second.pictures)
    assert (first.names, report.problems) == (second.names, report_again.problems)
    # Captions are no part of it.
    (folder / "001.txt").write_text("new")
    assert read_captioned_folder(folder, 4)[0].captions[0] == ["new"]
    assert len(calls) == 1
    save(folder / "000.png")
    os.utime(folder / "000.png", ns=(1, 1))
    assert len(read_captioned_folder(folder, 4)[0]) == 3
    assert len(calls) == 2
    # The same bytes in number, changed at another time.
    save(folder / "000.png", BLUE)
    assert (read_captioned_folder(folder, 4)[0].pictures[0] == BLUE).all()
    read_captioned_folder(folder, 5)
    assert len(calls) == 4
    assert len(list(cache.rglob("*.*"))) == 2  # one file per size; nothing old, nothing temporary


@pytest.mark.parametrize(
    "damage", [lambda b: b"", lambda b: b[: len(b) // 2], lambda b: b[:300] + b"x" + b[301:]]
)
def test_damaged_cache_is_rebuilt(folder, cache, monkeypatch, damage):
    make_distinct(folder, 9)
    expected, _ = read_captioned_folder(folder, 16)
    (file,) = cache.rglob("*.npz")
    good = file.read_bytes()
    file.write_bytes(damage(good))
    calls = count_decoding(monkeypatch)
    np.testing.assert_array_equal(read_captioned_folder(folder, 16)[0].pictures, expected.pictures)
    assert len(calls) == 1
    read_captioned_folder(folder, 16)
    assert len(calls) == 1


def test_full_disk_costs_the_cache_alone(folder, cache):
    resource = pytest.importorskip("resource")
    make_distinct(folder, 9)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.warns(UserWarning, match="No cache was written"):
            data = load_captioned_folder(folder, "all", 16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(data) == 9
    assert list(cache.rglob("*.*")) == []


def test_cache_that_cannot_be_made(folder, tmp_path, monkeypatch):
    make_distinct(folder, 2)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="KERAS_T2I_CACHE names another"):
        assert len(load_captioned_folder(folder, "all", 4)) == 2


@pytest.mark.parametrize("kept", [[], [0, 3], [1, 2, 5, 6, 7, 8], list(range(9))])
def test_keep_rows(kept):
    array = np.arange(9)
    np.testing.assert_array_equal(keep_rows(array.copy(), kept), array[kept])
