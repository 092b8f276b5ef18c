import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from keras_t2i_runtime.fields import draw_fields
from keras_t2i_runtime.tiling import TILE
from keras_t2i_runtime.tiling import Placement
from keras_t2i_runtime.tiling import draw_bands
from keras_t2i_runtime.tiling import framed_bands
from keras_t2i_runtime.tiling import to_pixels

NODES = {"logits": 8, "colors": 2}


def random_fields(h, w, slots=3, nodes=NODES):
    rng = np.random.default_rng(0)
    opacity = np.tile([False, False, False, True], slots)
    colors = rng.uniform(-1, 1, (h * nodes["colors"], w * nodes["colors"], 4 * slots))
    return {
        "logits": rng.standard_normal((h * nodes["logits"], w * nodes["logits"], slots)).astype("float32"),
        "colors": np.where(opacity, np.abs(colors), colors).astype("float32"),
    }


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ((32, 32, 512, 512), (16.0, 0, 0, 512, 512)),
        ((4, 4, 100, 301), (25.0, 0, 100, 100, 100)),
        ((4, 4, 301, 100), (25.0, 100, 0, 100, 100)),
        ((3, 5, 7, 11), (2.2, 0, 0, 7, 11)),  # 6.6 rows
        ((3, 5, 11, 11), (2.2, 2, 0, 7, 11)),
        ((4, 8, 8, 8), (1.0, 2, 0, 4, 8)),
        ((1, 1000, 10, 10), (0.01, 4, 0, 1, 10)),  # less than a row, and still seen
        ((32, 32, 1, 1), (1 / 32, 0, 0, 1, 1)),
    ],
)
def test_a_picture_is_as_large_as_fits_and_in_the_middle(sides, expected):
    place = Placement.of(*sides)
    assert place == pytest.approx(expected)
    height, width = sides[2:]
    rest = height - place.rows - 2 * place.top, width - place.columns - 2 * place.left
    assert set(rest) <= {0, 1} and (place.rows == height or place.columns == width)


@pytest.mark.parametrize("nodes", [NODES, {"logits": 4, "colors": 2}])
@pytest.mark.parametrize(("h", "w", "height", "width"), [(8, 8, 300, 300), (4, 12, 97, 291), (6, 5, 3, 2)])
def test_tiles_of_any_size_make_one_picture(nodes, h, w, height, width):
    fields, place = random_fields(h, w, nodes=nodes), Placement.of(h, w, height, width)
    rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in ((place.rows, h), (place.columns, w)))
    at = rows.astype("float32"), columns.astype("float32")
    whole = draw_fields(fields, *at, np.float32(place.scale), nodes).transpose(2, 0, 1)
    for tile in (32, 64, 200):
        bands = list(draw_bands(fields, (0, 0, h, w), nodes, place, tile))
        assert all(band.dtype == np.float32 and band.shape[2] == place.columns for band in bands)
        assert [band.shape[1] for band in bands[:-1]] == [tile] * (len(bands) - 1)
        drawn = np.concatenate(bands, axis=1)
        np.testing.assert_allclose(drawn, whole, atol=2e-4)  # float32 places, of a window and of the whole


def test_colors_are_interpolated_as_by_scipy():
    """With one slot nothing but colors counts."""
    fields, place = random_fields(4, 6, slots=1), Placement.of(4, 6, 40, 60)
    drawn = np.concatenate(list(draw_bands(fields, (0, 0, 4, 6), NODES, place, tile=16)), axis=1)
    at = np.meshgrid(*((np.arange(10 * n) + 0.5) / 5 - 0.5 for n in (4, 6)), indexing="ij")  # in nodes
    for channel in range(4):
        values = fields["colors"][..., channel].astype("float64")
        expected = map_coordinates(values, at, order=1, mode="nearest")
        np.testing.assert_allclose(drawn[channel], expected, atol=1e-5)


def drawn_of(color, opacity):
    """A pixel `(4, 1, 1)` as fields have it: of a color, uint8, on white by an opacity."""
    on_white = np.float32(color) / 255 * opacity + 1 - opacity
    return np.append(2 * on_white - 1, opacity).astype("float32")[:, None, None]


@pytest.mark.parametrize("opacity", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("color", [(0, 0, 0), (200, 30, 90), (255, 255, 255)])
def test_opacity_lets_the_background_through(color, opacity):
    drawn = drawn_of(color, opacity)
    straight = to_pixels(drawn, None)
    assert straight.dtype == np.uint8 and straight.shape == (1, 1, 4)
    assert straight[0, 0] == pytest.approx([*color, 255 * opacity], abs=1)
    for background in ((255, 255, 255), (0, 0, 0), (10, 200, 120)):
        pixels = to_pixels(drawn, background)
        expected = opacity * np.array(color) + (1 - opacity) * np.array(background)
        assert pixels.dtype == np.uint8 and pixels[0, 0] == pytest.approx(expected, abs=0.51)


def test_what_is_out_of_range_is_clipped():
    drawn = np.float32([[-3, 3, 0, 2], [1, 1, 1, -1]]).T[:, :, None]
    np.testing.assert_array_equal(to_pixels(drawn, (255, 255, 255))[:, 0], [[0, 255, 128], [255] * 3])
    np.testing.assert_array_equal(to_pixels(drawn, (0, 0, 255))[:, 0], [[0, 255, 128], [0, 0, 255]])
    assert (
        to_pixels(drawn, None)[0, 0].tolist() == [0, 255, 128, 255] and to_pixels(drawn, None)[1, 0, 3] == 0
    )


@pytest.mark.parametrize("background", [(255, 255, 255), (9, 8, 7), None])
@pytest.mark.parametrize(("height", "width"), [(400, 21), (21, 400), (21, 21)])
def test_the_rest_is_background(background, height, width):
    place = Placement.of(3, 3, height, width)
    black = np.repeat(np.float32([-1, -1, -1, 1]), place.rows * place.columns)
    black = black.reshape(4, place.rows, place.columns)
    cut = [black[:, first : first + 8] for first in range(0, place.rows, 8)]
    bands = list(framed_bands(iter(cut), place, height, width, background))
    assert max(map(len, bands)) <= TILE and {band.dtype for band in bands} == {np.dtype("uint8")}
    color = (0, 0, 0, 0) if background is None else background
    expected = np.full((height, width, len(color)), color, "uint8")
    pixel = [0, 0, 0, 255][: len(color)]
    expected[place.top : place.top + place.rows, place.left : place.left + place.columns] = pixel
    np.testing.assert_array_equal(np.concatenate(bands), expected)


def test_bands_are_drawn_when_they_are_asked_for():
    """So a drawing of any size takes no more memory than a band: the largest is over at once here."""
    place = Placement.of(4, 4, 65536, 256)._replace(top=0, rows=65536)
    bands = draw_bands(random_fields(4, 4), (0, 0, 4, 4), NODES, place)
    assert next(bands).shape == (4, TILE, 256)
    bands.close()
