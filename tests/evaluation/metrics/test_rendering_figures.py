import numpy as np
import pytest

from keras_t2i.data.windows import RasterPicture
from keras_t2i.evaluation.baselines.enlarging import enlargers
from keras_t2i.evaluation.metrics.rendering import edge_energy
from keras_t2i.evaluation.metrics.rendering import edge_width
from keras_t2i.evaluation.metrics.rendering import rendering_figures


def ramp(width, size=64):
    """Black to the left, white to the right, and between a straight slope over so many steps."""
    row = np.clip((np.arange(size) - size // 2 + width / 2 + 0.5) / width, 0, 1) * 2 - 1
    return np.broadcast_to(row[:, None], (size, size, 3)).astype("float32")


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_edge_width_of_a_ramp_is_its_width(width):
    assert edge_width(ramp(width), 12) == pytest.approx(width)
    assert edge_width(ramp(width).swapaxes(0, 1), 12) == pytest.approx(width)
    assert edge_width(0.5 * ramp(width), 12) == pytest.approx(width)  # whatever the contrast


def test_edge_width_of_a_thin_line_is_that_of_its_sides():
    line = np.ones((32, 32, 3), "float32")
    line[:, 10:12] = -1
    assert edge_width(line, 8) == pytest.approx(1)


def test_edge_width_of_an_antialiased_disc():
    y, x = np.mgrid[:256, :256] + 0.5
    fine = np.hypot(y - 128, x - 128) < 90
    disc = RasterPicture((255 * fine[..., None].repeat(3, -1)).astype("uint8")).window(0, 0, 1, 64)
    assert 1 <= edge_width(disc[..., :3], 8) < 2


def test_a_flat_picture_has_no_edge():
    assert np.isnan(edge_width(np.zeros((16, 16, 3)), 4)) and np.isnan(edge_width(0.1 * ramp(1), 4))


def test_edge_energy_of_one_step():
    # Of 64 x 63 differences along the rows 64 are 2, the others 0.
    assert edge_energy(ramp(1)[None])[0] == pytest.approx(4 / 63)


def test_the_true_picture_is_all_that_it_can_be():
    true = np.stack([ramp(1), ramp(4)])
    psnr, edges = rendering_figures(true, true)
    np.testing.assert_allclose(psnr, 100)
    np.testing.assert_allclose(edges, 1)
    psnr, edges = rendering_figures(true, 0.5 * true)
    np.testing.assert_allclose(edges, 0.25, rtol=1e-6)
    assert psnr[0] == pytest.approx(10 * np.log10(4 / 0.25))


def test_what_makes_pictures_large_keeps_flat_ones_and_a_side_on_its_side():
    picture = np.full((1, 32, 32, 3), (200, 30, 30), "uint8")
    picture[:, :, 16:] = 255
    for name, enlarge in enlargers().items():
        drawn = enlarge(picture, 96).astype(int)
        assert drawn.shape == (1, 96, 96, 3)
        for part, expected in ((drawn[:, 8:88, 8:40], (200, 30, 30)), (drawn[:, 8:88, 56:88], (255,) * 3)):
            assert np.abs(part - expected).max() <= (8 if name == "vtracer" else 1), name
