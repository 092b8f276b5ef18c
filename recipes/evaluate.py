"""Evaluate generators: do they draw what is asked, how well, and is it new?

    python recipes/evaluate.py                                   # every packaged generator
    python recipes/evaluate.py --preset generator_openmoji_32 runs/decoder/preset
    python recipes/evaluate.py --preset runs/my_decoder/preset --data my_pictures

Judged by two encoders that no generator was trained with, each drawing by the one that has not seen the
picture asked for. Every figure stands beside its ceiling (the real pictures) and its floors (captions
permuted, the mean picture), and beside what is easy: the training picture with the nearest caption, and a
perfect memoriser. Writes report.json, report.html (open it in a browser) and the cards of the presets.
"""

import argparse
import datetime
import os
import sys
from pathlib import Path

import keras
from keras_t2i.training.options import HelpFormatter

import keras_t2i
from keras_t2i.data.registry import DEFAULT
from keras_t2i.data.registry import describe_sources
from keras_t2i.evaluation.baselines.baselines import MeanPicture
from keras_t2i.evaluation.baselines.baselines import NearestCaption
from keras_t2i.evaluation.baselines.baselines import RealPictures
from keras_t2i.evaluation.baselines.empirical_denoiser import EmpiricalDenoiserBaseline
from keras_t2i.evaluation.curves import curves
from keras_t2i.evaluation.drawings import grid_positions
from keras_t2i.evaluation.evaluate import Evaluation
from keras_t2i.evaluation.judges.evaluator import PACKAGED_JUDGES
from keras_t2i.evaluation.judges.evaluator import Judges
from keras_t2i.evaluation.metrics.registry import METRICS
from keras_t2i.evaluation.metrics.registry import leaderboard_columns
from keras_t2i.evaluation.prompt_sets import TEXTS
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.evaluation.report.report import write_report
from keras_t2i.evaluation.report.tables import append_section
from keras_t2i.evaluation.report.tables import card_section
from keras_t2i.evaluation.report.tables import leaderboard
from keras_t2i.evaluation.report.tables import replace_between_markers
from keras_t2i.models import Generator
from keras_t2i.presets.registry import PACKAGED as PACKAGED_PRESETS
from keras_t2i.presets.registry import find_preset

ROOT = Path(__file__).resolve().parents[1]


class Candidate:
    """A preset as the evaluation takes it."""

    kind = "generator"

    def __init__(self, preset):
        self.name, found = str(preset), find_preset(preset, Generator)
        self.folder = PACKAGED_PRESETS / found if (PACKAGED_PRESETS / found).is_dir() else Path(found)
        self.generator = Generator.from_preset(preset)
        self.generate = self.generator.generate
        self.text = type(self.generator).__name__ + " preset."
        self.facts = {"parameters": self.generator.backbone.count_params()}
        if self.folder.is_dir():
            bytes_of_files = (file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
            self.facts["megabytes"] = sum(bytes_of_files) / 1e6


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=HelpFormatter)
    add = parser.add_argument
    add("--preset", nargs="+", default=None, metavar="A", help="names or folders; default: all packaged")
    add("--output", default="runs/evaluation", type=Path, help="folder of report.json and report.html")
    add("--data", default=DEFAULT, help=f"whose captions are asked: {describe_sources()}")
    add("--prompts", default=500, type=int, help="training captions that are asked")
    add("--seeds", default=4, type=int, help="drawings of each prompt")
    add("--judges", nargs="+", default=list(PACKAGED_JUDGES), help="presets of evaluators, of both halves")
    add("--no-curves", action="store_true", help="leave the curves over settings out: half the time")
    add("--no-cards", action="store_true", help="leave the cards of the presets as they are")
    add("--leaderboard", type=Path, metavar="FILE", help="Markdown file whose leaderboard is replaced")
    add("--smoke", action="store_true", help="a few prompts, in seconds: does everything run?")
    args = parser.parse_args(argv)
    if args.prompts < 20 or args.seeds < 1:
        parser.error("--prompts must be at least 20, --seeds at least 1")
    if args.leaderboard is not None and not args.leaderboard.is_file():
        parser.error(f"--leaderboard: there is no file {args.leaderboard}")
    return args


def main(argv=None):
    args = parse(argv)
    presets = args.preset or sorted(Generator.presets)
    candidates = [Candidate(preset) for preset in presets]  # an unknown name fails before any work
    judges = Judges.from_presets(args.judges)
    size = judges.judges[0].network.image_size
    sets, train = load_prompt_sets(args.data, size, args.prompts, args.smoke)
    count = sum(map(len, sets))
    print(
        f"{len(candidates)} generators and 4 baselines; {count:,} prompts, {args.seeds} drawings each by a "
        f"generator, at {size} pixels. Judges: {judges.name}.",
        file=sys.stderr,
    )
    small = {"references": 16, "image_size": 64} if args.smoke else {}
    evaluation = Evaluation(sets, train, judges, 2 if args.smoke else args.seeds, **small)

    every = sets[0].images
    for prompt_set in sets[1:]:
        every = every.joined(prompt_set.images)
    baselines = [
        RealPictures(every),
        NearestCaption(train, candidates[0].generator.encode_text),
        EmpiricalDenoiserBaseline(train),
        MeanPicture(train),
    ]
    entries, pictures = [], {}
    for candidate in [*candidates, *baselines]:
        entry, of_entry, of_sets = evaluation.evaluate(candidate)
        entry |= getattr(candidate, "facts", {})
        if candidate.kind == "generator" and not args.no_curves:
            sweeps = candidate.generator.sweeps
            if args.smoke:
                sweeps = {setting: values[:2] for setting, values in sweeps.items()}
            entry["curves"] = curves(evaluation, candidate, sweeps)
        entries.append(entry)
        pictures |= of_entry
        if candidate is candidates[0]:
            entries.append(evaluation.permuted(candidate.name, of_sets))
        print(f"{candidate.name}: {main_figures(entry)}", file=sys.stderr)

    report = {
        "version": 1,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "package": keras_t2i.__version__,
        "backend": keras.config.backend(),
        "versions": {"keras": keras.__version__},
        "command": " ".join(["python recipes/evaluate.py", *(sys.argv[1:] if argv is None else argv)]),
        "smoke": args.smoke,
        "prompt_sets": {
            s.name: {
                "prompts": len(s),
                "seeds": evaluation.seeds_per_prompt,
                "text": TEXTS[s.name],
                "grid_prompts": [s.prompts[i] for i in grid_positions(s)],
            }
            for s in sets
        },
        "metrics": {key: metric.as_dict() for key, metric in METRICS.items()},
        "entries": entries,
    }
    page = write_report(report, pictures, args.output)
    if not (args.no_cards or args.smoke):
        fill_cards(report, candidates)
    board = leaderboard(report, metrics=columns(sets))
    if args.leaderboard is not None:
        replace_between_markers(args.leaderboard, "leaderboard", board)
    print(board)
    print(f"\nReport: {page}")
    return page


def main_figures(entry):
    """The first metric on each set, in words."""
    first = next(iter(METRICS))
    figures = (f"{scores[first]['value']:.2f} on {name}" for name, scores in entry["scores"].items())
    return f"{METRICS[first].name} {', '.join(figures)}"


def columns(sets):
    """The leaderboard's: a copy, or an attribute, says most where training has not seen what is asked."""
    unseen = next(s.name for s in sets if not s.trained)
    found = leaderboard_columns()
    of_unseen = [(key, unseen) for key, where in found if where == "unseen"]
    return [*of_unseen, *(key for key, where in found if where == "trained"), "megabytes"]


def fill_cards(report, candidates):
    """Put each generator's figures into its card. Presets of an installed package are left alone."""
    for candidate in candidates:
        card = candidate.folder / "README.md"
        packaged = Path(keras_t2i.__file__).parent in card.parents
        if not candidate.folder.is_dir() or (packaged and ROOT not in card.parents):
            continue
        if not card.exists():
            card.write_text(f"# {candidate.folder.name}\n", encoding="utf-8")
        append_section(card, "evaluation", card_section(report, candidate.name))


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
