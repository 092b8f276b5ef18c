"""Small pieces of HTML that a report's page uses in many places; text from outside is escaped here."""

import re
from html import escape

from keras_t2i.evaluation.report.values import ARROWS
from keras_t2i.evaluation.report.values import metric_name

BETTER = {"higher": "higher is better", "lower": "lower is better", "neither": "neither side is better"}


def name_html(name):
    """A name that may be broken after an underscore or a slash."""
    return re.sub(r"([_/])", r"\1<wbr>", escape(name))


def arrow_html(metric):
    """The arrow to the better side, with its meaning for those who cannot see it; "" where there is none."""
    better = metric.get("better")
    if better not in ARROWS:
        return ""
    return f'&nbsp;<span class="arrow" role="img" aria-label="{BETTER[better]}">{ARROWS[better]}</span>'


def metric_html(metric):
    """A metric's name and arrow; a short word is not broken at its hyphen."""
    words = metric_name(metric, arrow=False).split(" ")
    whole = (
        f'<span class="whole">{escape(w)}</span>' if "-" in w and len(w) <= 16 else escape(w) for w in words
    )
    return " ".join(whole) + arrow_html(metric)


def direction_text(metric):
    """ "Higher is better." """
    return f"{BETTER[metric.get('better') or 'neither'].capitalize()}."


def scrolled(table, label):
    """A table that scrolls sideways, by touch or by keyboard, where it is wider than the page."""
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{table}</div>'


def linked(text):
    """Text whose https addresses are links."""
    return re.sub(r"https?://[^\s<>&]*[^\s<>&.,;:)]", lambda m: f'<a href="{m[0]}">{m[0]}</a>', escape(text))
