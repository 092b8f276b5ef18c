"""Held-out pictures drawn large: PSNR and edge energy against the true ones, beside bicubic and Lanczos.

    python recipes/prepare_data.py
    python benchmarks/rendering.py --data emoji --renderer runs/renderer/preset

Then what a large drawing costs: seconds and memory, of a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from keras_t2i.data import load
from keras_t2i.data.registry import load_truths
from keras_t2i.evaluation.metrics.rendering import RESAMPLING
from keras_t2i.evaluation.metrics.rendering import rendering_figures
from keras_t2i.evaluation.metrics.rendering import resampled
from keras_t2i.models import RendererStage
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.utils.images import to_float
from keras_t2i.utils.streaming import write_bands


def pictures_of(data, count):
    """About so many pictures, evenly over the designs: `CaptionedImages`, and the design of each."""
    designs = np.array([name.split(" ", 1)[1] for name in data.names])
    kinds = sorted(set(designs))
    chosen = []
    for kind in kinds:
        places = np.flatnonzero(designs == kind)
        chosen += list(
            places[np.linspace(0, len(places) - 1, min(len(places), count // len(kinds))).astype(int)]
        )
    return data.take(chosen), designs[chosen]


def quality(args):
    """Print the table of figures."""
    data = load(args.data, args.split)
    data, designs = pictures_of(data, args.count)
    truths = load_truths(args.data, args.split, data)
    stage = RendererStage.from_preset(args.renderer)
    print("| pixels | design | pictures | " + " | ".join([*RESAMPLING, "renderer"]) + " |")
    print("|---" * (4 + len(RESAMPLING)) + "|")
    for size in args.sizes:
        kept = [i for i, truth in enumerate(truths) if truth.detail >= size]
        true = np.stack([truths[i].window(0, 0, 1, size)[..., :3] for i in kept])
        small = data.pictures[kept]
        drawn = {method: resampled(small, size, method) for method in RESAMPLING}
        drawn["renderer"] = stage.render(small, Canvas.of(size, "white"))
        figures = {how: rendering_figures(true, to_float(pictures)) for how, pictures in drawn.items()}
        for design in ["all", *sorted(set(designs[kept]))]:
            rows = (designs[kept] == design) | (design == "all")
            cells = [f"{p[rows].mean():.2f} / {e[rows].mean():.2f}" for p, e in figures.values()]
            print(f"| {size} | {design} | {rows.sum()} | {' | '.join(cells)} |", flush=True)


def cost(args):
    """Print what one drawing of a size takes, in a process that draws nothing else."""
    print("\n| pixels | seconds | memory above the start, MiB | file, MB |\n|---|---|---|---|")
    for size in args.costs:
        command = [sys.executable, __file__, "--renderer", args.renderer, "--draw", str(size)]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="", flush=True)


def draw(renderer, size):
    """Draw one picture to a file and print the row, without what a first drawing opens and compiles."""
    stage = RendererStage.from_preset(renderer)
    (picture,) = load("openmoji", "validation").take([0]).pictures
    image, canvas = to_float(picture), Canvas.of(size, "white")
    for _ in stage.bands(image, Canvas.of(64, "white")):
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        file = write_bands(
            Path(folder) / "a.png", stage.bands(image, canvas, stage.noise_level), *canvas.shape
        )
        seconds, megabytes = time.perf_counter() - start, file.stat().st_size / 1e6
    above = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1024
    print(f"| {size} | {seconds:.2f} | {above:.0f} | {megabytes:.1f} |")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--renderer", default="runs/renderer/preset")
    parser.add_argument("--data", default="emoji", choices=["emoji", "openmoji"])
    parser.add_argument("--split", default="validation")
    parser.add_argument("--count", type=int, default=96)
    parser.add_argument("--sizes", type=int, nargs="*", default=[128, 256, 512])
    parser.add_argument("--costs", type=int, nargs="*", default=[512, 1024, 4096, 16384])
    parser.add_argument("--draw", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.draw:
        draw(args.renderer, args.draw)
        return
    quality(args)
    cost(args)


if __name__ == "__main__":
    main()
