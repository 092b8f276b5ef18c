"""Drawings as SVGs, drawn again by resvg."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import resvg_py
from PIL import Image
from tiny_renderer import tiny_stage
from tiny_renderer import uint8_waves

from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.models.stages.vectorize import to_svg
from keras_t2i.models.stages.vectorize import vector_drawings

pytestmark = pytest.mark.once

pytest.importorskip("contourpy")
SIDE = 128
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE] + 0.5
RED, BLUE = np.array([0.9, 0.1, 0.2]), np.array([0.1, 0.3, 0.8])


def drawing(share, one, other, opacity=None):
    """float32 `(4, h, w)`: a mix of two colors in [0, 1], on white, by shares in [0, 1]."""
    share = np.clip(share, 0, 1)[..., None]
    opacity = np.ones(share.shape) if opacity is None else np.clip(opacity, 0, 1)[..., None]
    color = share * one + (1 - share) * np.asarray(other)
    on_white = color * opacity + 1 - opacity
    return np.concatenate([2 * on_white - 1, opacity], axis=-1).transpose(2, 0, 1).astype("float32")


def redrawn(svg, width=SIDE):
    """uint8 `(h, w, 4)` of an SVG that an XML parser reads."""
    root = ElementTree.fromstring(svg)
    names = {element.tag.split("}")[1] for element in root.iter()}
    assert names <= {"svg", "rect", "g", "path", "filter", "feGaussianBlur", "linearGradient", "stop"}
    assert "script" not in svg and "href" not in svg and "data:" not in svg and "nan" not in svg
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=width, skip_system_fonts=True))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))


def square(background="white", height=SIDE, width=SIDE):
    return Canvas.of((height, width), background)


def distance(x=60.4, y=66.3):
    return np.hypot(ROWS - y, COLUMNS - x)


@pytest.mark.parametrize("soft", [0.5, 3.0])
def test_a_disc_has_its_area_and_its_edge(soft):
    drawn = drawing((30 - distance()) / soft + 0.5, RED, (1, 1, 1))
    found = redrawn(to_svg(drawn, square())).astype(float) / 255
    assert (found[..., 3] == 1).all()
    share = (1 - found[..., 1]) / 0.9
    assert share.sum() == pytest.approx(np.pi * 900, rel=0.01)
    expected = (drawn[:3].transpose(1, 2, 0) + 1) / 2
    assert 10 * np.log10(1 / np.mean((found[..., :3] - expected) ** 2)) > (35 if soft > 1 else 27)


def test_a_ring_has_a_hole():
    drawn = drawing(6 - np.abs(distance() - 30) + 0.5, RED, (1, 1, 1))
    found = redrawn(to_svg(drawn, square()))
    assert (found[66, 60, :3] > 250).all() and (found[2, 2, :3] > 250).all()
    np.testing.assert_allclose(found[66, 90, :3] / 255, RED, atol=0.02)
    clear = drawing(np.ones((SIDE, SIDE)), RED, RED, 6 - np.abs(distance() - 30) + 0.5)
    found = redrawn(to_svg(clear, square(None)))
    assert found[66, 60, 3] == 0 and found[2, 2, 3] == 0 and found[66, 90, 3] == 255


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.2])
@pytest.mark.parametrize("background", ["white", None])
def test_neighbors_leave_no_gap(angle, background):
    """Dark on both sides: what shows between them would be lighter, or clear."""
    across = (COLUMNS - 64.3) * np.cos(angle) + (ROWS - 63.6) * np.sin(angle)
    dark = np.array([0.3, 0.0, 0.0]), np.array([0.0, 0.0, 0.35])
    drawn = drawing(across + 0.5, *dark)
    for width in (SIDE, 4 * SIDE):
        found = redrawn(to_svg(drawn, square(background)), width)
        assert found[..., 3].min() >= 254
        assert found[..., 1].max() <= 3  # green is in neither


def test_a_gradient_is_found():
    ramp = (0.6 * COLUMNS + 0.3 * ROWS) / (0.9 * SIDE)
    drawn = drawing(ramp, (0.2, 0.5, 0.9), (0.4, 0.5, 0.7))
    svg = to_svg(drawn, square())
    assert "linearGradient" in svg
    found = redrawn(svg)[..., :3] / 255.0
    expected = (drawn[:3].transpose(1, 2, 0) + 1) / 2
    assert np.abs(found - expected).max() < 0.05
    (x1, y1, x2, y2) = (
        float(re.search(rf'g0"[^>]*{name}="(-?\d+)"', svg)[1]) for name in ("x1", "y1", "x2", "y2")
    )
    assert abs(np.degrees(np.arctan2(y2 - y1, x2 - x1)) % 180 - np.degrees(np.arctan2(0.3, 0.6))) < 3


def test_opacity_is_kept():
    """A half-clear disc on nothing, an opaque one in it."""
    opacity = 0.5 * np.clip(40 - distance() + 0.5, 0, 1) + 0.5 * np.clip(20 - distance() + 0.5, 0, 1)
    drawn = drawing(20 - distance() + 0.5, RED, BLUE, opacity)
    found = redrawn(to_svg(drawn, square(None)))
    assert found[3, 3, 3] == 0 and found[66, 60, 3] == 255
    assert abs(int(found[66, 90, 3]) - 128) <= 4
    np.testing.assert_allclose(found[66, 90, :3] / 255, BLUE, atol=0.03)
    np.testing.assert_allclose(found[66, 60, :3] / 255, RED, atol=0.03)
    on_yellow = redrawn(to_svg(drawn, square("#ffff00")))[..., :3] / 255
    np.testing.assert_allclose(on_yellow[66, 90], (BLUE + np.array([1, 1, 0])) / 2, atol=0.03)
    np.testing.assert_allclose(on_yellow[3, 3], (1, 1, 0), atol=0.03)


def test_a_canvas_of_another_aspect_has_paper_around():
    drawn = drawing(np.ones((SIDE, SIDE)), RED, RED)
    for background, corner in (("#00ff00", (0, 255, 0, 255)), (None, (0, 0, 0, 0))):
        found = redrawn(to_svg(drawn, square(background, 100, 300)), 300)
        assert found.shape == (100, 300, 4)
        np.testing.assert_array_equal(found[50, 95], corner)
        np.testing.assert_array_equal(found[50, 204], corner)
        np.testing.assert_allclose(found[50, 105, :3] / 255, RED, atol=0.01)
        np.testing.assert_allclose(found[2, 150], [*np.rint(RED * 255), 255], atol=3)


def test_pictures_of_any_shape_by_a_stage():
    stage = tiny_stage()
    for shape in ((8, 8), (5, 7), (1, 1), (2, 40)):
        canvas = square("white", 16, 24)
        one, other = vector_drawings(stage, np.stack([uint8_waves(*shape, seed=i) for i in (0, 1)]), canvas)
        assert one != other and redrawn(one, 24).shape == (16, 24, 4)
        assert one == vector_drawings(stage, uint8_waves(*shape)[None], canvas)[0]
    with pytest.raises(ImportError, match="contourpy"), pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.util.find_spec", lambda name: None)
        vector_drawings(stage, uint8_waves(4, 4)[None], canvas)
