"""The tables of a report's page: the scores on each set of prompts, the entries, the metrics' definitions."""

from html import escape

from keras_t2i.evaluation.report.html_parts import direction_text
from keras_t2i.evaluation.report.html_parts import linked
from keras_t2i.evaluation.report.html_parts import metric_html
from keras_t2i.evaluation.report.html_parts import name_html
from keras_t2i.evaluation.report.html_parts import scrolled
from keras_t2i.evaluation.report.values import ABSENT
from keras_t2i.evaluation.report.values import KINDS
from keras_t2i.evaluation.report.values import best_generators
from keras_t2i.evaluation.report.values import count_text
from keras_t2i.evaluation.report.values import interval_text
from keras_t2i.evaluation.report.values import protocol_text
from keras_t2i.evaluation.report.values import score
from keras_t2i.evaluation.report.values import size_text
from keras_t2i.evaluation.report.values import sorted_entries
from keras_t2i.evaluation.report.values import value_text

HEADINGS = {"ceiling": "Ceiling", "generator": "Generators", "baseline": "Baselines", "floor": "Floors"}


def _groups(report):
    """Metric keys by group, groups in the order in which they first appear."""
    groups = {}
    for key, metric in report["metrics"].items():
        groups.setdefault(metric.get("group") or "other", []).append(key)
    return groups


def _anchor(report, key):
    return f"metric-{list(report['metrics']).index(key)}"  # keys may hold what an id may not


def score_table(report, name):
    """The scores on the set `name`: a row an entry, a column a metric that has values; "" without any."""
    metrics, about, entries = report["metrics"], report["prompt_sets"][name], sorted_entries(report, name)
    groups = {
        g: [k for k in keys if any(score(e, name, k) for e in entries)] for g, keys in _groups(report).items()
    }
    groups = {g: keys for g, keys in groups.items() if keys}
    keys = [k for group in groups.values() for k in group]
    if not keys:
        return ""
    firsts = {group[0]: ' class="first"' for group in groups.values()}  # a line stands before each group
    heads = "".join(
        f'<th scope="colgroup" colspan="{len(k)}" class="first">{escape(g)}</th>' for g, k in groups.items()
    )
    columns = []
    for k in keys:
        told = " ".join(
            filter(None, [metrics[k].get("text"), direction_text(metrics[k]), metrics[k].get("source")])
        )
        columns.append(
            f'<th scope="col"{firsts.get(k, "")} title="{escape(told)}">'
            f'<a href="#{_anchor(report, k)}">{metric_html(metrics[k])}</a></th>'
        )
    best = {k: best_generators(report, name, k) for k in keys}
    bodies = {}
    for entry in entries:
        row = f'<th scope="row" title="{escape(entry.get("text") or "")}">{name_html(entry["name"])}</th>'
        for k in keys:
            found = score(entry, name, k)
            text = escape(value_text(metrics[k], found["value"] if found else None))
            text = f"<strong>{text}</strong>" if entry["name"] in best[k] else text
            interval = escape(interval_text(metrics[k], found))
            row += f"<td{firsts.get(k, '')}>{text}{f'<small>{interval}</small>' if interval else ''}</td>"
        bodies.setdefault(entry["kind"], []).append(f"<tr>{row}</tr>")
    rows = "".join(
        f'<tbody class="{kind if kind in KINDS else "other"}"><tr class="kind"><th scope="rowgroup">'
        f'{escape(HEADINGS.get(kind, kind))}</th><td colspan="{len(keys)}"></td></tr>{"".join(lines)}</tbody>'
        for kind, lines in bodies.items()
    )
    protocol = escape(protocol_text(about))
    text = " ".join(filter(None, [f"{protocol}." if protocol else "", escape(about.get("text") or "")]))
    table = (
        f'<table class="scores"><thead><tr><th scope="col" rowspan="2">drawn by</th>{heads}</tr>'
        f"<tr>{''.join(columns)}</tr></thead>{rows}</table>"
    )
    return f"<h3>{escape(name)}</h3><p>{text}</p>{scrolled(table, f'Scores: {name}')}"


def entry_table(report):
    """What each entry is, and what it costs."""
    rows = []
    for entry in sorted_entries(report, next(iter(report["prompt_sets"]), None)):
        seconds = entry.get("seconds_per_picture")
        costs = (
            count_text(entry.get("parameters")),
            size_text(entry.get("megabytes")),
            ABSENT if seconds is None else f"{seconds:.2g}",
        )
        about = "".join(f'<td class="text">{escape(entry.get(k) or "")}</td>' for k in ("kind", "text"))
        numbers = "".join(f"<td>{cost}</td>" for cost in costs)
        rows.append(f'<tr><th scope="row">{name_html(entry["name"])}</th>{about}{numbers}</tr>')
    heads = ("name", "kind", "what it is", "parameters", "MB", "seconds per picture")
    head = "".join(f'<th scope="col"{" class=text" if i < 3 else ""}>{h}</th>' for i, h in enumerate(heads))
    table = f'<table class="list"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    return scrolled(table, "What was compared")


def plain_table(table):
    """One of the report's `tables`."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table["header"])
    rows = []
    for first, *others in table["rows"]:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        rows.append(f'<tr><th scope="row">{name_html(first)}</th>{cells}</tr>')
    html = f'<table class="list"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    text = f"<p>{escape(table.get('text') or '')}</p>"
    return f"<h3>{escape(table['title'])}</h3>{text}{scrolled(html, table['title'])}"


def definitions(report):
    """What each metric measures, by group, with its source."""
    parts = []
    for group, keys in _groups(report).items():
        parts.append(f"<h3>{escape(group)}</h3><dl>")
        for key in keys:
            metric = report["metrics"][key]
            source = linked(metric.get("source") or "")
            source = f'<br><span class="source">{source}</span>' if source else ""
            parts.append(
                f'<dt id="{_anchor(report, key)}">{metric_html(metric)} <code>{escape(key)}</code></dt>'
                f"<dd>{escape(metric.get('text') or '')} {direction_text(metric)}"
                f"{source}</dd>"
            )
        parts.append("</dl>")
    return "".join(parts)
