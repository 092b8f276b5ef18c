import numpy as np
import pytest
from PIL import Image

from keras_t2i.models import outputs
from keras_t2i.models.inputs import as_negative_prompts
from keras_t2i.models.inputs import as_pictures
from keras_t2i.models.inputs import check_number
from keras_t2i.models.outputs import as_color
from keras_t2i.models.outputs import as_size
from keras_t2i.models.outputs import check_memory
from keras_t2i.models.stages.denoising import check_guidance
from keras_t2i.models.stages.one_pass import check_temperature


def test_sizes():
    assert as_size(1) == (1, 1) and as_size(65536) == (65536, 65536)
    pairs = [(3, 5), [3, 5], np.array([3, 5], "uint16"), (np.int64(3), np.uint8(5))]
    assert [as_size(pair) for pair in pairs] == [(3, 5)] * 4
    for size in (np.int32(7), np.array(7)):
        assert as_size(size) == (7, 7) and {type(side) for side in as_size(size)} == {int}


@pytest.mark.parametrize(
    "size", [True, np.True_, 32.0, "32", None, (32, True), (32, 32.0), "ab", {3, 5}, np.array([1.0, 2.0])]
)
def test_sizes_that_are_no_ints(size):
    with pytest.raises(TypeError, match=r"size must be an int or a pair of ints \(height, width\), got"):
        as_size(size)


@pytest.mark.parametrize("size", [0, -3, 65537, 10**9, (0, 5), (5, 10**30), np.array([5, -1])])
def test_sizes_out_of_range(size):
    with pytest.raises(ValueError, match="size must be between 1 and 65536 pixels a side, got"):
        as_size(size)


@pytest.mark.parametrize("size", [(), (5,), (1, 2, 3), np.array([1, 2, 3])])
def test_sizes_of_another_number_of_sides(size):
    with pytest.raises(ValueError, match="a pair of ints"):
        as_size(size)


def test_pictures_that_fit_into_memory(monkeypatch):
    monkeypatch.setattr(outputs, "free_memory", lambda: 3 * 2**30)
    check_memory(2**15, 2**15, 3, 1)
    with pytest.raises(MemoryError, match=r"2 x 32768 x 32768 x 3 bytes are 6\.0 GiB, 3\.0 GiB .*render_to"):
        check_memory(2**15, 2**15, 3, 2)
    monkeypatch.setattr(outputs, "free_memory", lambda: None)
    check_memory(65536, 65536, 4, 1000)


def test_colors():
    assert as_color(None) is None
    for background in ("rebeccapurple", "RebeccaPurple", "#663399", "#639", (102, 51, 153), [102, 51, 153]):
        assert as_color(background) == (102, 51, 153)
    assert as_color(np.array([102, 51, 153], "uint8")) == (102, 51, 153)
    assert as_color("white") == (255, 255, 255) and as_color((0, 0, 255)) == (0, 0, 255)


@pytest.mark.parametrize(
    ("background", "error"),
    [
        ("transparent", ValueError),
        ("#66339980", ValueError),
        ("", ValueError),
        ("e-mail", ValueError),
        ("w" * 200, ValueError),
        ("rgb(300, 0, 0)", ValueError),
        ((1, 2), ValueError),
        ((1, 2, 3, 4), ValueError),
        ((), ValueError),
        ((-1, 0, 0), ValueError),
        ((0, 0, 256), ValueError),
        (7, TypeError),
        (True, TypeError),
        ((0.5, 0.5, 0.5), TypeError),
        ((True, 0, 0), TypeError),
        (np.ones(3), TypeError),
        (b"red", TypeError),
    ],
)
def test_what_is_no_color(background, error):
    with pytest.raises(error, match=r"background must be None \(transparent\), a CSS name"):
        as_color(background)


def test_pictures_of_any_height_and_width():
    one, several = np.zeros((3, 5, 3), "uint8"), np.ones((2, 1, 4, 3), "uint8")
    for given, expected in ((one, one[None]), (several, several), ([one, one], np.stack([one, one]))):
        found = as_pictures(given)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, expected)
    assert as_pictures(Image.new("RGB", (5, 3), "red")).shape == (1, 3, 5, 3)


@pytest.mark.parametrize(
    "shape", [(3, 5), (3, 5, 4), (3, 5, 1), (2, 3, 5, 4), (0, 3, 5, 3), (0, 5, 3), (1, 2, 3, 5, 3), ()]
)
def test_what_is_no_picture(shape):
    with pytest.raises(ValueError, match=r"pictures must be uint8 \(n, h, w, 3\), or one \(h, w, 3\), got "):
        as_pictures(np.zeros(shape, "uint8"))


def test_pictures_of_another_type():
    with pytest.raises(ValueError, match=r"got float64 \(3, 5, 3\)"):
        as_pictures(np.zeros((3, 5, 3)))
    with pytest.raises(ValueError, match=r"got <U11 \(2,\)"):
        as_pictures(["a red apple", "a red car"])


@pytest.mark.parametrize("wrong", [1e38, np.float64(1e39), -1, float("nan"), float("inf"), 10**400])
def test_numbers_out_of_range_are_refused(wrong):
    for check in (check_number, lambda name, value, least: check_temperature(value, None)):
        with pytest.raises(ValueError, match="temperature must be 0 or more and at most 1e"):
            check("temperature", wrong, 0.0)
    with pytest.raises(ValueError, match="guidance_scale must be 0 or more"):
        check_guidance(wrong)


@pytest.mark.parametrize("wrong", ["1", None, [1.0], True])
def test_what_is_no_number_is_named(wrong):
    with pytest.raises(TypeError, match="temperature must be a number"):
        check_number("temperature", wrong, 0.0)
    assert check_number("temperature", np.float32(2), 0.0) == 2.0


def test_a_blank_negative_prompt_is_named():
    assert as_negative_prompts(["", "a"], 2) == ["", "a"]
    with pytest.raises(ValueError, match="Negative prompt 1 is blank"):
        as_negative_prompts(["a", " "], 2)
    with pytest.raises(ValueError, match="The negative prompt is blank"):
        as_negative_prompts(" \n", 2)
