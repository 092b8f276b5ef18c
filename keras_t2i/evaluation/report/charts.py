"""A report's charts, in SVG and HTML that need no script: curves of scores, and dots with intervals."""

import math
from html import escape

from keras_t2i.evaluation.report.html_parts import name_html
from keras_t2i.evaluation.report.values import KINDS
from keras_t2i.evaluation.report.values import best_generators
from keras_t2i.evaluation.report.values import interval_text
from keras_t2i.evaluation.report.values import score
from keras_t2i.evaluation.report.values import value_text
from keras_t2i.evaluation.report.values import with_kind

STYLES = 6  # classes s0 to s5 of the style sheet
LOGARITHMIC = ("num_steps", "best_of")  # doubled from value to value
WIDTH, HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 12, 42


def ticks(low, high, count=4):
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) from below `low` to above `high`.

    Returns:
        list of floats, at least two, `count` steps or so.
    """
    if high - low < 1e-12 * max(abs(low), abs(high), 1e-300):
        low, high = low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)]


def tick_texts(levels, percent=False):
    """The levels with as many decimals as their step needs; with `percent`, of 1."""
    levels = [100 * level for level in levels] if percent else levels
    step = levels[1] - levels[0]
    decimals = next((d for d in range(12) if abs(round(step, d) - step) < 1e-6 * step), 12)
    return [f"{level:.{decimals}f}" + ("%" if percent else "") for level in levels]


def _positions(values, name):
    """Where the values lie on the x axis, 0 to 1: by their logarithm, by size, or evenly if not numbers."""
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        places = list(range(len(values)))
    elif name in LOGARITHMIC and min(values) > 0:
        places = [math.log2(v) for v in values]
    else:
        places = values
    low, high = min(places), max(places)
    return [(p - low) / (high - low) if high > low else 0.5 for p in places]


def mark(x, y, kind):
    """An SVG mark of the series' own shape: without color they can still be told apart."""
    if kind % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>'
    corners = (
        [(-3.3, -3.3), (3.3, -3.3), (3.3, 3.3), (-3.3, 3.3)],
        [(0, -4.4), (4.2, 3.2), (-4.2, 3.2)],
        [(0, -4.8), (4.8, 0), (0, 4.8), (-4.8, 0)],
    )[kind % 4 - 1]
    return f'<path d="M{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)}Z"/>'


def line_chart(metric, name, series):
    """Scores of one metric over the values of one setting.

    Args:
        metric: the report's dict of the metric.
        name: string, the setting; the x axis of `LOGARITHMIC` ones is log-2.
        series: list of (entry's name, colour's number, values, scores, which may be None).

    Returns:
        string, one `<svg>`; "" where no score is known.
    """
    scale = metric.get("scale", 1)
    known = [s * scale for *_, scores in series for s in scores if s is not None]
    if not known:
        return ""
    values = list(dict.fromkeys(v for _, _, vs, _ in series for v in vs))
    if all(isinstance(v, int | float) for v in values):
        values.sort()
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    across = dict(zip(values, (LEFT + 8 + p * (wide - 16) for p in _positions(values, name)), strict=True))
    levels = ticks(min(known), max(known))

    def up(y):
        return TOP + high * (1 - (y - levels[0]) / (levels[-1] - levels[0]))

    parts, spoken, last = [], [], -math.inf
    percent = "%" in (metric.get("format") or "")
    for level, text in zip(levels, tick_texts(levels, percent), strict=True):
        y = up(level)
        parts.append(f'<path class="rule" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" class="end">{text}</text>')
    for value, x in across.items():
        parts.append(f'<path class="tick" d="M{x:.1f} {HEIGHT - BOTTOM}v4"/>')
        text = f"{value:g}" if isinstance(value, int | float) else str(value)
        half = 3.3 * len(text)
        if x - half > last + 4:  # a label that would touch the one before is left out
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" class="mid">{escape(text)}</text>')
            last = x + half
    logarithmic = name in LOGARITHMIC and all(isinstance(v, int | float) and v > 0 for v in values)
    label = escape(name) + (" (log 2)" if logarithmic else "")
    parts.append(f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 6}" class="mid axis">{label}</text>')
    for entry, color, own_values, scores in series:
        points = [(v, s) for v, s in zip(own_values, scores, strict=True) if s is not None]
        places = [(across[v], up(s * scale), v, s) for v, s in sorted(points, key=lambda p: across[p[0]])]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in places)
        parts.append(f'<g class="s{color % STYLES}"><polyline class="d{color % 4}" points="{line}"/>')
        for x, y, v, s in places:
            text = escape(f"{entry}, {name} {v}: {value_text(metric, s)}")
            parts.append(f"<g><title>{text}</title>{mark(x, y, color)}</g>")
        parts.append("</g>")
        said = ", ".join(f"{v}: {value_text(metric, s)}" for _, _, v, s in places)
        spoken.append(f"{entry}: {said or 'unknown'}")
    told = escape(f"{metric['name']} over {name}. {'; '.join(spoken)}")
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">'
        f"{''.join(parts)}</svg>"
    )


def swatch(color):
    """A legend's piece of line with its mark, as `<svg>`."""
    return (
        f'<svg class="swatch s{color % STYLES}" viewBox="0 0 30 12" aria-hidden="true">'
        f'<polyline class="d{color % 4}" points="1,6 29,6"/>{mark(15, 6, color)}</svg>'
    )


def dot_chart(report, prompt_set, key, entries):
    """One row an entry: a dot at its score, a line over its 95 % interval, and the number.

    The axis goes from 0 to 1 where all of it lies there, else over what there is.
    """
    metric = report["metrics"][key]
    found = [(e, score(e, prompt_set, key)) for e in entries]
    found = [(e, s) for e, s in found if s]
    if not found:
        return ""
    reach = [s[k] for _, s in found for k in ("low", "value", "high") if s.get(k) is not None]
    scale = metric.get("scale", 1)
    levels = [0, 0.25, 0.5, 0.75, 1]
    if min(reach) < 0 or max(reach) > 1 or scale != 1:
        levels = ticks(min(reach) * scale, max(reach) * scale)

    def place(value):
        return 100 * (value * scale - levels[0]) / (levels[-1] - levels[0])

    best = best_generators(report, prompt_set, key)
    places = [100 * i / (len(levels) - 1) for i in range(len(levels))]
    rules = "".join(f'<i class="rule" style="left:{x:.2f}%"></i>' for x in places)
    rows = []
    for entry, own in found:
        x = place(own["value"])
        low, high = (place(own[k]) if own.get(k) is not None else x for k in ("low", "high"))
        text = escape(value_text(metric, own["value"]))
        text = f"<strong>{text}</strong>" if entry["name"] in best else text
        rows.append(
            f'<tr class="{entry["kind"] if entry["kind"] in KINDS else "other"}">'
            f'<th scope="row">{name_html(with_kind(entry))}</th><td class="track"><div>{rules}'
            f'<i class="whisker" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>'
            f'<i class="dot" style="left:{x:.2f}%"></i></div></td>'
            f'<td class="number">{text} <small>{escape(interval_text(metric, own))}</small></td></tr>'
        )
    texts = tick_texts(levels, "%" in (metric.get("format") or ""))
    labels = "".join(f'<i style="left:{x:.2f}%">{text}</i>' for x, text in zip(places, texts, strict=True))
    return (
        f'<table class="dots"><tbody>{"".join(rows)}</tbody><tfoot aria-hidden="true"><tr><td></td>'
        f'<td class="scale"><div>{labels}</div></td><td></td></tr></tfoot></table>'
    )
