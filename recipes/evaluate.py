"""Evaluate generators: do they draw what is asked, how well, and is it new?

    python recipes/evaluate.py                                   # every packaged generator
    python recipes/evaluate.py --preset generator_openmoji_32 runs/decoder/preset
    python recipes/evaluate.py --preset runs/my_decoder/preset --data my_pictures

Is a drawing recognised among 100 pictures of its design? Does it show its caption, to two encoders that no
generator was trained with? Is it as sharp, at --sizes, as real pictures? Every figure stands beside its
ceiling and floors. Writes report.json, report.html (open it in a browser) and the presets' cards.
"""

import sys
from pathlib import Path

import common

from keras_t2i.data.registry import DEFAULT
from keras_t2i.data.registry import describe_sources
from keras_t2i.evaluation.baselines.registry import all_baselines
from keras_t2i.evaluation.calibration import calibration
from keras_t2i.evaluation.candidate import Candidate
from keras_t2i.evaluation.curves import curves
from keras_t2i.evaluation.evaluate import Evaluation
from keras_t2i.evaluation.judges.evaluator import PACKAGED_JUDGES
from keras_t2i.evaluation.judges.evaluator import Judges
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.evaluation.rendering import at_sizes
from keras_t2i.evaluation.report import assemble
from keras_t2i.evaluation.report.cards import fill_cards
from keras_t2i.evaluation.report.report import write_report
from keras_t2i.evaluation.report.tables import leaderboard
from keras_t2i.evaluation.report.tables import plain_table
from keras_t2i.evaluation.report.tables import replace_between_markers
from keras_t2i.models import Generator
from keras_t2i.utils.marked_sections import check_markers


def main(argv=None):
    parser = common.Parser(description=__doc__)
    add = parser.add_argument
    add("--preset", nargs="+", default=None, metavar="A", help="names or folders; default: all packaged")
    add("--output", default="runs/evaluation", type=common.folder, help="folder of the report")
    add("--data", default=DEFAULT, type=common.filled, help=f"whose captions are asked: {describe_sources()}")
    add("--prompts", default=500, type=common.number(int, least=20), help="training captions that are asked")
    add("--seeds", default=4, type=common.number(int, least=1, most=1000), help="drawings of each prompt")
    add("--judges", nargs="+", default=list(PACKAGED_JUDGES), help="presets of evaluators, of both halves")
    pixels = {"default": [256, 512], "type": common.number(int, least=32, most=8192), "nargs": "*"}
    add("--sizes", **pixels, metavar="N", help="pixels at which drawings are judged too; none: leave it out")
    add("--no-curves", action="store_true", help="leave the curves over settings out: half the time")
    add("--no-cards", action="store_true", help="leave the cards of the presets as they are")
    add("--leaderboard", type=common.existing_file, metavar="FILE", help="where the leaderboard is replaced")
    add("--smoke", action="store_true", help="a few prompts, in seconds: does everything run?")
    args = parser.parse_args(argv)
    common.check_output(args)  # now, and not after an hour
    if args.leaderboard is not None:
        check_markers(args.leaderboard, "leaderboard")
    candidates = [Candidate(preset) for preset in args.preset or sorted(Generator.presets)]
    judges = Judges.from_presets(args.judges)
    sets, train = load_prompt_sets(args.data, judges.judges[0].network.image_size, args.prompts, args.smoke)
    print(f"{len(candidates)} generators, {sum(map(len, sets)):,} prompts. {judges.name}.", file=sys.stderr)
    small = {"references": 16, "image_size": 64, "large_size": 64} if args.smoke else {}
    evaluation = Evaluation(sets, train, judges, 2 if args.smoke else args.seeds, **small)
    others = all_baselines(sets, train, candidates[0].generator.encode_text)

    entries, pictures = [], {}
    for candidate in [*candidates, *others]:
        entry, of_entry, of_sets = evaluation.evaluate(candidate)
        if candidate.kind == "generator" and not args.no_curves:
            entry["curves"] = curves(evaluation, candidate, 2 if args.smoke else None)
        entries.append(entry)
        pictures |= of_entry
        if candidate is candidates[0]:
            entries.append(evaluation.permuted(candidate.name, of_sets))
        print(f"{candidate.name}: {assemble.main_figures(entry)}", file=sys.stderr)

    command = " ".join(["python recipes/evaluate.py", *(sys.argv[1:] if argv is None else argv)])
    tables = [calibration(evaluation), *at_sizes(args.data, candidates, sets, train, args.sizes, args.smoke)]
    report = assemble.report_of(entries, evaluation, command, args.smoke, tables)
    page = write_report(report, pictures, args.output)
    if not (args.no_cards or args.smoke):
        fill_cards(report, candidates, Path(__file__).resolve().parents[1])
    board = leaderboard(report, metrics=assemble.columns(sets))
    if args.leaderboard is not None:
        replace_between_markers(args.leaderboard, "leaderboard", board)
    print("\n\n".join([board, *map(plain_table, tables), f"Report: {page}"]))
    return page


if __name__ == "__main__":
    common.script(main)
