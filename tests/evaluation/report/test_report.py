import copy
import errno
import json
from pathlib import Path

import numpy as np
import pytest
from report_example import example

from keras_t2i.evaluation.report import report as module
from keras_t2i.evaluation.report.report import check_report
from keras_t2i.evaluation.report.report import read_pictures
from keras_t2i.evaluation.report.report import read_report
from keras_t2i.evaluation.report.report import write_report


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
    left = tmp_path / ".keras_t2i-0123456789ab.partial"
    (left / "grids").mkdir(parents=True)
    (left / "grids" / "half.png").write_bytes(b"half")
    write_report(*example(), tmp_path)
    assert not left.exists()


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
        (("tables", [{}]), "needs a 'title'"),
        (("tables", [{"title": "a", "header": ["b", "c"], "rows": [["d"]]}]), "each of its 2 columns"),
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
    project = Path(__file__).parents[3] / "pyproject.toml"
    assert '"keras_t2i.evaluation.report" = ["*.css"]' in project.read_text(encoding="utf-8")
    assert (Path(module.__file__).parent / "page.css").is_file()
