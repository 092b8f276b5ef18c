"""The page of an evaluation: one HTML file that stands alone, without scripts and without the network."""

from html import escape
from pathlib import Path

from keras_t2i.evaluation.report.charts import dot_chart
from keras_t2i.evaluation.report.charts import line_chart
from keras_t2i.evaluation.report.charts import swatch
from keras_t2i.evaluation.report.gallery import grids
from keras_t2i.evaluation.report.gallery import nearest_pairs
from keras_t2i.evaluation.report.html_parts import metric_html
from keras_t2i.evaluation.report.html_parts import name_html
from keras_t2i.evaluation.report.scores import definitions
from keras_t2i.evaluation.report.scores import entry_table
from keras_t2i.evaluation.report.scores import plain_table
from keras_t2i.evaluation.report.scores import score_table
from keras_t2i.evaluation.report.values import date_text
from keras_t2i.evaluation.report.values import main_metric
from keras_t2i.evaluation.report.values import sorted_entries

# The page may show what it holds, and load or run nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
HOW_TO_READ = """<p>Each row of a table is something that draws pictures from words. The <b>ceiling</b> is the
real pictures: no generator is expected to do better. A <b>floor</b> does not look at its prompt: what is no
better has learned nothing. <b>Baselines</b> are simple ways to answer a prompt; a generator should beat them.
↑ means higher is better, ↓ lower; the best generator of a column is bold. The small numbers are 95&nbsp;%
bootstrap intervals over prompts: with other prompts of the same kind, the value would likely lie between
them. Where two intervals overlap widely, the order may be chance. A dash means that the score does not apply.
The names of the columns lead to what they measure; wide tables scroll sideways.</p>"""


def page(report, pictures):
    """Builds the page.

    Args:
        report: dict of the form that `report.py` describes, checked.
        pictures: dict of relative path to uint8 `(h, w, 3)`: those that the report names. One that is missing
            is named in its place.

    Returns:
        string, HTML. It holds its style, charts and pictures, and asks the network for nothing.
    """
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    title, day = f"Evaluation of {_subject(report)}", date_text(report.get("created"), time=False)
    sections = {
        "At a glance": _glance(report),
        "Scores": "".join(score_table(report, name) for name in report["prompt_sets"]),
        "At size": "".join(map(plain_table, report.get("tables") or [])),
        "What was compared": entry_table(report),
        "Drawings": grids(report, pictures),
        "Settings": _curves(report),
        "Nearest training pictures": nearest_pairs(report, pictures),
        "What the metrics measure": definitions(report),
        "How this was made": _origin(report),
    }
    anchors = {heading: heading.lower().replace(" ", "-") for heading, html in sections.items() if html}
    links = "".join(f'<a href="#{anchor}">{heading}</a>' for heading, anchor in anchors.items())
    body = "\n".join(
        f'<section id="{anchor}"><h2>{heading}</h2>{sections[heading]}</section>'
        for heading, anchor in anchors.items()
    )
    smoke = '<p class="smoke">A smoke run: its figures mean nothing.</p>' if report.get("smoke") else ""
    by = f"keras_t2i {report['package']}" if report.get("package") else "keras_t2i"
    by += f" on {report['backend']}" if report.get("backend") else ""
    made = ", ".join(filter(None, [date_text(report.get("created")), by]))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="color-scheme" content="light dark">
<title>{escape(", ".join(filter(None, [title, day])))}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{name_html(title)}</h1><p class="made">{escape(made)}</p>{smoke}
<nav aria-label="Contents">{links}</nav>
</header>
<main>
<section id="how-to-read"><h2>How to read this</h2>{HOW_TO_READ}</section>
{body}
</main>
</body>
</html>
"""


def _subject(report):
    names = [e["name"] for e in report["entries"] if e["kind"] == "generator"]
    if len(names) > 3:
        return f"{len(names)} generators"
    names = names or [e["name"] for e in report["entries"][:1]]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]])) or "nothing"


def _glance(report):
    key, figures = main_metric(report), []
    if key is None:
        return ""
    for name in report["prompt_sets"]:
        chart = dot_chart(report, name, key, sorted_entries(report, name))
        if chart:
            figures.append(f"<figure>{chart}<figcaption>{escape(name)}</figcaption></figure>")
    metric = report["metrics"][key]
    text = f"<p><b>{metric_html(metric)}.</b> {escape(metric.get('text') or '')}</p>"
    return f'{text}<div class="glance">{"".join(figures)}</div>' if figures else ""


def _curves(report):
    sections = []
    for name in dict.fromkeys(name for e in report["entries"] for name in e.get("curves") or {}):
        own = [(e["name"], e["curves"][name]) for e in report["entries"] if name in (e.get("curves") or {})]
        figures = []
        for key, metric in report["metrics"].items():
            series = [
                (entry, i, curve["values"], curve["scores"][key])
                for i, (entry, curve) in enumerate(own)
                if key in curve["scores"]
            ]
            chart = line_chart(metric, name, series)
            if chart:
                figures.append(f"<figure>{chart}<figcaption>{metric_html(metric)}</figcaption></figure>")
        if figures:
            legend = "".join(
                f"<span>{swatch(i)} {name_html(entry)}</span>" for i, (entry, _) in enumerate(own)
            )
            sets = ", ".join(dict.fromkeys(curve["set"] for _, curve in own if curve.get("set")))
            sections.append(
                f"<h3><code>{escape(name)}</code></h3>{f'<p>Measured on {escape(sets)}.</p>' if sets else ''}"
                f'<p class="legend">{legend}</p><div class="charts">{"".join(figures)}</div>'
            )
    return "".join(sections)


def _origin(report):
    command = report.get("command")
    facts = {
        "made": report.get("created"),
        "keras_t2i": report.get("package"),
        "backend": report.get("backend"),
    }
    facts |= report.get("versions") or {}
    rows = "".join(
        f"<div><dt>{escape(str(k))}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts.items() if v
    )
    code = f"<pre><code>{escape(command)}</code></pre>" if command else ""
    return code + (f'<dl class="facts">{rows}</dl>' if rows else "")
