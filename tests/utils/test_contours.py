import importlib.util

import numpy as np
import pytest

from keras_t2i.utils.contours import area_of
from keras_t2i.utils.contours import check_contours
from keras_t2i.utils.contours import grown
from keras_t2i.utils.contours import polygons
from keras_t2i.utils.contours import within

needs_contourpy = pytest.mark.skipif(importlib.util.find_spec("contourpy") is None, reason="needs contourpy")


def distances(h=60, w=80, x=40.3, y=30.6):
    rows, columns = np.mgrid[:h, :w]
    return np.hypot(rows - y, columns - x)


@needs_contourpy
def test_a_disc_has_its_area_and_its_radius():
    ((line,),) = polygons(20.0 - distances())
    assert abs(abs(area_of(line)) - np.pi * 400) < 2
    assert np.abs(np.hypot(*(line - (40.3, 30.6)).T) - 20).max() < 0.05


@needs_contourpy
def test_a_ring_has_a_hole_that_runs_the_other_way_round():
    ((outer, hole),) = polygons(5.0 - np.abs(distances() - 18.0))
    assert area_of(outer) * area_of(hole) < 0
    assert abs(area_of(outer) + area_of(hole)) == pytest.approx(np.pi * (23**2 - 13**2), rel=0.01)
    assert polygons(-1.0 - distances()) == []


@needs_contourpy
def test_pixels_within_a_line():
    ((line,),) = polygons(9.5 - distances())
    part, mask = within(line, (60, 80))
    expected = distances() < 9.5
    whole = np.zeros((60, 80), bool)
    whole[part] = mask
    assert (whole != expected)[np.abs(distances() - 9.5) > 1].sum() == 0


def test_grown_moves_a_level_set_by_a_sample():
    field = 20.0 - np.mgrid[:50, :50][1].astype(float)
    np.testing.assert_array_equal(grown(field)[:, 1:], field[:, :-1])
    peak = np.zeros((7, 7))
    peak[3, 3] = 1
    found = grown(peak)
    assert found[2:5, 2:5].all() and found.sum() == 9 and peak.sum() == 1


def test_without_contourpy_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'install contourpy: pip install "keras-t2i\[svg\]"'):
        check_contours()
