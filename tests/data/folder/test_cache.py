import os

import numpy as np
import pytest
from full_disk import full_disk
from PIL import Image

from keras_t2i.data.folder import captioned_folder
from keras_t2i.data.folder.captioned_folder import load_captioned_folder
from keras_t2i.data.folder.captioned_folder import read_captioned_folder

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def save(path, color=RED, size=(8, 8), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)


def make_distinct(folder, n):
    for i in range(n):
        save(folder / f"{i:03}.png", (i, 255 - i, 99))
        (folder / f"{i:03}.txt").write_text(f"colour {i}")


def count_decoding(monkeypatch):
    calls = []
    read = captioned_folder.read_square_pictures
    monkeypatch.setattr(captioned_folder, "read_square_pictures", lambda *a: calls.append(a) or read(*a))
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
    make_distinct(folder, 9)
    with full_disk(free=2000), pytest.warns(UserWarning, match="No cache was written"):
        data = load_captioned_folder(folder, "all", 16)
    assert len(data) == 9
    assert list(cache.rglob("*.*")) == []


def test_cache_that_cannot_be_made(folder, tmp_path, monkeypatch):
    make_distinct(folder, 2)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match="KERAS_T2I_CACHE names another"):
        assert len(load_captioned_folder(folder, "all", 4)) == 2
