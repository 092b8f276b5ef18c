import numpy as np
import pytest

from keras_t2i import data
from keras_t2i.data import registry
from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.registry import DataSet
from keras_t2i.evaluation.prompt_sets import load_prompt_sets

FIRST = {"train": 0, "validation": 100, "test": 200}


def load_numbers(split, size=32, limit=0):
    """As many pictures as there are numbers, each known by its number."""
    n = limit or 40
    numbers = [str(FIRST[split] + i) for i in range(n)]
    pictures = np.random.default_rng(FIRST[split]).integers(0, 256, (n, size, size, 3), dtype="uint8")
    return CaptionedImages(
        pictures, [[number, f"number {number}"] for number in numbers], numbers, np.arange(n)
    )


@pytest.fixture
def numbers(monkeypatch):
    """A data set in one file and one line."""
    monkeypatch.setitem(registry.DATA_SETS, "numbers", DataSet(load_numbers, "made up", sample="numbers"))


def test_a_data_set_is_one_line_of_the_registry(numbers):
    assert data.load("numbers", "validation", size=8).plain_captions[:2] == ["100", "101"]
    assert data.load("numbers", "train", 8).pictures.shape == (40, 8, 8, 3)
    assert len(registry.load_sample("numbers", 8, limit=5)) == 5
    assert '"numbers" (made up)' in registry.describe_sources()
    sets, train = load_prompt_sets("numbers", size=8, count=30)
    assert [len(s) for s in sets] == [30, 40, 40] and len(train) == 40  # of the test split, too


def test_a_set_that_must_be_prepared_has_a_stand_in(numbers, monkeypatch):
    def fails(split, size):
        raise AssertionError("a sample needs no preparation")

    monkeypatch.setitem(registry.DATA_SETS, "large", DataSet(fails, "to be prepared", sample="numbers"))
    assert registry.load_sample("large", 8, limit=5).names == [str(i) for i in range(5)]


def test_a_folder_is_what_is_no_name(folder):
    from PIL import Image

    for i in range(4):
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text(f"picture {i}")
    assert data.load(folder, "train", 8).pictures.shape[1:] == (8, 8, 3)
    assert registry.splits_of(folder) == ("train", "validation")
    assert registry.splits_of("openmoji") == registry.splits_of("emoji") == ("train", "validation", "test")


def test_what_is_neither_name_nor_folder_is_told_the_names():
    with pytest.raises(FileNotFoundError, match=r'no folder openmojis.*"openmoji".*"emoji".*or a folder'):
        data.load("openmojis", "train")
