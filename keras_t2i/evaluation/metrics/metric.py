"""What is known of a metric apart from its numbers."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric as reports and tables speak of it, and what takes it.

    Attributes:
        name: str, heading of its column.
        group: str, of columns.
        better: "higher", "lower" or "neither".
        text: str, a sentence: what it measures.
        source: str, the paper and equation.
        protocol: function that takes it of drawings, see `protocols`; several metrics may share one.
        format, scale: how a value is shown: `format.format(scale * value)`.
        in_curves: bool, whether the curves over settings show it.
        leaderboard: "unseen", "trained" or "things" (single ones): the leaderboard shows it of such prompts;
            "" for not at all.
    """

    name: str
    group: str
    better: str
    text: str
    source: str
    protocol: Callable
    format: str = "{:.2f}"
    scale: float = 1
    in_curves: bool = False
    leaderboard: str = ""

    def as_dict(self):
        """As reports hold it."""
        shown = ("name", "group", "better", "format", "scale", "text", "source")
        return {key: getattr(self, key) for key in shown}
