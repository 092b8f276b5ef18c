import numpy as np
import pytest
from command_line import training_parser
from PIL import Image

from keras_t2i import data
from keras_t2i.data import registry
from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.emoji.rasterize import VectorPicture
from keras_t2i.data.registry import DataSet
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.utils.images import to_uint8

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
    parser = training_parser("", "run", {"minutes": 1, "batch_size": 1, "learning_rate": 1.0})
    assert '"numbers" (made up)' in " ".join(parser.format_help().split())
    sets, train = load_prompt_sets("numbers", size=8, count=30, things=0)
    assert [len(s) for s in sets] == [30, 40, 40] and len(train) == 40  # of the test split, too


def test_a_set_that_must_be_prepared_has_a_stand_in(numbers, monkeypatch):
    def fails(split, size):
        raise AssertionError("a sample needs no preparation")

    monkeypatch.setitem(registry.DATA_SETS, "large", DataSet(fails, "to be prepared", sample="numbers"))
    assert registry.load_sample("large", 8, limit=5).names == [str(i) for i in range(5)]


def test_a_folder_is_what_is_no_name(folder):
    for i in range(4):
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text(f"picture {i}")
    assert data.load(folder, "train", 8).pictures.shape[1:] == (8, 8, 3)
    assert registry.splits_of(folder) == ("train", "validation")
    assert registry.splits_of("openmoji") == registry.splits_of("emoji") == ("train", "validation", "test")


def test_what_is_neither_name_nor_folder_is_told_the_names():
    with pytest.raises(FileNotFoundError, match=r'no folder openmojis.*"openmoji".*"emoji".*or a folder'):
        data.load("openmojis", "train")


def test_truths_of_a_set_of_drawings_are_these():
    """Of a sample of the larger set, which is not prepared here, those of its stand-in."""
    sample = registry.load_sample("openmoji", size=32, limit=6)
    some = sample.take([5, 0, 3])
    for source in ("openmoji", "emoji"):
        truths = registry.load_truths(source, "train", some, sample=True)
        assert [type(truth) for truth in truths] == [VectorPicture] * 3
        for picture, truth in zip(some.pictures, truths, strict=True):
            drawn = to_uint8(truth.window(0.0, 0.0, 1.0, 32)[..., :3])
            assert np.abs(drawn.astype(int) - picture).max() <= 1


@pytest.mark.filterwarnings("ignore:There are only")
def test_truths_of_a_folder_are_its_pictures_larger(folder):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 256, 256, 3), "uint8")
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{i}.png")
        (folder / f"{i}.txt").write_text(f"{i}")
    for split in ("train", "validation"):
        small = data.load(folder, split, 16)
        small = small.take(range(len(small))[::-1])
        truths = registry.load_truths(folder, split, small, sample=True)
        for caption, truth in zip(small.plain_captions, truths, strict=True):
            np.testing.assert_array_equal(truth.pixels, pictures[int(caption)])


def test_truths_of_a_set_without_drawings_are_loaded_larger(numbers):
    pictures = data.load("numbers", "train", 8).take([7, 2])
    truths = registry.load_truths("numbers", "train", pictures)
    large = load_numbers("train", 256).pictures
    for truth, place in zip(truths, (7, 2), strict=True):
        np.testing.assert_array_equal(truth.pixels, large[place])
