"""Held-out pictures drawn large: PSNR and edge energy against the true ones, beside bicubic and Lanczos.

    python recipes/prepare_data.py
    python benchmarks/rendering.py --data emoji --renderer runs/renderer/preset

Then what a large drawing costs: seconds and memory, of a process of its own.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from keras_t2i.data import load
from keras_t2i.evaluation.rendering import enlarged
from keras_t2i.evaluation.report.tables import plain_table
from keras_t2i.models import RendererStage
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.utils.images import to_float
from keras_t2i.utils.memory import peak_memory
from keras_t2i.utils.streaming import write_bands


def quality(args):
    """Print the table of figures."""
    data, stage = load(args.data, args.split), RendererStage.from_preset(args.renderer)
    print(plain_table(enlarged(args.data, args.split, data, stage, args.sizes, args.count)), flush=True)


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
    peak = peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        file = write_bands(
            Path(folder) / "a.png", stage.bands(image, canvas, stage.noise_level), *canvas.shape
        )
        seconds, megabytes = time.perf_counter() - start, file.stat().st_size / 1e6
    above = peak_memory() - peak
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
