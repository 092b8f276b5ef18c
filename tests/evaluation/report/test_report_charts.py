import math
import re

import numpy as np
import pytest
from html_tags import Tags

from keras_t2i.evaluation.report.charts import line_chart
from keras_t2i.evaluation.report.charts import tick_texts
from keras_t2i.evaluation.report.charts import ticks


def points(svg):
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]


def test_steps_lie_on_a_logarithmic_axis():
    svg = line_chart({"name": "KID"}, "num_steps", [("a", 0, [1, 2, 4, 16], [0.0, 1.0, 2.0, 4.0])])
    x, y = np.array(points(svg)).T
    np.testing.assert_allclose((x - x[0]) / (x[-1] - x[0]), [0, 0.25, 0.5, 1], atol=1e-3)
    np.testing.assert_allclose((y[0] - y) / (y[0] - y[-1]), [0, 0.25, 0.5, 1], atol=1e-3)
    x, _ = np.array(points(line_chart({"name": "KID"}, "guidance_scale", [("a", 0, [1, 2, 5], [1, 1, 2])]))).T
    np.testing.assert_allclose((x - x[0]) / (x[-1] - x[0]), [0, 0.25, 1], atol=1e-3)
    named = line_chart({"name": "KID"}, "sampler", [("a", 0, ["ddpm", "ddim", "heun"], [1, 2, 3])])
    x, _ = np.array(points(named)).T
    assert x[1] - x[0] == pytest.approx(x[2] - x[1])
    assert all(name in named for name in ("ddpm", "ddim", "heun"))


def test_charts_say_real_numbers():
    metric = {"name": "KID", "format": "{:.1f}", "scale": 1000}
    svg = line_chart(metric, "num_steps", [("a", 0, [8, 1], [0.02, 0.04]), ("b", 4, [1, 4], [None, 0.03])])
    Tags(svg)
    assert 'aria-label="KID over num_steps. a: 1: 40.0, 8: 20.0; b: 4: 30.0"' in svg
    labels = re.findall(r'class="mid">([^<]*)<', svg)
    assert labels == ["1", "4", "8"]
    levels = [float(t) for t in re.findall(r'class="end">([^<]*)<', svg)]
    assert levels[0] <= 20 and levels[-1] >= 40
    rules = [float(y) for y in re.findall(r'class="rule" d="M\d+ ([\d.]+)H', svg)]
    heights = np.interp(sorted(y for _, y in points(svg)), rules[::-1], levels[::-1])
    np.testing.assert_allclose(heights, [40, 30, 20], atol=0.1)
    assert line_chart(metric, "num_steps", [("a", 0, [1], [None])]) == ""
    assert len(points(line_chart(metric, "num_steps", [("a", 0, [7], [0.5])]))) == 1


@pytest.mark.parametrize(
    "low, high", [(0, 1), (0.39, 0.42), (0.3, 7.1), (-3e-4, 2e-4), (20, 1e5), (5, 5), (0, 0), (-2, -2)]
)
def test_ticks_are_round_and_enclose(low, high):
    levels = ticks(low, high)
    assert levels[0] <= low <= high <= levels[-1] and 2 <= len(levels) <= 8
    steps = np.diff(levels)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    leading = steps[0] / 10 ** math.floor(math.log10(steps[0]) + 1e-9)
    assert any(leading == pytest.approx(m) for m in (1, 2, 2.5, 5))
    texts = tick_texts(levels)
    np.testing.assert_allclose([float(t) for t in texts], levels, atol=steps[0] / 1e3)
    assert len({len(t.partition(".")[2]) for t in texts}) == 1


def test_percent_ticks():
    assert tick_texts([0, 0.05, 0.1], percent=True) == ["0%", "5%", "10%"]
