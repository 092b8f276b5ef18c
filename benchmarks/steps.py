"""How many steps, by which sampler, with how much guidance? R@1, KID, and pictures, of a diffusion preset.

    python benchmarks/steps.py diffusion_emoji
    python benchmarks/steps.py runs/few_steps/preset --steps 1 2 16 --samplers dpm_solver_pp_2m --guidance 2

Judged as by `recipes/evaluate.py`: is the drawing's own caption the nearest of 100? How far are drawings of
training captions, all together, from real pictures? Heun has two network evaluations a step, the others one;
milliseconds are of a picture in a batch of 64. Writes two tables, a column of pictures for each number of
steps, and one for each guidance scale.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from recognition import SHOWN

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.evaluation.candidate import Candidate
from keras_t2i.evaluation.evaluate import Evaluation
from keras_t2i.evaluation.judges.evaluator import PACKAGED_JUDGES
from keras_t2i.evaluation.judges.evaluator import Judges
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png


def measured(evaluation, candidate, **settings):
    """Cells of a table, and pictures to show."""
    cells, shown = [], []
    for prompts in evaluation.sets:
        drawings = evaluation.draw(
            candidate, prompts, evaluation.seeds_per_prompt, with_features=prompts.trained, **settings
        )
        found = evaluation.scores(drawings, prompts, ["r1_random"])["r1_random"]
        cells.append(f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})")
        if prompts.trained:
            far = evaluation.scores(drawings, prompts, ["kid"])["kid"]
            cells.append(f"{1e3 * far.value:.1f} ({1e3 * far.low:.1f} to {1e3 * far.high:.1f})")
        places = np.linspace(0, len(prompts) - 1, SHOWN // len(evaluation.sets)).astype(int)
        shown.append(drawings.pictures[places])
    few = evaluation.sets[0].prompts[:64]
    start = time.perf_counter()
    candidate.generate(few, seed=0, batch_size=len(few), **settings)
    cells.append(f"{1e3 * (time.perf_counter() - start) / len(few):.0f}")
    return " | ".join(cells), np.concatenate(shown)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", help="of a diffusion generator: name or folder")
    parser.add_argument("--steps", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32])
    parser.add_argument(
        "--samplers", nargs="+", choices=SAMPLERS, default=["ddim", "heun", "dpm_solver_pp_2m"]
    )
    parser.add_argument("--guidance", nargs="*", type=float, default=[1, 1.5, 2, 3, 4, 5, 6])
    parser.add_argument("--prompts", type=int, default=500, help="training captions")
    parser.add_argument("--seeds", type=int, default=1, help="drawings of each prompt")
    parser.add_argument("--output", type=Path, default=Path("runs/steps"), help="folder of the pictures")
    args = parser.parse_args()
    candidate = Candidate(args.preset)
    base = candidate.generator.base
    judges = Judges.from_presets(PACKAGED_JUDGES)
    sets, train = load_prompt_sets("openmoji", judges.judges[0].network.image_size, args.prompts, things=0)
    evaluation = Evaluation(sets[:2], train, judges, args.seeds, progress=False)
    names = " | ".join(f"R@1, {s.name}{' | KID x1000' if s.trained else ''}" for s in evaluation.sets)

    def table(kind, settings, file):
        print(f"\n| {kind} | {names} | ms a picture |\n|---|---|---|---|---|", flush=True)
        rows = []
        for name, chosen in settings.items():
            cells, shown = measured(evaluation, candidate, **chosen)
            print(f"| {name} | {cells} |", flush=True)
            rows.append(shown)
        save_png(make_grid(np.concatenate(rows), SHOWN, 2), args.output / file)
        print(f"\nPictures, a row for each: {args.output / file}")

    print(
        f"{args.preset}, {args.seeds} of each of {' and '.join(str(len(s)) for s in evaluation.sets)} prompts"
    )
    steps = {
        f"{sampler}, {n} steps": {"sampler": sampler, "num_steps": n}
        for sampler in args.samplers
        for n in args.steps
    }
    table(f"guidance {base.guidance_scale:g}", steps, "steps.png")
    if args.guidance:
        guidance = {f"guidance {scale:g}": {"guidance_scale": scale} for scale in args.guidance}
        table(f"{base.sampler}, {base.num_steps} steps", guidance, "guidance.png")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
