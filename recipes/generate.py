"""Make pictures from words.

Each argument is a prompt; put quotes around its words:

    python recipes/generate.py "a red apple" "a green apple" --num-images 4

Needs no network and no GPU.
"""

import argparse
import os
import sys
import time

from command_line import free_name
from command_line import number

OUTPUT = "pictures/<prompt>.png"


def parse(argv=None):
    """The parser and what it read; leaves with code 2 where the command line is wrong."""
    parser = argparse.ArgumentParser(
        prog="generate.py",
        description="Make pictures from words.",
        epilog='Example: python recipes/generate.py "a red apple" --num-images 4 --seed 0',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, count = parser.add_argument, {"type": number(int, least=1), "metavar": "N"}
    add("prompts", nargs="+", metavar="PROMPT", help="what to show, in quotes; several make a grid")
    add("--preset", default="diffusion_emoji_32", help="name of a preset, a folder, or hf://...")
    add("--seed", default="random", type=seed, help="whole number; the same seed makes the same picture")
    add("--num-images", default=1, **count, help="pictures of each prompt")
    add("--best-of", default=1, **count, help="make N for each picture, keep the best")
    differ = "how far pictures of a prompt differ; 0: not at all; of a preset that takes no steps"
    add("--temperature", default=1.0, type=float, metavar="T", help=differ)
    add("--num-steps", **count, help="steps from noise to picture; None: the preset's")
    add("--guidance-scale", type=float, metavar="G", help="how strictly words are followed; None: as above")
    add("--frames", metavar="FILE", help="how the first picture evolves in its steps: .gif, or .png, a strip")
    add("--scale", default=8, **count, help="how many times larger the PNG shows a pixel")
    replaced = "where the picture goes; a file you name is replaced, the default gets a number instead"
    add("--output", default=OUTPUT, metavar="FILE.png", help=replaced)
    return parser, parser.parse_args(argv)


def seed(text):
    return None if text == "random" else int(text)


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

    first = int.from_bytes(os.urandom(4), "little") if options.seed is None else options.seed
    prompts, n = options.prompts, options.num_images
    try:
        generator = Generator.from_preset(options.preset)
        print(
            f"[2/3] Making {len(prompts) * n} picture{'s' * (len(prompts) * n > 1)}, seed {first}", flush=True
        )
        names = ("num_steps", "guidance_scale", "temperature")
        given = {name: getattr(options, name) for name in names}
        given = {name: value for name, value in given.items() if value != parser.get_default(name)}
        if options.frames is not None and not generator.base.watchable:
            raise ValueError(f"--frames: {options.preset} makes a picture in one step")
        draw = {"seed": first, "num_images": n, "best_of": options.best_of, "progress": True}
        pictures = generator.generate(prompts, **draw, **given)
        # One row a prompt; one picture of each prompt fills a square instead.
        grid = make_grid(pictures, n if n > 1 else None, options.scale)
        file = save_png(grid, free_name(prompts[0]) if options.output == OUTPUT else options.output)
        if options.frames is not None:
            frames = generator.generate_frames(prompts[0], seed=first, **given)
            print(f"      {save_frames(frames, options.frames, options.scale)}")
    except (ValueError, TypeError, OSError, ImportError) as error:
        parser.exit(2, f"{parser.prog}: error: {' '.join(str(error).split())}\n")
    print(f"[3/3] {file} ({grid.shape[1]} x {grid.shape[0]} pixels, {time.monotonic() - start:.0f} s)")
    if len(prompts) > 1 and not any(" " in prompt for prompt in prompts):
        print(f"      Each word was a prompt. For one picture: {' '.join(prompts)!r} in quotes.")
    return file


if __name__ == "__main__":
    main(sys.argv[1:])
