import numpy as np
import pytest
from PIL import Image
from scipy.integrate import quad

from keras_t2i.data.emoji.openmoji_drawings import drawings
from keras_t2i.data.emoji.rasterize import VectorPicture
from keras_t2i.data.emoji.rasterize import rasterize_svg
from keras_t2i.data.emoji.rasterize import read_raster
from keras_t2i.data.windows import RasterPicture
from keras_t2i.data.windows import box_matrix
from keras_t2i.data.windows import on_white
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

SQUARE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="{}">
<rect x="0" y="0" width="30" height="30" fill="#c02040"/>
<circle cx="42" cy="20" r="11.3" fill="#2050e0" fill-opacity="0.5"/>
<path d="M5 60 L40 35 L66 68 Z" fill="none" stroke="black" stroke-width="3"/></svg>"""


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def blocks(picture, size):
    """Means of blocks of pixels, float64."""
    h, w, c = picture.shape
    return picture.astype("float64").reshape(size, h // size, size, w // size, c).mean(axis=(1, 3))


@pytest.mark.parametrize("background", ["white", "#2060a0"])
def test_on_white_is_what_pillow_composites(background):
    """And opacity lets any other color through."""
    rgba = noise(9, 9, 4)
    values = on_white(rgba)
    assert values.dtype == np.float32 and values.shape == (9, 9, 4)
    np.testing.assert_allclose(values[..., 3], rgba[..., 3] / 255, atol=1e-6)
    whole = Image.new("RGBA", (9, 9), background)
    color = np.array(whole.getpixel((0, 0))[:3]) / 255
    whole.alpha_composite(Image.fromarray(rgba))
    on_color = (values[..., :3] + 1) / 2 + (1 - values[..., 3:]) * (color - 1)
    np.testing.assert_allclose(255 * on_color, np.asarray(whole)[..., :3], atol=1.01)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [1, 4, 12, 24])
def test_the_whole_of_a_raster_picture_is_means_of_blocks(channels, size):
    pixels = noise(24, 24, channels)
    opaque = pixels if channels == 4 else np.dstack([pixels, np.full((24, 24), 255, "uint8")])
    picture = RasterPicture(pixels)
    found = picture.window(0.0, 0.0, 1.0, size)
    assert found.dtype == np.float32 and found.shape == (size, size, 4) and picture.detail == 24
    np.testing.assert_allclose(found, blocks(on_white(opaque), size), atol=1e-5)


def test_a_window_of_a_raster_picture_is_that_part():
    pixels = noise(32, 32, 4)
    found = RasterPicture(pixels).window(0.25, 0.5, 0.375, 6)  # columns 8 to 20, rows 16 to 28
    np.testing.assert_allclose(found, blocks(on_white(pixels[16:28, 8:20]), 6), atol=1e-5)


def test_cells_that_cut_pixels_have_their_shares_of_them():
    pixels = noise(5, 5, 3)
    found = RasterPicture(pixels).window(0.12, 0.32, 0.6, 3)
    values = to_float(pixels).astype("float64")
    fine = values.repeat(10, axis=0).repeat(10, axis=1)  # 50 a side
    expected = blocks(fine[16:46, 6:36], 3)
    np.testing.assert_allclose(found[..., :3], expected, atol=1e-5)
    np.testing.assert_allclose(found[..., 3], 1, atol=1e-5)


def test_a_raster_picture_that_is_not_square_is_stretched():
    pixels = noise(12, 6, 3)
    found = RasterPicture(pixels).window(0.0, 0.0, 1.0, 6)
    np.testing.assert_allclose(found[..., :3], to_float(pixels).reshape(6, 2, 6, 3).mean(axis=1), atol=1e-5)


def test_boxes_are_integrals():
    """Beyond the border the outermost pixel goes on."""
    values, cell = np.random.default_rng(0).standard_normal(6), 1.7
    starts = np.array([-2.3, -0.4, 1.2, 4.9, 5.5])
    matrix = box_matrix(starts, cell, 6)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    for row, start in zip(matrix, starts, strict=True):
        jumps = [edge for edge in range(1, 6) if start < edge < start + cell]
        area = quad(
            lambda x: values[int(np.clip(np.floor(x), 0, 5))], start, start + cell, points=jumps or None
        )[0]
        assert row @ values == pytest.approx(area / cell, abs=1e-6)


@pytest.mark.parametrize("box", ["0 0 72 72", "-4,-4,80,80", "0 10 72 36", " 20  0 36 72 "])
@pytest.mark.parametrize("size", [24, 72])
def test_the_whole_of_a_vector_picture_is_its_rasterization(box, size):
    """Square or not: it is centered."""
    svg = SQUARE.format(box)
    expected = rasterize_svg(svg, size).astype(int)
    found = VectorPicture(svg).window(0.0, 0.0, 1.0, size)
    assert found.dtype == np.float32 and found.shape == (size, size, 4)
    difference = np.abs(to_uint8(found[..., :3]) - expected).max(axis=-1)
    if box.startswith((" 20", "0 10")):
        # The other's paper ends where the SVG does; and it draws another window, whose antialiasing gives
        # some pixels at edges a sixteenth more or less.
        difference = difference[(expected < 255).any(axis=-1)]
        assert difference.max() <= 17 and (difference <= 1).mean() > 0.9
    else:
        assert difference.max() <= 1


def test_the_whole_of_packaged_drawings_is_their_rasterization():
    for drawing in list(drawings(limit=12))[:12]:
        truth = drawing.truth()
        assert isinstance(truth, VectorPicture) and truth.detail == float("inf")
        found = to_uint8(truth.window(0.0, 0.0, 1.0, 32)[..., :3])
        assert np.abs(found.astype(int) - drawing.draw(32)).max() <= 1


def test_all_packaged_drawings_can_be_truths():
    assert all(drawing.truth().side > 0 for drawing in drawings())


def test_a_window_of_a_vector_picture_is_that_part_of_a_large_drawing():
    picture = VectorPicture(SQUARE.format("0 0 72 72"))
    large = to_float(rasterize_svg(SQUARE.format("0 0 72 72"), 1440))
    for left, top, side, size in ((0.25, 0.5, 0.375, 54), (0.5, 0.0, 0.5, 30), (0.0, 0.25, 0.05, 36)):
        found = picture.window(left, top, side, size)
        first_row, first_column, pixels = (round(1440 * share) for share in (top, left, side))
        part = large[first_row : first_row + pixels, first_column : first_column + pixels]
        error = np.abs(found[..., :3] - blocks(part, size))
        assert error.max() < 0.2 and error.mean() < 0.005  # antialiasing is no exact mean


def test_the_opacity_of_a_vector_picture():
    opacity = VectorPicture(SQUARE.format("0 0 72 72")).window(0.0, 0.0, 1.0, 72)[..., 3]
    assert opacity[10, 10] == 1 and opacity[10, 66] == 0
    assert opacity[20, 45] == pytest.approx(0.5, abs=2 / 255)


def test_a_view_box_may_be_quoted_in_either_way():
    svg = SQUARE.format("0 0 72 72")
    windows = [VectorPicture(one).window(0.1, 0.2, 0.5, 20) for one in (svg, svg.replace('"', "'"))]
    np.testing.assert_array_equal(*windows)


@pytest.mark.parametrize("svg", ["<svg></svg>", '<svg viewBox="0 0 72"/>', '<svg viewBox=""/>'])
def test_an_svg_without_a_view_box_is_named(svg):
    with pytest.raises(ValueError, match="the SVG has no viewBox of four numbers"):
        VectorPicture(svg)


def test_a_picture_file_keeps_its_opacity(tmp_path):
    rgba = noise(6, 6, 4)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_raster(tmp_path / "a.png").pixels, rgba)
    Image.fromarray(rgba[..., :3]).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_raster(tmp_path / "b.png").pixels[..., 3], np.full((6, 6), 255))
