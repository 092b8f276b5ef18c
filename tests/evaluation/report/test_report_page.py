import base64
import io

import numpy as np
from html_tags import Tags
from PIL import Image
from report_example import example

from keras_t2i.evaluation.report.page import page
from keras_t2i.evaluation.report.report import check_report
from keras_t2i.evaluation.report.values import value_text


def replaced(value, kept, new):
    """`value` with every string in it passed through `new`, but those under the keys `kept`."""
    if isinstance(value, dict):
        return {k: v if k in kept else replaced(v, kept, new) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(v, kept, new) for v in value]
    return new(value) if isinstance(value, str) else value


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
        "The prompts, from left to right",
        "red apple; green apple.",
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


def test_values_are_scaled_before_they_are_formatted():
    assert value_text({"format": "{:.1f}", "scale": 1000}, 0.01234) == "12.3"
    assert value_text({"format": "{:.2f}"}, -0.001) == "0.00"
    assert value_text({"format": "{:.1%}"}, -0.0001) == "0.0%"
    assert value_text({"format": "{:.2f}"}, -0.01) == "-0.01"
    assert value_text({}, None) == "-"
