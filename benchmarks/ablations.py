"""What does each choice of `recipes/train_diffusion.py` bring? Short trainings with one choice undone each.

    python benchmarks/ablations.py --epochs 8 --output runs/ablations

Three seeds of each. R-precision@1 as `recipes/evaluate.py` takes it, one drawing of each caption; errors are
mean squares, by noise level, of what the network makes of noisy validation pictures. What is finished is not
run again.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
CHOICES = {  # changes of the recipe's DEFAULTS
    "as the recipe is": {},
    "captions not whitened": {"adapt": False},
    "noise as target, unweighted, uniform times": {
        **{"parameterization": "epsilon", "weight": "none", "times": "uniform"}
    },
    "times uniform": {"times": "uniform"},
}


def folder(output, name, seed):
    return output / f"{''.join(c if c.isalnum() else '_' for c in name)}_{seed}"


def run(args, name, seed):
    """Train one network: a process of its own, so that each starts alike."""
    place = folder(args.output, name, seed)
    if not (place / "preset").is_dir():
        options = ["--epochs", str(args.epochs), "--size", args.size, "--precision", args.precision]
        options += ["--output", str(place.resolve()), "--seed", str(seed)] + ["--smoke"] * args.smoke
        call = f"import train_diffusion; train_diffusion.main({options!r}, **{CHOICES[name]!r})"
        paths = [str(RECIPES), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        subprocess.run([sys.executable, "-c", call], check=True, stdout=subprocess.DEVNULL, env=environment)
    return place


def judge(places):
    """Figures of the presets in these folders, kept in a file beside each."""
    from recognition import Recognition

    from keras_t2i.data import Pipeline
    from keras_t2i.data import load
    from keras_t2i.evaluation.judges.evaluator import PACKAGED_JUDGES
    from keras_t2i.evaluation.judges.evaluator import Judges
    from keras_t2i.evaluation.prompt_sets import load_prompt_sets
    from keras_t2i.models import Generator
    from keras_t2i.objectives.denoising import Denoising
    from keras_t2i.objectives.diffusion import LEVELS

    sets, unseen = load_prompt_sets("openmoji", 32, 500, things=0)[0][:2], load("openmoji", "validation", 32)
    recognition = Recognition(sets, Judges.from_presets(PACKAGED_JUDGES))
    for place in places:
        file = place / "figures.json"
        if file.exists():
            continue
        generator = Generator.from_preset(place / "preset")
        cells, _ = recognition.figures(generator)
        figures = {s.name: float(cell.split()[0]) for s, cell in zip(sets, cells, strict=False)}
        base = generator.base
        objective = Denoising(
            base.unet,
            generator.stage("text").dual_encoder.text_encoder,
            process=base.process,
            parameterization=base.parameterization,
            data_std=base.data_std,
            averages=None,
        )
        objective.compile()
        data = Pipeline(unseen, generator.preprocessor, 64, training=False)
        found = objective.evaluate(data, verbose=0, return_dict=True)
        figures |= {level: found[f"error_{level}"] for level in LEVELS}
        file.write_text(json.dumps(figures))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", default="tiny")
    parser.add_argument("--precision", default="float32", choices=["float32", "mixed_bfloat16"])
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--output", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--smoke", action="store_true", help="of the recipe: does everything run?")
    args = parser.parse_args()
    for seed in range(args.seeds):  # whole rounds, so that an early end compares alike
        with ThreadPoolExecutor(args.jobs) as pool:
            places = list(pool.map(lambda name, seed=seed: run(args, name, seed), CHOICES))
        judge(places)
        print(f"seed {seed} done", file=sys.stderr)
    found = {
        name: [
            json.loads((folder(args.output, name, s) / "figures.json").read_text()) for s in range(args.seeds)
        ]
        for name in CHOICES
    }
    titles = list(found["as the recipe is"][0])
    print(f"| {args.epochs} epochs, {args.seeds} seeds: mean (lowest to highest) | {' | '.join(titles)} |")
    print("|---|" + "---|" * len(titles))
    for name, figures in found.items():
        cells = []
        for title in titles:
            values = [each[title] for each in figures]
            cells.append(f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
