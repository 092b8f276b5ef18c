"""Small folders of captioned pictures, damaged at random: what is said of them is always a sentence.

`KERAS_T2I_FUZZ=2000 pytest tests/data/folder/test_folder_fuzz.py` tries so many; by default it takes seconds.
`KERAS_T2I_FUZZ_SEED=1` tries others.
"""

import csv
import functools
import hashlib
import io
import json
import os
import random
import time
import warnings

import pytest
from PIL import Image

from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.data.folder.captioned_folder import read_captioned_folder

TRIALS = int(os.environ.get("KERAS_T2I_FUZZ", "300"))
SEED = int(os.environ.get("KERAS_T2I_FUZZ_SEED", "0"))
CHUNKS = 10
MOST_SECONDS = 10
KINDS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"]
MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I", "F", "CMYK", "YCbCr", "LAB", "PA"]
SUFFIXES = ["", "png", "jpg", "jfif", "gif", "bmp", "tiff", "webp", "ppm", "jp2", "heic", "svg", "txt", "dat"]
SUFFIXES += ["avif", "PNG"]
WORDS = [
    "a red apple",
    "",
    " ",
    "nan",
    "x" * 5000,
    "é ﬁ",
    "a\x00b",
    '"',
    "🍎",
    "\u2028",
    "a\nb",
    "1,2;3",
    "\ud800",
]
STEMS = ["a", "b", "c d", "é", "e\u0301", "A", ".hidden", "metadata", "x" * 200, "-", "[1]", "%s", "a\nb"]
FOLDERS = ["", "", "", "sub/", "sub/deep/", ".git/", "é/"]


@functools.cache
def picture_bytes(kind, mode):
    file = io.BytesIO()
    try:
        Image.new(mode, (6, 4)).save(file, kind)
    except (OSError, ValueError, KeyError):  # a mode that this kind does not have
        return b""
    return file.getvalue()


def damaged(content, rng):
    content = bytearray(content)
    for _ in range(rng.choice([0] * 8 + [1, 1, 3, 20])):
        if not content:
            break
        place = rng.randrange(len(content))
        way = rng.randrange(4)
        if way == 0:
            content[place] = rng.randrange(256)
        elif way == 1:
            del content[place : place + rng.randrange(1, 30)]
        elif way == 2:
            content[place:place] = rng.randbytes(rng.randrange(1, 30))
        else:
            content[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"])
    return bytes(content)


def metadata(kind, names, rng):
    columns = [
        rng.choice(["file_name", "File_Name", "image", "id"]),
        rng.choice(["text", "caption", "prompt", "tags"]),
    ]
    rng.shuffle(columns)
    names = [*names * 4, "gone.png", "../outside.png", "/etc/hosts", "a" * 5000, "", "sub", "metadata.csv"]
    values = [*WORDS, None, 7, ["a", "b"], ["a", 3], {"a": 1}, True]
    rows = [
        [rng.choice(names), rng.choice(values if kind == "jsonl" else WORDS)] for _ in range(rng.randrange(8))
    ]
    if columns[0] in ("text", "caption", "prompt", "tags"):
        rows = [row[::-1] for row in rows]
    if kind == "jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
        lines += rng.sample(
            ["[" * 100_000, "{}", "null", "9" * 5000, '{"file_name": 3}', "{"], rng.randrange(2)
        )
        return "\n".join(lines).encode()
    file = io.StringIO()
    csv.writer(file, delimiter=rng.choice(",,,,,,,;\t")).writerows([columns, *rows])
    return file.getvalue().encode(rng.choice(["utf-8"] * 5 + ["utf-8-sig", "utf-16"]), "replace")


def make_folder(folder, rng):
    folder.mkdir(parents=True)
    names = []

    def write(name, content):
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_bytes(content)
                names.append(name)
        except (OSError, ValueError):  # a name that this system does not take
            pass

    for _ in range(rng.randrange(1, 6)):
        name = f"{rng.choice(FOLDERS)}{rng.choice(STEMS)}"
        content = picture_bytes(rng.choice(KINDS), rng.choice(MODES)) or picture_bytes("PNG", "RGB")
        write(f"{name}.{rng.choice(SUFFIXES)}", damaged(content, rng))
        if rng.random() < 0.8:
            write(f"{name}.txt", damaged("\n".join(rng.choices(WORDS, k=2)).encode("utf-8", "replace"), rng))
    if rng.random() < 0.2 and os.name == "posix":
        target = rng.choice([*names, "nothing", "..", ".", str(folder.parent / "outside.png")])
        link = folder / f"link.{rng.choice(SUFFIXES)}"
        if not link.exists():
            link.symlink_to(target)
    for kind in ("csv", "jsonl"):
        if rng.random() < 0.3:
            write(f"{rng.choice(FOLDERS)}metadata.{kind}", damaged(metadata(kind, names, rng), rng))


def state_of(folder):
    """A digest of all that is below, and of when it was changed."""
    digest = hashlib.blake2b()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest.update(f"{os.fsencode(path)} {status.st_mtime_ns} {status.st_size}".encode())
    return digest.hexdigest()


def check(report, folder):
    found = [path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()]
    relative = [path.relative_to(folder) for path in found]
    # What begins with a dot is passed over, a folder as one.
    seen = {
        "/".join(path.parts[: next((i + 1 for i, part in enumerate(path.parts) if part[0] == "."), None)])
        for path in relative
    }
    assert report.num_files == len(seen)
    assert report.num_usable + len(report.caption_files) + sum(report.left_out.values()) == len(seen)
    assert str(report).encode()  # no half of a surrogate pair


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_damaged_folders(tmp_path, monkeypatch, chunk):
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "cache"))
    Image.new("RGB", (4, 4)).save(tmp_path / "outside.png")
    read = refused = 0
    for trial in range(chunk, TRIALS, CHUNKS):
        rng = random.Random(SEED * 100_000 + trial)
        folder = tmp_path / f"{trial}"
        make_folder(folder, rng)
        outside = (tmp_path / "outside.png").stat().st_mtime_ns
        before, start = state_of(folder), time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                data, report = read_captioned_folder(folder, 4)
                assert len(data) == report.num_usable == len(data.pictures) == len(data.captions) > 0
                assert all(captions and all(captions) for captions in data.captions)
                check(report, folder)
                load_captioned_folder(folder, "train", 4)
                read += 1
            except (ValueError, OSError) as error:
                # No error of Python's own words: it names the folder or a file in it.
                assert type(error) in (ValueError, FileNotFoundError), (trial, error)
                assert str(folder) in str(error) or "metadata." in str(error), (trial, error)
                refused += 1
        assert time.monotonic() - start < MOST_SECONDS, trial
        assert state_of(folder) == before, trial
        assert (tmp_path / "outside.png").stat().st_mtime_ns == outside
    print(f"{read} folders were read, {refused} refused with a sentence")
    assert read and refused
