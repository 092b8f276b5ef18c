"""The report of an evaluation, put together: see `report.py` for its form."""

import datetime

import keras

from keras_t2i._version import __version__
from keras_t2i.evaluation.drawings import grid_positions
from keras_t2i.evaluation.metrics.registry import METRICS
from keras_t2i.evaluation.metrics.registry import leaderboard_columns
from keras_t2i.evaluation.prompt_sets import TEXTS
from keras_t2i.evaluation.prompt_sets import THINGS
from keras_t2i.evaluation.report.report import VERSION


def report_of(entries, evaluation, command, smoke=False, tables=()):
    """A report, as `write_report` takes it.

    Args:
        entries: list of dicts, of `Evaluation.evaluate`.
        evaluation: `Evaluation` that made them.
        command: str, how it was called.
        smoke: bool, whether the figures mean nothing.
        tables: further ones, as of `report.py`.
    """
    return {
        "version": VERSION,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "package": __version__,
        "backend": keras.config.backend(),
        "versions": {"keras": keras.__version__},
        "command": command,
        "smoke": smoke,
        "prompt_sets": {
            s.name: {
                "prompts": len(s),
                "seeds": evaluation.seeds_of(s),
                "text": TEXTS[s.name],
                "grid_prompts": [s.prompts[i] for i in grid_positions(s)],
            }
            for s in evaluation.sets
        },
        "metrics": {key: metric.as_dict() for key, metric in METRICS.items()},
        "entries": entries,
        "tables": list(tables),
    }


def main_figures(entry):
    """The first metric of an entry on each set, in words."""
    first = next(iter(METRICS))
    figures = (f"{scores[first]['value']:.2f} on {name}" for name, scores in entry["scores"].items())
    return f"{METRICS[first].name} {', '.join(figures)}"


def columns(sets):
    """The leaderboard's: a copy, or an attribute, says most where training has not seen what is asked."""
    unseen = next(s.name for s in sets if not s.trained)
    found = leaderboard_columns()
    of_unseen = [(key, unseen) for key, where in found if where == "unseen"]
    of_things = [(key, THINGS) for key, where in found if where == "things" and any(s.draws for s in sets)]
    return [*of_things, *of_unseen, *(key for key, where in found if where == "trained"), "megabytes"]
