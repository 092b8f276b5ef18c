"""Make pictures from words, at any size.

Each argument is a prompt; put quotes around its words:

    python recipes/generate.py "a red apple" "a green apple" --num-images 4
    python recipes/generate.py "a red apple" --size 4096 --transparent --renderer runs/renderer/preset
"""

import argparse
import os
import sys
import time

from command_line import HelpFormatter
from command_line import free_name
from command_line import number
from command_line import seed
from command_line import size

OUTPUT, SETTINGS = "pictures/<prompt>.png", ("num_steps", "guidance_scale", "temperature")


def parse(argv=None):
    """The parser and what it read; leaves with code 2 where the command line is wrong."""
    parser = argparse.ArgumentParser("generate.py", description=__doc__, formatter_class=HelpFormatter)
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
    add("--size", type=size, metavar="N|HxW", help="pixels of a side, or height x width; by a --renderer any")
    add("--transparent", action="store_true", help="no white paper behind the picture")
    add("--renderer", help="preset of lesson 8, which draws at --size; None: the generator's own")
    add("--upsampler", help="preset of lesson 9, which draws larger before that; None: as above")
    add("--scale", default=8, **count, help="how many times larger the PNG shows a pixel, without --size")
    replaced = "where the picture goes; a file you name is replaced, the default gets a number instead"
    add("--output", default=OUTPUT, metavar="FILE.png", help=replaced)
    return parser, parser.parse_args(argv)


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

    prompts, n, first = options.prompts, options.num_images, options.seed
    try:
        generator = Generator.from_preset(options.preset)
        if parts := {k: v for k, v in vars(options).items() if k in ("renderer", "upsampler") and v}:
            generator = Generator.from_stages(decoder=generator, **parts)
        print(f"[2/3] Making {len(prompts) * n} of {options.preset}, seed {first}", flush=True)
        given = {k: v for k, v in vars(options).items() if k in SETTINGS and v != parser.get_default(k)}
        if options.frames is not None and not generator.base.watchable:
            raise ValueError(f"--frames: {options.preset} makes a picture in one step")
        sized, scale = options.size is not None, options.scale if options.size is None else 1
        if sized:
            given |= {"size": options.size, "background": None if options.transparent else "white"}
        file = free_name(prompts[0]) if options.output == OUTPUT else options.output
        draw = given | {"seed": first, "best_of": options.best_of, "progress": True}
        if len(prompts) * n == 1 and sized:  # of any size: it is never held as a whole
            file, shape = generator.render_to(file, prompts[0], **draw), options.size
        else:  # one row a prompt; one picture of each prompt fills a square instead
            pictures = generator.generate(prompts, num_images=n, **draw)
            grid = make_grid(pictures, n if n > 1 else None, scale)
            file, shape = save_png(grid, file), grid.shape
        if options.frames is not None:
            frames = generator.generate_frames(prompts[0], seed=first, **given | {"background": "white"})
            print(f"      {save_frames(frames, options.frames, scale)}")
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        parser.exit(2, f"{parser.prog}: error: {' '.join(str(error).split())}\n")
    print(f"[3/3] {file} ({shape[1]} x {shape[0]} pixels, {time.monotonic() - start:.0f} s)")
    if len(prompts) > 1 and not any(" " in prompt for prompt in prompts):
        print(f"      Each word was a prompt. For one picture: {' '.join(prompts)!r} in quotes.")
    return file


if __name__ == "__main__":
    main(sys.argv[1:])
