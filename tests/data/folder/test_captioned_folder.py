import csv
import os
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_t2i.data.folder import captioned_folder
from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.data.folder.captioned_folder import read_captioned_folder
from keras_t2i.data.folder.image_files import KINDS

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links and odd names need rights on Windows")


def save(path, color=RED, size=(8, 8), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)


def write_csv(folder, *rows, encoding="utf-8"):
    with (folder / "metadata.csv").open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows([("file_name", "text"), *rows])


def claim_size(good, bomb, side):
    """A copy of a PNG file whose header claims another size."""
    content = good.read_bytes()
    header = b"IHDR" + struct.pack(">II", side, side) + content[24:29]
    bomb.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])


def read_captions(folder):
    data, report = read_captioned_folder(folder, 4)
    return dict(zip(data.names, data.captions, strict=True)), report.problems


def make_distinct(folder, n):
    for i in range(n):
        save(folder / f"{i:03}.png", (i, 255 - i, 99))
        (folder / f"{i:03}.txt").write_text(f"colour {i}")


def test_every_picture_problem_is_named(folder):
    save(folder / "good.png")
    (folder / "zero.png").write_bytes(b"")
    (folder / "no picture.png").write_text("<svg/>")
    save(folder / "whole.jpg", size=(99, 99))
    (folder / "truncated.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:-500])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")).save(folder / "b.png")
    (folder / "truncated.png").write_bytes((folder / "b.png").read_bytes()[:-5000])
    Image.new("RGBA", (8, 8)).save(folder / "invisible.png")
    claim_size(folder / "good.png", folder / "bomb.png", 10_000)
    claim_size(folder / "good.png", folder / "great bomb.png", 100_000)
    Image.new("RGB", (8, 8)).save(folder / "a.tga")
    (folder / "directory.png").mkdir()
    save(folder.parent / "outside.png")
    names = ["zero.png", "no picture.png", "truncated.jpg", "truncated.png", "invisible.png", "bomb.png"]
    names += ["great bomb.png", "a.tga", "directory.png", "missing.png", "../outside.png"]
    names += [str(folder.parent / "outside.png"), "good.png", str(folder / "whole.jpg"), "b.png"]
    write_csv(folder, *[(name, "text") for name in names])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        captions, problems = read_captions(folder)
    assert list(captions) == ["b.png", "good.png", "whole.jpg"]
    no_picture = f"is not a {KINDS} picture, or is damaged"
    assert problems.pop("truncated.jpg").startswith("cannot be read: ")
    assert problems.pop("truncated.png").startswith("cannot be read: ")
    assert "decompression bomb" in problems.pop("bomb.png")
    assert "decompression bomb" in problems.pop("great bomb.png")
    assert problems == {
        "../outside.png": "lies outside of the folder",
        str(folder.parent / "outside.png"): "lies outside of the folder",
        "a.tga": "is of a kind that is not read (tga): save it as PNG or JPEG",
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


def test_the_report_accounts_for_every_file(folder):
    for name in ("a.png", "b.jfif", "c.bmp", "d.tiff", "lonely.png"):
        save(folder / name, format="JPEG" if name == "b.jfif" else None)
    for name in "abcdx":
        (folder / f"{name}.txt").write_text("a caption")
    (folder / "e.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (folder / "e.txt").write_text("a caption")
    (folder / ".hidden").write_text("")
    (folder / "movie.mp4").write_text("x")
    (folder / "sub").mkdir()
    (folder / "sub" / "metadata.csv").write_text("file_name,text\nf.png,f\n")
    save(folder / "sub" / "f.png", BLUE)
    data, report = read_captioned_folder(folder, 4)
    assert data.names == ["a.png", "b.jfif", "c.bmp", "d.tiff", "sub/f.png"]
    assert report.caption_files == ["a.txt", "b.txt", "c.txt", "d.txt", "sub/metadata.csv"]
    assert report.problems == {
        "e.heic": "is of a kind that is not read (heic): save it as PNG or JPEG",
        "lonely.png": "has no caption",
    }
    assert report.others == {
        ".hidden": "begins with a dot",
        "e.txt": "has captions of e.heic alone, which was left out",
        "movie.mp4": "is neither a picture nor captions",
        "x.txt": "is text that no picture takes its captions from",
    }
    assert report.num_files == 16 == 5 + 5 + sum(report.left_out.values())
    assert "16 files in all: 5 pictures were read, 5 hold their captions, 6 were left out" in str(report)
