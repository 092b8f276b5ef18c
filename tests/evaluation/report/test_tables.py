import stat
from pathlib import Path

import pytest
from report_example import example

from keras_t2i.evaluation.report.tables import append_section
from keras_t2i.evaluation.report.tables import card_section
from keras_t2i.evaluation.report.tables import leaderboard
from keras_t2i.evaluation.report.tables import plain_table
from keras_t2i.evaluation.report.tables import replace_between_markers


@pytest.fixture
def report():
    return example()[0]


def read(markdown):
    """Header, rows by their first cell, and the text below, of Markdown with one table."""
    lines = [line for line in markdown.split("\n") if line.startswith("|")]
    header, rule, *rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in lines]
    assert set("".join(rule)) <= {"-", "|"} and all(len(row) == len(header) for row in rows)
    assert lines[1].count("|") == lines[0].count(" | ") + 2
    text = "\n".join(line for line in markdown.split("\n") if not line.startswith("|")).strip()
    return header, {row[0]: row[1:] for row in rows}, text


def test_leaderboard(report):
    header, rows, text = read(leaderboard(report))
    assert header == [
        "drawn by",
        "R-precision@1 ↑: training captions",
        "R-precision@1 ↑: held-out combinations",
        "attributes ↑",
        "KID x 1000 ↓",
        "Copies ↓",
        "MB",
    ]
    assert list(rows) == [
        "real pictures (ceiling)",
        "`better`",
        "`worse`",
        "nearest caption",
        "mean picture (floor)",
    ]
    # Of the attributes the mean: (0.5 + 0.6) / 2, (0.4 + 0.6) / 2; a dash where one of them is missing.
    assert rows["`better`"] == [
        "**0.67** (0.66 to 0.69)",
        "**0.34**",
        "**0.55**",
        "**20.80**",
        "12.3%",
        "3.5",
    ]
    assert rows["`worse`"] == ["0.50 (0.49 to 0.52)", "0.25", "0.50", "30.00", "**1.5%**", "-"]
    assert rows["nearest caption"][2] == "-"
    assert rows["real pictures (ceiling)"][2:] == ["0.95", "0.00", "-", "-"]
    assert text == (
        "Training captions: 10 prompts, 4 seeds each; held-out combinations: 1,000 prompts, 1 seed. "
        "In brackets: 95 % intervals, bootstrap over prompts. ↑: higher is better, ↓: lower. "
        "Bold: the best generator. Columns that name no set are of training captions. "
        "Measured by `python benchmarks/evaluate.py worse better` "
        "(keras_t2i 0.2.0, jax, 2026-09-30)."
    )


def test_leaderboard_of_chosen_columns(report):
    columns = ["copies", ("tone", "held-out combinations"), "unknown", "megabytes"]
    header, rows, _ = read(leaderboard(report, ["held-out combinations"], columns))
    # Copies are not known of that set, and the one metric is in no report: both columns are left out.
    assert header[1:] == ["R-precision@1 ↑: held-out combinations", "Tone ↑: held-out combinations", "MB"]
    assert rows["`worse`"] == ["0.25", "0.40", "-"]
    with pytest.raises(ValueError, match="elsewhere"):
        leaderboard(report, ["elsewhere"])
    with pytest.raises(ValueError, match="elsewhere"):
        leaderboard(report, metrics=[("kid", "elsewhere")])


def test_leaderboard_shows_coverage_where_there_is_no_precision(report):
    name = "training captions"
    for key in ("coverage", "precision", "recall"):
        report["metrics"][key] = {"name": key, "better": "higher", "format": "{:.2f}"}
        report["entries"][1]["scores"][name][key] = {"value": 0.25}
    assert {"precision ↑", "recall ↑"} < set(read(leaderboard(report))[0])
    assert "coverage ↑" not in read(leaderboard(report))[0]
    for entry in report["entries"]:
        entry["scores"][name].pop("precision", None)
    del report["metrics"]["precision"]
    assert "coverage ↑" in read(leaderboard(report))[0]


def test_one_entry_is_enough():
    report = {
        "prompt_sets": {"a": {}},
        "metrics": {"m": {"name": "M | <b>"}},
        "entries": [{"name": "x `y`", "kind": "generator", "scores": {"a": {"m": {"value": 0.25}}}}],
    }
    header, rows, text = read(leaderboard(report))
    assert header == ["drawn by", "M \\| &lt;b>: a"]
    assert rows == {"`` x `y` ``": ["0.25"]}
    assert "Bold" not in text and text.endswith("Measured.")
    assert read(card_section(report, "x `y`"))[1] == {"M \\| &lt;b>": ["0.25"]}


def test_card_section(report):
    text = card_section(report, "better")
    assert text.startswith("**Evaluation.** Measured by `python benchmarks/evaluate.py worse better` (")
    header, rows, below = read(text)
    assert header == [
        "metric",
        "training captions",
        "floor, ceiling",
        "held-out combinations",
        "floor, ceiling",
    ]
    assert rows["R-precision@1 ↑"] == ["0.67 (0.66 to 0.69)", "0.01, 0.98", "0.34", "0.01, 0.49"]
    assert rows["KID x 1000 ↓"] == ["20.80", "90.00, 0.00", "-", "-"]
    assert rows["Rank statistic"] == ["0.60", "0.50, -", "-", "-"]
    assert below.endswith("Floor: mean picture; ceiling: real pictures.")
    with pytest.raises(ValueError, match="no entry 'none'"):
        card_section(report, "none")
    assert "mean nothing" in card_section(report | {"smoke": True}, "better")


BEFORE, AFTER = (
    b"\xef\xbb\xbf# T\xc3\xaftle\n\ntext \n<!-- board: begin -->",
    b"<!-- board: end -->\n\n  more\t\n\n",
)


def test_replacing_touches_nothing_else(tmp_path):
    file = tmp_path / "README.md"
    file.write_bytes(BEFORE + b"\nold\n" + AFTER)
    file.chmod(0o640)
    (tmp_path / "link.md").symlink_to(file)
    replace_between_markers(tmp_path / "link.md", "board", "| a |\n|---|\n| ä |\n")
    table = "\n\n| a |\n|---|\n| ä |\n\n".encode()
    assert file.read_bytes() == BEFORE + table + AFTER
    assert (tmp_path / "link.md").is_symlink() and stat.S_IMODE(file.stat().st_mode) == 0o640
    replace_between_markers(file, "board", "| a |\n|---|\n| ä |")
    assert file.read_bytes() == BEFORE + table + AFTER  # twice is once
    assert sorted(p.name for p in tmp_path.iterdir()) == ["README.md", "link.md"]


def test_line_ends_are_kept(tmp_path):
    file = tmp_path / "README.md"
    file.write_bytes(b"a\r\n<!-- b: begin --><!-- b: end -->\r\nc\r\n")
    replace_between_markers(file, "b", "x\ny")
    assert file.read_bytes() == b"a\r\n<!-- b: begin -->\r\n\r\nx\r\ny\r\n\r\n<!-- b: end -->\r\nc\r\n"


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "<!-- b: begin -->",
        "<!-- b: end --> <!-- b: begin -->",
        "<!-- b: begin --> <!-- b: begin --> <!-- b: end -->",
        "<!-- other: begin --> <!-- other: end -->",
    ],
)
def test_missing_markers_are_named(tmp_path, text):
    file = tmp_path / "README.md"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"add them.*\n<!-- b: begin -->\n<!-- b: end -->"):
        replace_between_markers(file, "b", "x")
    assert file.read_text() == text


def test_text_with_a_marker_is_refused(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("<!-- b: begin --><!-- b: end -->")
    with pytest.raises(ValueError, match="must not hold"):
        replace_between_markers(file, "b", "x <!-- b: end -->")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "README.md"
    file.write_bytes(BEFORE + AFTER)

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        replace_between_markers(file, "board", "new")
    assert file.read_bytes() == BEFORE + AFTER and len(list(tmp_path.iterdir())) == 1


def test_section_is_appended_once(tmp_path):
    file = tmp_path / "card.md"
    file.write_text("---\nlicense: x\n---\n# Card\n\nLimits.\n\n\n")
    append_section(file, "evaluation", "first")
    assert file.read_text() == (
        "---\nlicense: x\n---\n# Card\n\nLimits.\n\n"
        "<!-- evaluation: begin -->\n\nfirst\n\n<!-- evaluation: end -->\n"
    )
    append_section(file, "evaluation", "second")
    assert file.read_text().count("begin") == 1
    assert "second" in file.read_text() and "first" not in file.read_text()
    file.write_text("half <!-- evaluation: end -->")
    with pytest.raises(ValueError, match="add them"):
        append_section(file, "evaluation", "third")


def test_a_plain_table():
    table = {
        "title": "At size",
        "text": "Sharp?",
        "header": ["by", "dB"],
        "rows": [["a|b", "1.5"], ["c", "-"]],
    }
    header, rows, text = read(plain_table(table).replace("a\\|b", "ab"))
    assert header == ["by", "dB"] and rows == {"ab": ["1.5"], "c": ["-"]} and text == "**At size.** Sharp?"
