"""Make pictures from words.

Each argument is a prompt; put quotes around its words:

    python recipes/generate.py "a red apple" "a green apple" --num-images 4

Needs no network and no GPU.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

OUTPUT = "pictures/<prompt>.png"


def parse(argv=None):
    """The parser and what it read; leaves with code 2 where the command line is wrong."""
    parser = argparse.ArgumentParser(
        prog="generate.py",
        description="Make pictures from words.",
        epilog='Example: python recipes/generate.py "a red apple" --num-images 4 --seed 0',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "prompts", nargs="+", metavar="PROMPT", help="what to show, in quotes; several make a grid"
    )
    parser.add_argument(
        "--preset", default="diffusion_emoji_32", help="name of a preset, a folder, or hf://..."
    )
    parser.add_argument(
        "--seed", default="random", type=seed, help="whole number; the same seed makes the same picture"
    )
    parser.add_argument(
        "--num-images", default=1, type=at_least_one, metavar="N", help="pictures of each prompt"
    )
    parser.add_argument(
        "--best-of", default=1, type=at_least_one, metavar="N", help="make N for each picture, keep the best"
    )
    parser.add_argument(
        "--temperature",
        default=1.0,
        type=float,
        metavar="T",
        help="how far pictures of a prompt differ; 0: not at all; of a preset that takes no steps",
    )
    parser.add_argument(
        "--num-steps",
        default=None,
        type=at_least_one,
        metavar="N",
        help="steps from noise to picture, of a preset that takes steps; None: the preset's",
    )
    parser.add_argument(
        "--guidance-scale",
        default=None,
        type=float,
        metavar="G",
        help="how strictly such a preset follows the words, 1 or more; None: the preset's",
    )
    parser.add_argument(
        "--frames",
        default=None,
        metavar="FILE.gif",
        help="such a preset also shows how its first picture evolves: a moving GIF, or a strip as FILE.png",
    )
    parser.add_argument(
        "--scale", default=8, type=at_least_one, help="how many times larger the PNG shows a pixel"
    )
    parser.add_argument(
        "--output",
        default=OUTPUT,
        metavar="FILE.png",
        help="where the picture goes; a file you name is replaced, the default gets a number instead",
    )
    return parser, parser.parse_args(argv)


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def seed(text):
    return None if text == "random" else int(text)


def free_name(prompt):
    """A name for a picture of `prompt` that no file has: pictures/a-red-apple.png, ...-2.png, ..."""
    slug = re.sub(r"\W+", "-", prompt.lower()).strip("-")[:40].strip("-") or "picture"
    number, file = 1, Path("pictures", f"{slug}.png")
    while file.exists():
        number += 1
        file = file.with_stem(f"{slug}-{number}")
    return file


def main(argv=None):
    """Make the pictures that the command line asks for; returns the path of the PNG."""
    parser, options = parse(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides what TensorFlow says about the machine
    start = time.monotonic()
    print("[1/3] Loading Keras and the preset", options.preset, flush=True)
    from keras_t2i.models.generator import Generator
    from keras_t2i.utils.gif import save_frames
    from keras_t2i.utils.images import make_grid
    from keras_t2i.utils.images import save_png

    try:
        generator = Generator.from_preset(options.preset)
        first = options.seed
        if first is None:
            first = int.from_bytes(os.urandom(4), "little")
        count = len(options.prompts) * options.num_images
        print(f"[2/3] Making {count} picture{'s' * (count > 1)}, seed {first}", flush=True)
        settings = {
            name: getattr(options, name)
            for name in ("num_steps", "guidance_scale", "temperature")
            if getattr(options, name) != parser.get_default(name)
        }
        if options.frames is not None and not hasattr(generator, "generate_frames"):
            raise ValueError(f"--frames: {options.preset} makes a picture in one step")
        pictures = generator.generate(
            options.prompts,
            seed=first,
            num_images=options.num_images,
            best_of=options.best_of,
            progress=True,
            **settings,
        )
        # One row a prompt; one picture of each prompt fills a square instead.
        columns = options.num_images if options.num_images > 1 else None
        grid = make_grid(pictures, columns, options.scale)
        file = free_name(options.prompts[0]) if options.output == OUTPUT else options.output
        file = save_png(grid, file)
        if options.frames is not None:
            frames = generator.generate_frames(options.prompts[0], seed=first, **settings)
            print(f"      {save_frames(frames, options.frames, options.scale)}")
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.exit(2, f"{parser.prog}: error: {' '.join(str(error).split())}\n")
    print(f"[3/3] {file} ({grid.shape[1]} x {grid.shape[0]} pixels, {time.monotonic() - start:.0f} s)")
    if len(options.prompts) > 1 and not any(" " in prompt for prompt in options.prompts):
        print(f"      Each word was a prompt. For one picture: {' '.join(options.prompts)!r} in quotes.")
    return file


if __name__ == "__main__":
    main(sys.argv[1:])
