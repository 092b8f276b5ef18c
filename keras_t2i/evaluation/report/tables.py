"""An evaluation in Markdown: the README's leaderboard, a preset card's figures, and their place in a file."""

from keras_t2i.evaluation.metrics.registry import ATTRIBUTES
from keras_t2i.evaluation.metrics.registry import leaderboard_columns
from keras_t2i.evaluation.report.values import ABSENT
from keras_t2i.evaluation.report.values import best_generators
from keras_t2i.evaluation.report.values import date_text
from keras_t2i.evaluation.report.values import interval_text
from keras_t2i.evaluation.report.values import main_metric
from keras_t2i.evaluation.report.values import metric_name
from keras_t2i.evaluation.report.values import protocol_text
from keras_t2i.evaluation.report.values import score
from keras_t2i.evaluation.report.values import size_text
from keras_t2i.evaluation.report.values import sorted_entries
from keras_t2i.evaluation.report.values import value_text
from keras_t2i.evaluation.report.values import with_kind
from keras_t2i.utils.marked_sections import append_section
from keras_t2i.utils.marked_sections import replace_between_markers

__all__ = ["append_section", "card_section", "leaderboard", "plain_table", "replace_between_markers"]

PROMPT_SETS = ("training captions", "held-out combinations")


def _cell(text):
    return " ".join(str(text).replace("|", "\\|").replace("<", "&lt;").split())


def _row(cells):
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _table(header, rows):
    return "\n".join([_row(header), "|---" * len(header) + "|", *map(_row, rows)])


def _code(text):
    """Text as Markdown code on one line, whatever backticks it holds."""
    text = " ".join(str(text).split())
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _label(entry):
    return _code(entry["name"]) if entry["kind"] == "generator" else with_kind(entry)


def _with_attribute_mean(report):
    """The report with one more metric, "attributes": the mean of the group of that name on each set.

    It is known where an entry has all of those metrics that any entry has on the set.
    """
    keys = [k for k, metric in report["metrics"].items() if metric.get("group") == ATTRIBUTES]
    if not keys or ATTRIBUTES in report["metrics"]:
        return report
    entries = [{**entry, "scores": dict(entry.get("scores") or {})} for entry in report["entries"]]
    for name in report["prompt_sets"]:
        known = [k for k in keys if any(score(e, name, k) for e in report["entries"])]
        for entry in entries:
            found = [score(entry, name, k) for k in known]
            mean = sum(f["value"] for f in found) / len(found) if found and all(found) else None
            entry["scores"][name] = {**(entry["scores"].get(name) or {}), ATTRIBUTES: {"value": mean}}
    metric = {**report["metrics"][keys[0]], "name": ATTRIBUTES}
    return {**report, "entries": entries, "metrics": {**report["metrics"], ATTRIBUTES: metric}}


def _column(report, key, prompt_set, interval=False):
    """Header and one text an entry's name of a leaderboard's column; None where nothing is known."""
    entries = report["entries"]
    if key == "megabytes":
        header, texts = "MB", {e["name"]: size_text(e.get("megabytes")) for e in entries}
    elif key in report["metrics"]:
        header, texts, metric = metric_name(report["metrics"][key]), {}, report["metrics"][key]
        best = best_generators(report, prompt_set, key)
        for entry in entries:
            found = score(entry, prompt_set, key)
            text = value_text(metric, found["value"] if found else None)
            text = f"**{text}**" if entry["name"] in best else text
            texts[entry["name"]] = text + (_in_brackets(metric, found) if interval else "")
    else:
        return None
    return (header, texts) if set(texts.values()) - {ABSENT} else None


def _columns():
    return [*(key for key, _ in leaderboard_columns()), "megabytes"]


def _in_brackets(metric, found):
    text = interval_text(metric, found)
    return f" ({text})" if text else ""


def leaderboard(report, prompt_sets=None, metrics=None):
    """A table for a README: a row an entry, few columns, the protocol and the command below it.

    Args:
        report: dict of the form that `report.py` describes.
        prompt_sets: names of the sets on which the main metric is given, with its 95 % interval; default:
            those of `PROMPT_SETS` that the report has, or else its first two.
        metrics: the columns after it: metrics' keys, "attributes" (the mean of that group) and "megabytes";
            default those of the registry, with coverage where there is no precision. A column is of the first
            of `prompt_sets`, or of its own where it is a pair (key, set). Columns of which nothing is known
            are left out.

    Returns:
        string, Markdown, without a line break at its end.

    Raises:
        ValueError: a set is not one of the report's, or the report has no metric or no set.
    """
    known = report["prompt_sets"]
    if prompt_sets is None:
        prompt_sets = [s for s in PROMPT_SETS if s in known] or list(known)[:2]
    if metrics is None:
        metrics = ["coverage" if c == "precision" and c not in report["metrics"] else c for c in _columns()]
    wanted = [c if isinstance(c, tuple | list) else (c, None) for c in metrics]
    named = list(dict.fromkeys([*prompt_sets, *(s for _, s in wanted if s)]))
    if not prompt_sets or not report["metrics"] or set(named) - set(known):
        raise ValueError(
            f"A leaderboard needs metrics and sets of prompts, some of {sorted(known)}, got {named}"
        )
    main, first, report = main_metric(report), prompt_sets[0], _with_attribute_mean(report)
    columns, others = [], []
    for prompt_set in prompt_sets:
        found = _column(report, main, prompt_set, interval=True)
        columns += [(f"{found[0]}: {prompt_set}", found[1])] if found else []
    for key, prompt_set in wanted:
        found = _column(report, key, prompt_set or first)
        if found and (key != main or prompt_set):
            others.append((f"{found[0]}: {prompt_set}" if prompt_set else found[0], found[1]))
    columns += others
    rows = [[_label(e), *(texts[e["name"]] for _, texts in columns)] for e in sorted_entries(report, first)]
    further = f" Columns that name no set are of {first}." if others and len(known) > 1 else ""
    table = _table(["drawn by", *(header for header, _ in columns)], rows)
    bold = " Bold: the best generator." if "**" in table else ""
    return f"{table}\n\n{_protocol(report, named)}{bold}{further} {_origin(report)}"


def plain_table(table):
    """One of a report's `tables`, in Markdown, with its title and text: a string without a line break at its
    end."""
    return f"**{table['title']}.** {table['text']}\n\n{_table(table['header'], table['rows'])}"


def card_section(report, entry_name):
    """The figures of a preset's card: a row a metric, and for each set its value between floor and ceiling.

    Args:
        report: dict of the form that `report.py` describes.
        entry_name: the entry of the card.

    Returns:
        string, Markdown, without a line break at its end.

    Raises:
        ValueError: no entry has that name.
    """
    entries = {e["name"]: e for e in report["entries"]}
    if entry_name not in entries:
        raise ValueError(f"The report has no entry {entry_name!r}, but {sorted(entries)}")
    entry, metrics = entries[entry_name], report["metrics"]
    kinds = ("floor", "ceiling")
    bounds = [next((e for e in report["entries"] if e["kind"] == k and e is not entry), None) for k in kinds]
    bounds = [e for e in bounds if e]
    sets = [s for s in report["prompt_sets"] if any(score(entry, s, k) for k in metrics)]
    around = [", ".join(e["kind"] for e in bounds)] if bounds else []
    header = ["metric", *(column for name in sets for column in (name, *around))]
    rows = []
    for key, metric in metrics.items():
        row = [metric_name(metric)]
        for name in sets:
            own, *others = (score(e, name, key) for e in (entry, *bounds))
            texts = [value_text(metric, found["value"] if found else None) for found in (own, *others)]
            row.append(texts[0] + _in_brackets(metric, own))
            row += [", ".join(texts[1:]) if any(others) else ABSENT] if bounds else []
        if any(score(entry, s, key) for s in sets):
            rows.append(row)
    meaning = "; ".join(f"{e['kind']}: {e['name']}" for e in bounds)
    below = _protocol(report, sets) + (f" {_capital(meaning)}." if meaning else "")
    return f"**Evaluation.** {_origin(report)}\n\n{_table(header, rows)}\n\n{below}"


def _capital(text):
    return text[:1].upper() + text[1:]


def _protocol(report, names):
    about = {name: protocol_text(report["prompt_sets"][name]) for name in names}
    counts = _capital("; ".join(f"{name}: {text}" for name, text in about.items() if text))
    return (
        f"{counts}{'. ' if counts else ''}In brackets: 95 % intervals, bootstrap over prompts. "
        "↑: higher is better, ↓: lower."
    )


def _origin(report):
    command, made = report.get("command"), date_text(report.get("created"), time=False)
    facts = [
        f"keras_t2i {report['package']}" if report.get("package") else "",
        report.get("backend") or "",
        made,
    ]
    facts = ", ".join(filter(None, facts))
    smoke = " A smoke run: these figures mean nothing." if report.get("smoke") else ""
    by = f"Measured by {_code(command)}" if command else "Measured"
    return f"{by}{f' ({facts})' if facts else ''}.{smoke}"
