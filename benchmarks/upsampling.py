"""Held-out pictures drawn four times as large: PSNR and edge energy against the true ones, by an upsampler in
so many steps, beside bicubic, Lanczos and perhaps a renderer.

    python recipes/prepare_data.py
    python benchmarks/upsampling.py --only "fluent 3d" --renderer runs/renderer/preset

Also how far a drawing, shrunk again, is from the small picture; how far two seeds are apart; what a picture
costs; and by how much it depends on the size of its tiles.
"""

import argparse
import time

import numpy as np

from keras_t2i.data import load
from keras_t2i.data.registry import load_truths
from keras_t2i.evaluation.baselines.enlarging import FILTERS
from keras_t2i.evaluation.baselines.enlarging import resampled
from keras_t2i.evaluation.metrics.rendering import rendering_figures
from keras_t2i.models import Generator
from keras_t2i.models import RendererStage
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8


def figures(how, drawn, true, small, seconds):
    """Print one row of the table: `drawn` uint8, `true` and `small` float32."""
    drawn = to_float(drawn)
    decibels, edges = rendering_figures(true, drawn)
    shrunk = psnr(small, downsample(drawn, small.shape[1])).mean()
    cells = [f"{decibels.mean():.2f}", f"{edges.mean():.2f}", f"{shrunk:.1f}", f"{seconds:.2f}"]
    print(f"| {how} | {' | '.join(cells)} |", flush=True)


def quality(args, generator):
    """Print the table of figures."""
    data = load(args.data, args.split)
    data = data.take([row for row, name in enumerate(data.names) if args.only in name])
    data = data.spread(args.count)
    size = generator.upsampled_size
    truths = load_truths(args.data, args.split, data)
    true = np.stack([truth.window(0, 0, 1, size)[..., :3] for truth in truths])
    small, n = to_float(data.pictures), len(data)
    print(f"{n} pictures at {size} pixels\n")
    print("| drawn by | PSNR | edge energy | shrunk again, dB | seconds each |\n|---|---|---|---|---|")

    def timed(how, function):
        start = time.perf_counter()
        drawn = function()
        figures(how, drawn, true, small, (time.perf_counter() - start) / n)
        return drawn

    for method in FILTERS:
        timed(method, lambda method=method: resampled(data.pictures, size, method))
    if args.renderer:
        stage = RendererStage.from_preset(args.renderer)
        timed("renderer", lambda: stage.render(data.pictures, Canvas.of(size, "white")))
    for steps in args.steps:
        options = {"prompts": data.plain_captions, "num_steps": steps}
        generator.upsample(data.pictures[:4], **{**options, "prompts": "a"})  # compiles
        name = f"upsampler, {steps} steps"
        drawn = timed(name, lambda options=options: generator.upsample(data.pictures, **options, seed=0))
    other = generator.upsample(data.pictures, **options, seed=10**6)
    apart = psnr(to_float(drawn), to_float(other)).mean()
    print(f"\nTwo seeds in {steps} steps: {apart:.1f} dB apart")
    tiles(generator, to_uint8(downsample(true[:1], 64)))


def tiles(generator, picture):
    """Print how far drawings of one picture, by tiles of several sizes, are apart."""
    whole = generator.upsample(picture, seed=0, tile=10**4).astype(int)
    for tile in (32, 64, 100):
        difference = np.abs(generator.upsample(picture, seed=0, tile=tile) - whole).max()
        print(f"Tiles of {tile} pixels or one of {whole.shape[1]}: {difference} of 255 apart at most")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--upsampler", default="runs/upsampler/preset")
    parser.add_argument("--generator", default="diffusion_emoji_32", help="whose words it knows")
    parser.add_argument("--renderer", help="preset to compare with")
    parser.add_argument("--data", default="emoji", choices=["emoji", "openmoji"])
    parser.add_argument("--only", default="", help="pictures in whose names this is")
    parser.add_argument("--split", default="test")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--steps", type=int, nargs="*", default=[1, 2, 4, 8, 16])
    args = parser.parse_args()
    quality(args, Generator.from_stages(decoder=args.generator, upsampler=args.upsampler))


if __name__ == "__main__":
    main()
