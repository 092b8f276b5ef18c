"""SVGs drawn again as pixels, beside the renderer's own drawings: PSNR, size, seconds; and a rival, vtracer.

    python benchmarks/vectors.py              # diffusion_emoji, drawn by renderer_emoji
    pip install vtracer                       # adds its rows: it traces the 512-px bitmap

The pictures are of the prompts of the validation split, seed 0, by a generator, and the true ones.
"""

import argparse
import io
import time
from pathlib import Path

import numpy as np
from PIL import Image

from keras_t2i.data import load
from keras_t2i.data.emoji.rasterize import decode_on_white
from keras_t2i.data.emoji.rasterize import draw_png
from keras_t2i.models import Generator
from keras_t2i.models import RendererStage
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.models.stages.vectorize import vector_drawings
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float

SIZE = 512
VTRACER = {  # its defaults, and the settings that come nearest to the size of ours
    "vtracer": {},
    "vtracer, coarser": {"color_precision": 5, "layer_difference": 32, "filter_speckle": 8},
    "vtracer, finer": {"color_precision": 8, "layer_difference": 8, "filter_speckle": 2},
}


def tracers(stage, level):
    """Ways to an SVG: name to function of a small picture and its drawing, uint8."""
    canvas = Canvas.of(SIZE, "white")
    found = {"keras_t2i": lambda small, drawn: vector_drawings(stage, small[None], canvas, level)[0]}
    try:
        import vtracer
    except ImportError:
        print("vtracer is not installed: no rows of it")
        return found

    def trace(options):
        def by_vtracer(small, drawn):
            png = io.BytesIO()
            Image.fromarray(drawn).save(png, "png")
            return vtracer.convert_raw_image_to_svg(png.getvalue(), "png", **options)

        return by_vtracer

    return found | {name: trace(options) for name, options in VTRACER.items()}


def measure(name, pictures, stage, level):
    """Print a row for each way."""
    drawn = stage.render(pictures, Canvas.of(SIZE, "white"), level)
    for tracer, trace in tracers(stage, level).items():
        rows = []
        for small, large in zip(pictures, drawn, strict=True):
            start = time.perf_counter()
            svg = trace(small, large)
            seconds = time.perf_counter() - start
            again = decode_on_white(draw_png(svg, width=SIZE))
            rows.append(
                (psnr(to_float(large)[None], to_float(again)[None])[0], len(svg.encode()) / 1e3, seconds)
            )
        decibels, kilobytes, seconds = np.array(rows).T
        near, small = decibels >= 35, kilobytes <= 30
        print(
            f"| {name} | {tracer} | {near.mean():.0%} | {np.median(decibels):.1f} | {small.mean():.0%} | "
            f"{np.median(kilobytes):.1f} | {np.quantile(kilobytes, 0.9):.1f} | {kilobytes.max():.0f} | "
            f"{(near & small).mean():.0%} | {np.median(seconds):.2f} | {seconds.max():.2f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--renderer", default="renderer_emoji", help="preset of lesson 8")
    parser.add_argument("--preset", default="diffusion_emoji", help="the generator")
    parser.add_argument("--data", default="emoji")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--generated", type=Path, help="a .npy file to keep the generated pictures in")
    args = parser.parse_args()
    generator = Generator.from_preset(args.preset)
    data = load(args.data, "validation", generator.image_size).spread(args.count)
    if args.generated is not None and args.generated.exists():
        generated = np.load(args.generated)
    else:
        generated = generator.generate(data.plain_captions, seed=0, progress=True)
        if args.generated is not None:
            np.save(args.generated, generated)
    stage = RendererStage.from_preset(args.renderer)
    print("| pictures | by | >= 35 dB | dB | <= 30 kB | kB | 90 % | most | both | s | most |")
    print("|---|---|" + "---|" * 9)
    measure("generated", generated, stage, stage.noise_level)
    measure("true", data.pictures, stage, 0.0)


if __name__ == "__main__":
    main()
