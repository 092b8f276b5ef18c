"""An evaluation's results as files: report.json, the page report.html and their pictures.

The form of report.json, version 1 (`check_report` says what is wrong with one):

    {"version": 1, "created": ISO 8601, "package": "0.2.0", "backend": "...", "command": "...", "smoke": bool,
     "versions": {package: version},
     "prompt_sets": {set: {"prompts": int, "seeds": int, "text": sentence, "grid_prompts": [strings]}},
     "metrics": {key: {"name": "...", "group": "alignment", "better": "higher" | "lower" | "neither",
                       "format": "{:.2f}", "scale": 1000, "text": sentence, "source": "..."}},
     "entries": [{"name": "...", "kind": "generator" | "baseline" | "ceiling" | "floor", "text": sentence,
                  "parameters": int, "megabytes": float, "seconds_per_picture": float,
                  "scores": {set: {key: {"value": float, "low": float, "high": float, "n": int}}},
                  "grid": {set: PNG},
                  "curves": {setting: {"values": [...], "set": set, "scores": {key: [floats]}}},
                  "worst": [{"prompt": "...", "set": set, "seed": int, "distance": float,
                             "caption": "...", "drawing": PNG, "nearest": PNG}]}],
     "tables": [{"title": "...", "text": sentences, "header": [strings], "rows": [[strings]]}]}

The metrics stand in the order of columns; the first is the main one. Values are raw: `scale` (default 1)
applies when they are shown. Whatever is unknown is null or left out. A PNG is a path relative to the folder.
"""

import json
import math
import numbers
from pathlib import Path
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from keras_t2i.evaluation.report.page import page
from keras_t2i.evaluation.report.values import pictures_of
from keras_t2i.evaluation.report.values import value_text
from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import move_file
from keras_t2i.utils.files import staged_folder
from keras_t2i.utils.files import write_text
from keras_t2i.utils.images import save_png

VERSION = 1


def plain(value):
    """`value` with NumPy's numbers and arrays as Python's own, tuples as lists, NaN and infinity as None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def check_report(report):
    """Raises ValueError, with the place in the report, where its form is not the one above.

    What is optional may be missing or null; keys that the form doesn't know are left alone.
    """

    def demand(right, place, what):
        if not right:
            raise ValueError(f"report{place} {what}")

    demand(isinstance(report, dict), "", "must be a dict")
    version = report.get("version")
    demand(version == VERSION, "['version']", f"must be {VERSION}, is {version!r}: evaluate again")
    for key, kind in (("prompt_sets", dict), ("metrics", dict), ("entries", list)):
        demand(isinstance(report.get(key), kind), f"[{key!r}]", f"must be a {kind.__name__}")
    for key, metric in report["metrics"].items():
        place = f"['metrics'][{key!r}]"
        demand(isinstance(metric, dict) and isinstance(metric.get("name"), str), place, "needs a 'name'")
        better = metric.get("better", "neither")
        demand(better in ("higher", "lower", "neither"), f"{place}['better']", f"is {better!r}")
        try:
            value_text(metric, 0.5)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
            raise ValueError(
                f"report{place}: 'format' must suit a float, 'scale' a number: {error}"
            ) from error
    names = set()
    for i, entry in enumerate(report["entries"]):
        place = f"['entries'][{i}]"
        demand(isinstance(entry, dict), place, "must be a dict")
        for key in ("name", "kind"):
            demand(isinstance(entry.get(key), str), place, f"needs a {key!r}")
        demand(entry["name"] not in names, place, f"has a name that another has: {entry['name']!r}")
        names.add(entry["name"])
        for prompt_set, scores in (entry.get("scores") or {}).items():
            demand(prompt_set in report["prompt_sets"], place, f"scores an unknown set {prompt_set!r}")
            for key, found in scores.items():
                there = f"{place}['scores'][{prompt_set!r}][{key!r}]"
                demand(key in report["metrics"], there, "is not one of the report's metrics")
                for part in ("value", "low", "high"):
                    number = (found or {}).get(part)
                    demand(number is None or _is_number(number), there, f"has the {part} {number!r}")
        for name, curve in (entry.get("curves") or {}).items():
            there = f"{place}['curves'][{name!r}]"
            for key, numbers_ in curve["scores"].items():
                demand(key in report["metrics"], there, f"scores {key!r}, which is not one of the metrics")
                demand(len(numbers_) == len(curve["values"]), there, f"needs one {key!r} for each value")
    for i, table in enumerate(report.get("tables") or []):
        place = f"['tables'][{i}]"
        demand(isinstance(table, dict) and isinstance(table.get("title"), str), place, "needs a 'title'")
        for row in (header := table.get("header") or [], *(table.get("rows") or [])):
            right = len(row) == len(header) and all(isinstance(cell, str) for cell in row)
            demand(right, place, f"needs a string for each of its {len(header)} columns, has {row}")
    for path in pictures_of(report):
        _check_path(path)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _check_path(path):
    inside = isinstance(path, str) and "\\" not in path and not PurePosixPath(path).is_absolute()
    if not inside or ".." in PurePosixPath(path).parts or not path.lower().endswith(".png"):
        raise ValueError(
            f"A picture's path must be relative, inside of the folder, and end in .png: {path!r}"
        )


def read_report(path):
    """Reads report.json, or that of a folder. Returns the dict, checked.

    Raises:
        FileNotFoundError: it isn't there.
        ValueError: it isn't JSON, or of another form.
    """
    path = expanded(path)
    path = path / "report.json" if path.is_dir() else path
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): evaluate again") from error
    check_report(report)
    return report


def read_pictures(report, folder):
    """The report's pictures that are in the folder: a dict of relative path to uint8 `(h, w, 3)`."""
    found = {}
    for path in pictures_of(report):
        file = Path(folder) / path
        if file.is_file():
            with Image.open(file, formats=["PNG"]) as image:
                found[path] = np.asarray(image.convert("RGB"))
    return found


def write_report(report, pictures, folder):
    """Writes the pictures, report.json and report.html, a page that stands alone, into a folder.

    All is first written under temporary names and then renamed, the page last. So a full disk leaves an old
    report as it was, and after a kill each file is the old one or the new one, whole.

    Args:
        report: dict, as above. NumPy's numbers are fine; NaN and infinity become null.
        pictures: dict of relative path ("grids/x.png") to uint8 `(h, w, 3)`. Those that the report names but
            that are not given must be in the folder already.
        folder: made where it is missing.

    Returns:
        `pathlib.Path` of report.html, absolute.

    Raises:
        ValueError: the report or a picture is of another form, or a picture is missing.
    """
    report = plain(report)
    check_report(report)
    for path in pictures:
        _check_path(path)
    folder = expanded(folder).absolute()
    shown = read_pictures(report, folder) | dict(pictures)
    missing = [path for path in pictures_of(report) if path not in shown]
    if missing:
        raise ValueError(f"The report names {len(missing)} pictures that are not given: {missing[:3]}")
    with staged_folder(folder) as staging:
        for path, picture in pictures.items():
            save_png(picture, staging / path)
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_text(staging / "report.json", text)
        write_text(staging / "report.html", page(report, shown))
        for path in (*pictures, "report.json", "report.html"):
            move_file(staging / path, folder / path)
    return folder / "report.html"
