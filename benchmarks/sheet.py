"""Generators side by side, of one seed, nothing chosen: a sheet that a person looks at.

    python recipes/prepare_data.py
    python benchmarks/sheet.py diffusion_emoji_32 runs/diffusion/preset --output runs/sheet.png

Sixteen prompts each of single things that were trained on, of combinations that were held out, and of
concepts that were: a row of true pictures, then one of each generator, all drawn at --size.
"""

import argparse
from pathlib import Path

import numpy as np

from keras_t2i.data import load
from keras_t2i.data.registry import load_truths
from keras_t2i.evaluation.single_things import draws_of
from keras_t2i.evaluation.single_things import single_things
from keras_t2i.models import Generator
from keras_t2i.utils.files import expanded
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_uint8

COLUMNS = 16
KEPT_ASIDE = 1  # which draw of single things


def prompts_of(source):
    """Of each split its prompts: a draw of single things, and all that was held out, evenly spread."""
    train = load(source, "train")
    things = draws_of(single_things(train), train.plain_captions, 300)[KEPT_ASIDE]
    asked = {
        "train": train.take(things),
        "test": load(source, "test"),
        "validation": load(source, "validation"),
    }
    return {split: pictures.spread(COLUMNS) for split, pictures in asked.items()}


def main():
    """Draw and write the sheet."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("presets", nargs="+", help="generators, from top to bottom")
    parser.add_argument("--data", default="emoji", help="data set of the prompts, with a test split")
    parser.add_argument("--size", type=int, default=96, help="pixels of each picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=expanded, default=Path("runs/sheet.png"))
    args = parser.parse_args()
    generators, rows = [Generator.from_preset(preset) for preset in args.presets], []
    for split, pictures in prompts_of(args.data).items():
        print(" / ".join(pictures.plain_captions), flush=True)
        truths = load_truths(args.data, split, pictures)
        rows.append(to_uint8(np.stack([truth.window(0, 0, 1, args.size)[..., :3] for truth in truths])))
        for generator in generators:
            rows.append(generator.generate(pictures.plain_captions, seed=args.seed, size=args.size))
    print(save_png(make_grid(np.concatenate(rows), columns=COLUMNS), args.output))


if __name__ == "__main__":
    main()
