"""A small OpenMoji, built into a temporary cache."""

import numpy as np
import pytest

from keras_t2i.data.emoji.openmoji import load_openmoji
from keras_t2i.data.emoji.openmoji_builder import OpenMoji
from keras_t2i.data.emoji.openmoji_drawings import drawing
from keras_t2i.data.emoji.openmoji_drawings import svg_files
from keras_t2i.data.emoji.rasterize import decode_on_white
from keras_t2i.data.emoji.rasterize import encode_png
from keras_t2i.data.emoji.rasterize import is_blank
from keras_t2i.data.emoji.rasterize import rasterize_svg

pytestmark = pytest.mark.once

LIMIT = 60
RED_DISC = (
    '<svg viewBox="0 0 8 8" xmlns="http://www.w3.org/2000/svg"><circle cx="4" cy="4" r="2" fill="red"/></svg>'
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="module")
def sets(cache):
    names = ("train", "validation", "test")
    return {split: load_openmoji(split, size=16, data_dir=cache, limit=LIMIT) for split in names}


def test_pictures_and_captions(sets):
    train = sets["train"]
    assert train.pictures.dtype == np.uint8 and train.pictures.shape == (len(train), 16, 16, 3)
    assert LIMIT / 2 < len(train) < 2 * LIMIT
    assert {attributes["style"] for attributes in train.attributes} == {"openmoji", "black line"}
    assert not any(is_blank(picture) for picture in train.pictures)
    # Most of a picture is its white ground.
    assert np.median(train.pictures) == 255
    assert "CC BY-SA" in train.source
    i = train.names.index(next(name for name in train.names if name.endswith("openmoji")))
    expected = rasterize_svg(drawing(train.names[i].split()[0], "openmoji"), 16)
    np.testing.assert_array_equal(train.pictures[i], expected)


def test_splits_share_no_picture(sets):
    names = [name for data in sets.values() for name in data.names]
    assert len(set(names)) == len(names)
    groups = [set(data.groups) for data in sets.values()]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert all(attributes["held_out"] for attributes in sets["test"].attributes)
    assert not any(attributes["held_out"] for attributes in sets["train"].attributes)


def test_splits_are_the_same_at_another_size(sets, cache):
    larger = load_openmoji("test", size=40, data_dir=cache, limit=LIMIT)
    assert sorted(larger.names) == sorted(sets["test"].names)
    assert larger.pictures.shape[1:] == (40, 40, 3)


def test_the_cache_is_read_again(sets, cache):
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*record*")}
    again = load_openmoji("train", size=16, data_dir=cache, limit=LIMIT)
    assert before and before == {path: path.stat().st_mtime_ns for path in cache.rglob("*record*")}
    np.testing.assert_array_equal(again.pictures, sets["train"].pictures)
    assert again.captions == sets["train"].captions


def test_a_build_that_loses_the_race_uses_the_winners(tmp_path, monkeypatch):
    build = OpenMoji.examples

    def overtaken(self):
        # While this build is under way, another process builds the same and ends first.
        monkeypatch.setattr(OpenMoji, "examples", build)
        load_openmoji("train", size=8, data_dir=tmp_path, limit=12)
        return build(self)

    monkeypatch.setattr(OpenMoji, "examples", overtaken)
    assert len(load_openmoji("train", size=8, data_dir=tmp_path, limit=12)) > 6
    assert not list(tmp_path.rglob("*.partial"))


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="'train', 'validation', 'test'"):
        load_openmoji("tests", data_dir=tmp_path)
    with pytest.raises(ValueError, match="positive"):
        load_openmoji("train", size=0, data_dir=tmp_path)


def test_line_drawings_leave_color_out():
    apple = rasterize_svg(drawing("1F34E", "black line"), 64)
    assert (apple == apple[..., :1]).all() and not is_blank(apple)
    judge, flag, blue_heart = "1F468-1F3FB-200D-2696", "1F1EB-1F1F7", "1F499"
    for code_point in (judge, flag, blue_heart):
        assert code_point in svg_files()
        assert drawing(code_point, "black line") is None


def test_rasterize_on_white():
    picture = rasterize_svg(RED_DISC, 16)
    assert picture.shape == (16, 16, 3) and picture.dtype == np.uint8
    assert picture[8, 8].tolist() == [255, 0, 0] and picture[0, 0].tolist() == [255, 255, 255]
    # Area of the disc: pi/16 of the square.
    np.testing.assert_allclose((255 - picture[..., 1]).mean() / 255, np.pi / 16, rtol=0.03)
    wide = RED_DISC.replace("0 0 8 8", "0 0 16 8")
    tall = RED_DISC.replace("0 0 8 8", "0 0 8 16")
    assert (rasterize_svg(tall, 16)[:8, 4:12] == rasterize_svg(RED_DISC, 8)).all()
    assert (rasterize_svg(wide, 16)[4:12, :8] == rasterize_svg(RED_DISC, 8)).all()
    np.testing.assert_array_equal(decode_on_white(encode_png(picture)), picture)


def test_transparency_is_composited_before_resizing():
    import io

    from PIL import Image

    # Black hidden under full transparency must not darken the edge.
    pixels = np.zeros((8, 8, 4), "uint8")
    pixels[:4] = 255, 0, 0, 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    small = decode_on_white(buffer.getvalue(), size=2)
    assert small[0, 0].tolist() == [255, 0, 0] and small[1, 1].tolist() == [255, 255, 255]
