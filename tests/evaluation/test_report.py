import base64
import copy
import errno
import io
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_example import example

from keras_t2i.evaluation import report as module
from keras_t2i.evaluation.report import check_report
from keras_t2i.evaluation.report import read_pictures
from keras_t2i.evaluation.report import read_report
from keras_t2i.evaluation.report import write_report
from keras_t2i.evaluation.report_charts import line_chart
from keras_t2i.evaluation.report_charts import tick_texts
from keras_t2i.evaluation.report_charts import ticks
from keras_t2i.evaluation.report_page import page
from keras_t2i.evaluation.report_values import value_text

VOID = {"meta", "link", "img", "br", "hr", "wbr", "input"}


class Tags(HTMLParser):
    """All tags with their attributes and the text within each; demands that each is closed in its turn."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found, self.text = [], [], ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        element = [tag, dict(attributes), ""]
        self.found.append(element)
        if tag not in VOID and not (self.open and self.get_starttag_text().endswith("/>")):
            self.open.append(element)

    def handle_endtag(self, tag):
        if not self.get_starttag_text().endswith("/>") or self.open[-1][0] == tag:
            assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.text += data
        for element in self.open:
            element[2] += data

    def all(self, tag, **attributes):
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [e for e in self.found if e[0] == tag and wanted.items() <= e[1].items()]


def replaced(value, kept, new):
    """`value` with every string in it passed through `new`, but those under the keys `kept`."""
    if isinstance(value, dict):
        return {k: v if k in kept else replaced(v, kept, new) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(v, kept, new) for v in value]
    return new(value) if isinstance(value, str) else value


def test_what_is_written_can_be_read(tmp_path):
    report, pictures = example()
    report["entries"][0]["scores"]["training captions"]["kid"] = {
        "value": np.float32(0.5),
        "low": float("nan"),
        "high": np.inf,
        "n": np.int64(7),
    }
    file = write_report(report, pictures, tmp_path / "new" / "folder")
    assert file == tmp_path / "new" / "folder" / "report.html"
    again = read_report(file.parent)
    assert again == read_report(file.parent / "report.json")
    kid = again["entries"][0]["scores"]["training captions"].pop("kid")
    assert kid == {"value": 0.5, "low": None, "high": None, "n": 7}
    del report["entries"][0]["scores"]["training captions"]["kid"]
    assert again == report
    found = read_pictures(again, file.parent)
    assert found.keys() == pictures.keys()
    for path, picture in pictures.items():
        np.testing.assert_array_equal(found[path], picture)
    assert sorted(p.name for p in file.parent.iterdir()) == ["grids", "report.html", "report.json", "worst"]


def test_page_stands_alone():
    tags = Tags(page(*example()))
    assert not any(tag in ("script", "link", "iframe", "object", "base", "form") for tag, *_ in tags.found)
    policy = [e for e in tags.all("meta") if e[1].get("http-equiv") == "Content-Security-Policy"]
    assert policy[0][1]["content"].startswith("default-src 'none'")
    for tag, attributes, _ in tags.found:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        if "href" in attributes:
            assert tag == "a" and attributes["href"].startswith(("#", "https://arxiv.org/abs/1801.01401"))
    (style,) = tags.all("style")
    assert "url(" not in style[2] and "@import" not in style[2]
    anchors = {attributes["id"] for _, attributes, _ in tags.found if "id" in attributes}
    links = {e[1]["href"][1:] for e in tags.all("a") if e[1]["href"].startswith("#")}
    assert links and links <= anchors
    # A full stop at the end of a sentence is not part of the address.
    assert [e[1]["href"] for e in tags.all("a") if "//" in e[1]["href"]] == [
        "https://arxiv.org/abs/1801.01401"
    ]


def test_page_holds_the_pictures():
    report, pictures = example()
    shown = {e[1]["alt"]: e[1] for e in Tags(page(report, pictures)).all("img")}
    alts = {
        "Real pictures: training captions": "grids/real.png",
        "Drawn by better: training captions": "grids/better.png",
        "Drawing: a red apple": "worst/0.png",
        "Training picture: red apple, black line": "worst/0_nearest.png",
    }
    assert list(shown) == list(alts)  # the real pictures come first
    for alt, path in alts.items():
        data = base64.b64decode(shown[alt]["src"].partition(",")[2])
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pictures[path])
        assert int(shown[alt]["width"]) == int(shown[alt]["height"]) and int(shown[alt]["width"]) % 8 == 0
    assert "worst/0.png is missing" in Tags(page(report, {})).text


def test_all_text_is_escaped():
    evil = """<script>alert(1)</script><img src=x onerror="a()">'&amp;</td></style>"""
    report, pictures = example()
    kept = {"kind", "better", "format", "drawing", "nearest", "grid", "version"}
    report = replaced(report, kept, lambda s: s + evil)
    report["prompt_sets"] = {k + evil: v for k, v in report["prompt_sets"].items()}
    for entry in report["entries"]:
        entry["scores"] = {k + evil: v for k, v in entry["scores"].items()}
        entry["curves"] = {k + evil: v for k, v in entry.get("curves", {}).items()}
        entry["grid"] = {k + evil: v for k, v in entry.get("grid", {}).items()}
        for curve in entry["curves"].values():
            curve["set"], curve["values"] = evil, [f"{v}{evil}" for v in curve["values"]]
    report["colour_histogram"] = {evil: {evil: evil}, f"{evil}2": {evil: {evil: 0.5}}}
    report["versions"] = {evil: evil}
    report["metrics"][evil] = {"name": "new", "group": evil}
    report["entries"][0]["kind"] = f'"{evil}'
    report["metrics"]["kid"]["format"] = evil.replace("{", "{{") + "{:.2f}"
    report["prompt_sets"]["training captions" + evil]["grid_prompts"] = [evil]
    check_report(report)
    tags = Tags(page(report, pictures))
    assert not tags.all("script") and len(tags.all("img")) == 4
    assert not any(name.startswith("on") for _, attributes, _ in tags.found for name in attributes)
    plain = Tags(page(*example()))
    assert {tag for tag, *_ in tags.found} <= {tag for tag, *_ in plain.found} | {"wbr", "p"}
    assert tags.text.count("<script>alert(1)</script>") > 50


def rows_of(tags, table_class="scores"):
    """Rows of the page's first table of a class: (heading, cells' texts)."""
    start = tags.found.index(tags.all("table", class_=table_class)[0])
    rows = []
    for tag, attributes, text in tags.found[start + 1 :]:
        if tag == "table":
            break
        if tag == "th" and attributes.get("scope") == "row":
            rows.append((text, []))
        elif tag == "td" and rows:
            rows[-1][1].append(text)
        elif tag == "tbody":
            rows.append(("", []))
    return [row for row in rows if row[0]]


def test_scores_are_sorted_and_formatted():
    report, pictures = example()
    tags = Tags(page(report, pictures))
    rows = rows_of(tags)
    assert [name for name, _ in rows] == [
        "real pictures",
        "better",
        "worse",
        "nearest caption",
        "mean picture",
    ]
    cells = {name: values[:6] for name, values in rows}
    # R-precision (with its interval), tone, hair, KID x 1000, copies in per cent, rank statistic.
    assert cells["better"] == ["0.670.66 to 0.69", "0.50", "0.60", "20.80", "12.3%", "0.60"]
    assert cells["real pictures"] == ["0.980.97 to 1.00", "0.90", "1.00", "0.00", "-", "-"]
    assert cells["mean picture"][1:3] == ["-", "-"]
    bold = [e[2] for e in tags.all("strong")]
    # The dots of two sets. Then in the first table R-precision, tone, hair twice (equal), KID, copies; no
    # rank statistic, of which neither side is better, and never the ceiling. Then the second table's columns.
    assert bold == ["0.67", "0.34", "0.67", "0.50", "0.60", "20.80", "0.60", "1.5%", "0.34", "0.50"]
    heads = [e for e in tags.all("th", scope="col") if "title" in e[1]]
    assert heads[0][1]["title"] == "First. Higher is better. Xu 2018"
    assert [e[2].replace("\xa0", " ") for e in heads[:6]] == [
        "R-precision@1 ↑",
        "Tone ↑",
        "Hair ↑",
        "KID x 1000 ↓",
        "Copies ↓",
        "Rank statistic",
    ]
    groups = [(e[2], e[1]["colspan"]) for e in tags.all("th", scope="colgroup")]
    assert groups[:4] == [("alignment", "1"), ("attributes", "2"), ("quality", "1"), ("memorisation", "2")]
    assert groups[4:] == [("alignment", "1"), ("attributes", "1")]  # of the second set no more is known


def test_facts_are_told():
    report, pictures = example()
    tags = Tags(page(report, pictures))
    assert tags.all("h1")[0][2] == "Evaluation of worse and better"
    assert tags.all("title")[0][2] == "Evaluation of worse and better, 2026-09-30"
    for text in (
        "2026-09-30 14:05 UTC, keras_t2i 0.2.0 on jax",
        "10 prompts, 4 seeds each. Seen in training.",
        "1,000 prompts, 1 seed. Never seen together.",
        "2.0 M3.50.012",
        "distance 0.12, held-out combinations, seed 1000",
        "python benchmarks/evaluate.py worse better",
        "0.31",
    ):
        assert text in tags.text
    assert "smoke run" not in tags.text
    assert "smoke run" in Tags(page(report | {"smoke": True}, pictures)).text


def test_what_is_optional_may_be_missing():
    least = {"version": 1, "prompt_sets": {}, "metrics": {}, "entries": []}
    for entries in ([], [{"name": "one", "kind": "generator"}], [{"name": "one", "kind": "of another kind"}]):
        report = least | {"entries": entries}
        check_report(report)
        assert "Evaluation of" in Tags(page(report, {})).text
    nothing = {"text": None, "scores": None, "grid": None, "curves": None, "worst": None, "parameters": None}
    report = least | {
        "prompt_sets": {"a": {}, "b": {"text": None}},
        "metrics": {"m": {"name": "M", "better": "higher"}},
        "entries": [
            {"name": "one", "kind": "generator", **nothing, "scores": {"a": {"m": {"value": 1 / 3}}, "b": {}}}
        ],
    }
    check_report(report)
    tags = Tags(page(report, {}))
    assert rows_of(tags) == [("one", ["0.333"])]
    assert not tags.all("strong")  # one alone is not the best


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


def test_values_are_scaled_before_they_are_formatted():
    assert value_text({"format": "{:.1f}", "scale": 1000}, 0.01234) == "12.3"
    assert value_text({"format": "{:.2f}"}, -0.001) == "0.00"
    assert value_text({"format": "{:.1%}"}, -0.0001) == "0.0%"
    assert value_text({"format": "{:.2f}"}, -0.01) == "-0.01"
    assert value_text({}, None) == "-"


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("broken", ["save_png", "page"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_leaves_the_old_report(tmp_path, monkeypatch, broken, error):
    report, pictures = example()
    write_report(report, pictures, tmp_path)
    before = contents(tmp_path)
    report["command"] = "another"
    calls, works = [], getattr(module, broken)

    def fails(*args):
        calls.append(args)
        if broken == "page" or len(calls) == 3:
            raise error
        return works(*args)

    monkeypatch.setattr(module, broken, fails)
    with pytest.raises(type(error)):
        write_report(report, {path: 255 - p for path, p in pictures.items()}, tmp_path)
    assert contents(tmp_path) == before


def test_what_a_kill_left_is_cleared(tmp_path):
    (tmp_path / ".report.partial" / "grids").mkdir(parents=True)
    (tmp_path / ".report.partial" / "grids" / "half.png").write_bytes(b"half")
    write_report(*example(), tmp_path)
    assert not (tmp_path / ".report.partial").exists()


def test_files_are_renamed_not_written_over(tmp_path):
    report, pictures = example()
    write_report(report, pictures, tmp_path / "report")
    before = contents(tmp_path / "report")
    for path in before:  # a second name for each old file: writing into the file would change it too
        (tmp_path / "kept" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "kept" / path).hardlink_to(tmp_path / "report" / path)
    report["command"] = "another"
    write_report(report, {path: 255 - p for path, p in pictures.items()}, tmp_path / "report")
    assert contents(tmp_path / "kept") == before
    assert all(before[path] != new for path, new in contents(tmp_path / "report").items())


def test_pictures_may_be_there_already(tmp_path):
    report, pictures = example()
    write_report(report, pictures, tmp_path)
    before = contents(tmp_path)
    write_report(report, {}, tmp_path)
    assert contents(tmp_path) == before
    with pytest.raises(ValueError, match="names 4 pictures that are not given"):
        write_report(report, {}, tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("path", ["../x.png", "/x.png", "a/../../x.png", "x.html", "a\\x.png"])
def test_pictures_stay_in_the_folder(tmp_path, path):
    report, pictures = example()
    with pytest.raises(ValueError, match="relative"):
        write_report(report, pictures | {path: pictures["worst/0.png"]}, tmp_path / "folder")
    report["entries"][0]["grid"] = {"training captions": path}
    with pytest.raises(ValueError, match="relative"):
        check_report(report)


def set_at(report, *place):
    *way, last, value = place
    for key in way:
        report = report[key]
    report[last] = value


@pytest.mark.parametrize(
    "place, said",
    [
        (("version", 2), "must be 1"),
        (("entries", {}), "must be a list"),
        (("metrics", "kid", {}), "needs a 'name'"),
        (("metrics", "kid", "better", "up"), "'up'"),
        (("metrics", "kid", "format", "{:d}"), "must suit a float"),
        (("metrics", "kid", "format", "{x}"), "must suit a float"),
        (("metrics", "kid", "scale", "many"), "must suit a float"),
        (("entries", 0, {"kind": "floor"}), "needs a 'name'"),
        (("entries", 0, "name", "better"), "that another has"),
        (("entries", 0, "scores", {"elsewhere": {}}), "unknown set"),
        (
            ("entries", 0, "scores", "training captions", {"new": {"value": 1}}),
            "not one of the report's metrics",
        ),
        (("entries", 0, "scores", "training captions", "kid", {"value": "1"}), "has the value '1'"),
        (("entries", 4, "curves", "guidance_scale", "values", [1]), "one 'r1_random' for each value"),
    ],
)
def test_a_wrong_form_is_named(place, said):
    report, _ = example()
    check_report(report)
    wrong = copy.deepcopy(report)
    set_at(wrong, *place)
    with pytest.raises(ValueError, match=said):
        check_report(wrong)


def test_reading_what_is_no_report(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_report(tmp_path / "report.json")
    (tmp_path / "report.json").write_text('{"version": 1,')
    with pytest.raises(ValueError, match="not JSON"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps({"version": 3}))
    with pytest.raises(ValueError, match="is 3"):
        read_report(tmp_path)


def test_the_style_is_packaged():
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert '"keras_t2i.evaluation" = ["*.css"]' in project.read_text(encoding="utf-8")
    assert (Path(module.__file__).parent / "report_page.css").is_file()
