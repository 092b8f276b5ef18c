"""How a report's numbers are written and its entries ordered, the same on the page and in Markdown."""

import re
from datetime import datetime

KINDS = ("ceiling", "generator", "baseline", "floor")  # in the order of a table's rows
ARROWS = {"higher": "↑", "lower": "↓"}
ABSENT = "-"


def score(entry, prompt_set, key):
    """The dict of one score (`value`, perhaps `low`, `high`, `n`), or None where there is no value."""
    found = ((entry.get("scores") or {}).get(prompt_set) or {}).get(key)
    return found if found and found.get("value") is not None else None


def value_text(metric, value):
    """A raw value in the metric's own format, after its `scale`; "-" for None."""
    if value is None:
        return ABSENT
    text = (metric.get("format") or "{:.3g}").format(value * metric.get("scale", 1))
    return text[1:] if re.fullmatch(r"-[0.]+%?", text) else text


def interval_text(metric, found):
    """ "0.63 to 0.70", or "" where the score has no interval."""
    if not found or found.get("low") is None or found.get("high") is None:
        return ""
    return f"{value_text(metric, found['low'])} to {value_text(metric, found['high'])}"


def metric_name(metric, arrow=True):
    """The name, the scale where the name doesn't say it, and an arrow to the better side."""
    name, scale = metric["name"], metric.get("scale", 1)
    if scale != 1 and f"{scale:g}" not in name and "%" not in name:
        name += f" x {scale:g}"
    direction = ARROWS.get(metric.get("better"), "")
    return f"{name} {direction}" if arrow and direction else name


def pictures_of(report):
    """The relative paths of the pictures that the entries name, each once."""
    paths = {}
    for entry in report["entries"]:
        paths |= dict.fromkeys((entry.get("grid") or {}).values())
        for pair in entry.get("worst") or []:
            paths |= dict.fromkeys((pair["drawing"], pair["nearest"]))
    return list(paths)


def main_metric(report):
    """The key that entries are sorted by: the report's first metric, or None."""
    return next(iter(report["metrics"]), None)


def sorted_entries(report, prompt_set):
    """Ceiling, generators, baselines, other kinds, floor; within each the best by the main metric first."""
    key = main_metric(report)
    sign = {"higher": -1, "lower": 1}.get(report["metrics"].get(key, {}).get("better"), 0)

    def place(entry):
        found = score(entry, prompt_set, key)
        rank = 2.5 if entry["kind"] not in KINDS else KINDS.index(entry["kind"])
        return rank, found is None, sign * found["value"] if found else 0

    return sorted(report["entries"], key=place)


def best_generators(report, prompt_set, key):
    """Names of the generators whose shown value is the best; none where fewer than two have a value."""
    metric = report["metrics"][key]
    found = {
        e["name"]: score(e, prompt_set, key)["value"]
        for e in report["entries"]
        if e["kind"] == "generator" and score(e, prompt_set, key)
    }
    if len(found) < 2 or metric.get("better") not in ARROWS:
        return set()
    best = max(found.values()) if metric["better"] == "higher" else min(found.values())
    return {name for name, value in found.items() if value_text(metric, value) == value_text(metric, best)}


def with_kind(entry):
    """The entry's name, and its kind where the name leaves open that it bounds the others."""
    bounds = entry["kind"] in ("ceiling", "floor") and entry["kind"] not in entry["name"]
    return f"{entry['name']} ({entry['kind']})" if bounds else entry["name"]


def count_text(number):
    """A number of parameters for people: 2.0 M, 512 k, 87; "-" for None."""
    if number is None:
        return ABSENT
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.{0 if number >= 100 * size else 1}f} {letter}"
    return f"{number:g}"


def size_text(megabytes):
    """Megabytes with one decimal, none from 100 on; "-" for None."""
    return ABSENT if megabytes is None else f"{megabytes:.{0 if megabytes >= 100 else 1}f}"


def protocol_text(prompt_set):
    """ "500 prompts, 4 seeds each", as far as the report says it."""
    prompts, seeds = prompt_set.get("prompts"), prompt_set.get("seeds")
    parts = [f"{prompts:,} prompts"] if prompts else []
    if seeds:
        parts.append("1 seed" if seeds == 1 else f"{seeds:,} seeds each")
    return ", ".join(parts)


def date_text(created, time=True):
    """ "2026-09-30 14:05 UTC" of an ISO 8601 time; what cannot be read as one stays as it is."""
    try:
        moment = datetime.fromisoformat(created)
    except (TypeError, ValueError):
        return str(created or "")
    zone = "" if moment.tzinfo is None else " UTC" if not moment.utcoffset() else f" {moment:%z}"
    return f"{moment:%Y-%m-%d %H:%M}{zone}" if time else f"{moment:%Y-%m-%d}"
