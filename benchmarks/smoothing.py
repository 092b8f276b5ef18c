"""How flat are fills, of true pictures and of drawings, and how much smoothing makes them alike?

    python benchmarks/smoothing.py diffusion_emoji --data emoji
    python benchmarks/smoothing.py runs/my_pictures/diffusion/preset --data my_pictures

Draws training captions once, without smoothing, and smooths them by each value. Of each: which share of
neighboring pixels is at most so far apart (of 255, in the channel where they are furthest), PSNR against the
true picture, and milliseconds. `recipes/train_diffusion.py` takes the least value whose share within 8 is
that of true pictures; `generate(..., smoothing=)` takes another. No judge is asked. Pictures show each in a
row.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np

from keras_t2i.data import load
from keras_t2i.evaluation.flatness import share_of_neighbors
from keras_t2i.models import Generator
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i_runtime.smoothing import smoothed

APART = (1, 2, 4, 8, 16, 32)


def shares(pictures):
    return [share_of_neighbors(pictures, most) for most in APART]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", help="of a diffusion generator of pixels: name or folder")
    parser.add_argument("--data", default="emoji", help="data set, or folder of captioned pictures")
    parser.add_argument("--pictures", type=int, default=512, help="training captions that are drawn")
    parser.add_argument("--values", nargs="+", type=float, default=[0, 0.025, 0.05, 0.075, 0.1, 0.15])
    parser.add_argument("--output", type=Path, default=Path("runs/smoothing"), help="folder of the pictures")
    args = parser.parse_args()
    generator = Generator.from_preset(args.preset)
    true = load(args.data, "train", generator.image_size).spread(args.pictures)
    seeds = list(range(len(true)))
    drawn = generator.generate(true.plain_captions, seed=seeds, batch_size=64, smoothing=0, progress=True)
    print(f"Shares of neighbors at most so far apart, {len(true)} training captions, {args.preset}\n")
    print(f"| smoothing | {' | '.join(map(str, APART))} | PSNR, dB | ms a picture |")
    print("|---|" + "---|" * (len(APART) + 2))
    print(f"| true pictures | {' | '.join(f'{s:.3f}' for s in shares(true.pictures))} | - | - |")
    rows = [true.pictures[:12]]
    for value in args.values:
        start = time.perf_counter()
        pictures = to_uint8(smoothed(to_float(drawn), value))
        seconds = (time.perf_counter() - start) / len(drawn)
        cells = [f"{s:.3f}" for s in shares(pictures)]
        error = psnr(to_float(true.pictures), to_float(pictures)).mean()
        print(f"| {value:g} | {' | '.join(cells)} | {error:.2f} | {1e3 * seconds:.1f} |", flush=True)
        rows.append(pictures[:12])
    save_png(make_grid(np.concatenate(rows), 12, 4), args.output / "smoothing.png")
    print(f"\nPictures: {args.output / 'smoothing.png'}, true ones first")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
