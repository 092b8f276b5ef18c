"""How many steps, by which sampler, with how much guidance? R-precision of a diffusion preset, and pictures.

    python benchmarks/steps.py runs/diffusion/preset --output runs/steps

Judged as by `recipes/evaluate.py`: is the drawing's own caption the nearest of 100? Heun has two network
evaluations a step, the others one. Writes two tables, a column of pictures for each number of steps, and one
for each guidance scale.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from keras_t2i.evaluation.judges.evaluator import PACKAGED_JUDGES
from keras_t2i.evaluation.judges.evaluator import Judges
from keras_t2i.evaluation.metrics.alignment import r_precision
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.models import Generator
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png

SAMPLERS = ("ddim", "heun", "dpm_solver_pp_2m")
SHOWN = 12  # prompts of the pictures, half of each set


class Recognition:
    """Has generators draw the prompts of both sets and says how many drawings are recognised."""

    def __init__(self, sets, judges):
        self.sets, self.judges = sets, judges
        self.pools = {s.name: judges.encode_text(s.trials.pool_captions) for s in sets}
        self.judge_of = {s.name: judges.unseen_by(s.images) for s in sets}

    def figures(self, generator, **settings):
        """R-precision@1 on each set, with its interval, seconds a picture, and pictures to show."""
        found, shown = [], []
        for prompts in self.sets:
            start = time.perf_counter()
            drawn = generator.generate(prompts.prompts, seed=0, batch_size=64, **settings)
            seconds = (time.perf_counter() - start) / len(drawn)
            codes = self.judges.encode_image(drawn, self.judge_of[prompts.name])
            estimate = r_precision(codes, self.pools[prompts.name], prompts.trials, 1)["r1_random"]
            found.append(f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})")
            places = np.linspace(0, len(drawn) - 1, SHOWN // len(self.sets)).astype(int)
            shown.append(drawn[places])
        return [*found, f"{1e3 * seconds:.0f}"], np.concatenate(shown)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", help="of a diffusion generator: name or folder")
    parser.add_argument("--steps", nargs="+", type=int, default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--guidance", nargs="+", type=float, default=[1, 1.5, 2, 3, 4, 5, 6])
    parser.add_argument("--prompts", type=int, default=126, help="training captions")
    parser.add_argument("--output", type=Path, default=Path("runs/steps"), help="folder of the pictures")
    args = parser.parse_args()
    generator = Generator.from_preset(args.preset)
    judges = Judges.from_presets(PACKAGED_JUDGES)
    sets, _ = load_prompt_sets("openmoji", judges.judges[0].network.image_size, args.prompts, things=0)
    sets = sets[:2]
    recognition = Recognition(sets, judges)
    recognition.figures(generator, num_steps=1)  # compiles
    names = " | ".join(f"{s.name} ({len(s)})" for s in sets)
    print(f"R-precision@1 (95 % interval), guidance {generator.base.guidance_scale:g}\n")
    print(f"| sampler | steps | {names} | ms a picture |\n|---|---|" + "---|" * (len(sets) + 1))
    rows = []
    for sampler in SAMPLERS:
        for steps in args.steps:
            cells, shown = recognition.figures(generator, num_steps=steps, sampler=sampler)
            print(f"| {sampler} | {steps} | {' | '.join(cells)} |", flush=True)
            rows.append(shown)
    save_png(make_grid(np.concatenate(rows), SHOWN, 2), args.output / "steps.png")
    print(f"\nBy guidance, {generator.base.sampler}, {generator.base.num_steps} steps\n")
    print(f"| guidance | {names} | ms a picture |\n|---|" + "---|" * (len(sets) + 1))
    rows = []
    for scale in args.guidance:
        cells, shown = recognition.figures(generator, guidance_scale=scale)
        print(f"| {scale:g} | {' | '.join(cells)} |", flush=True)
        rows.append(shown)
    save_png(make_grid(np.concatenate(rows), SHOWN, 2), args.output / "guidance.png")
    print(f"\nPictures: {args.output / 'steps.png'}, {args.output / 'guidance.png'}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
