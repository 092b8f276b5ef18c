"""Make pictures from words, at any size.

Each argument is a prompt; put quotes around its words:

    python recipes/generate.py "a red apple" "a green apple" --num-images 4
    python recipes/generate.py "a red apple" --size 4096 --transparent
    python recipes/generate.py "a red apple" --svg --renderer runs/renderer/preset
    python recipes/generate.py --prompts prompts.txt --output drawn
"""

import os
import sys
import time

from command_line import OUTPUT
from command_line import check_prompts
from command_line import free_name
from command_line import generate_parser
from command_line import new_seed
from command_line import plain_warnings
from command_line import sentence
from command_line import tell_drawn

SIZE, SETTINGS = 512, ("num_steps", "guidance_scale", "temperature")


def main(argv=None):
    """Make the pictures that the command line asks for; returns the path of the PNG."""
    parser = generate_parser(__doc__, SIZE)
    options = parser.parse_args(argv)
    check_prompts(parser, options)
    plain_warnings()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides what TensorFlow says about the machine
    start = time.monotonic()
    print("[1/3] Loading Keras and the preset", options.preset, flush=True)
    import numpy as np

    from keras_t2i.models.prompt_files import generate_file
    from keras_t2i.models.prompt_files import open_generator
    from keras_t2i.utils.gif import save_frames
    from keras_t2i.utils.images import make_grid
    from keras_t2i.utils.images import save_png

    prompts, n = options.prompts, options.num_images
    first = new_seed() if options.seed is None else options.seed
    count = len(prompts) * n
    try:
        parts = {k: v for k, v in vars(options).items() if k in ("renderer", "upsampler") and v}
        if options.prompt_file is None:
            generator = open_generator(options.preset, **parts)
            print(f"[2/3] Making {count} of {options.preset}, seed {first}", flush=True)
        given = {k: v for k, v in vars(options).items() if k in SETTINGS and v != parser.get_default(k)}
        if options.frames is not None and not generator.base.watchable:
            raise ValueError(f"--frames: {options.preset} makes a picture in one step")
        if options.scale and (options.transparent or options.svg):
            raise ValueError("--transparent, --svg: with --size, not with --scale")
        if options.svg and options.output != OUTPUT and (count > 1 or not options.output.endswith(".svg")):
            raise ValueError("--svg: --output names an .svg file, of one picture")
        sized, scale, shape = options.scale is None, options.scale or 1, options.size or (SIZE, SIZE)
        if sized:
            given |= {"size": shape, "background": None if options.transparent else "white"}
        draw = given | {"best_of": options.best_of, "progress": True}
        if options.prompt_file:  # by the seed of what is there already, if there is any
            file, keep = options.output, {"beam": options.beam, "scale": scale, "seed": options.seed}
            made = generate_file(options.prompt_file, file, options.preset, n, parts, **draw | keep)
            return tell_drawn(made, file, time.monotonic() - start)
        if options.svg or (count == 1 and sized):  # of any size: a picture is never held as a whole
            suffix = ".svg" if options.svg else ".png"
            for i, prompt in enumerate(np.repeat(prompts, n).tolist()):
                file = free_name(prompt, suffix) if options.output == OUTPUT else options.output
                file = generator.render_to(file, prompt, seed=first + i, **draw)
                print(f"      {file}")
        else:  # one row a prompt; one picture of each prompt fills a square instead
            pictures = generator.generate(prompts, num_images=n, seed=first, **draw)
            grid = make_grid(pictures, n if n > 1 else None, scale)
            file = free_name(prompts[0]) if options.output == OUTPUT else options.output
            file, shape = save_png(grid, file), grid.shape
        if options.frames is not None:
            frames = generator.generate_frames(prompts[0], seed=first, **given | {"background": "white"})
            print(f"      {save_frames(frames, options.frames, scale)}")
    except (ValueError, TypeError, OSError, ImportError, MemoryError, RuntimeError) as error:
        parser.exit(2, f"{parser.prog}: error: {sentence(error)}\n")
    print(f"[3/3] {file} ({shape[1]} x {shape[0]} pixels, {time.monotonic() - start:.0f} s)")
    if len(prompts) > 1 and not any(" " in prompt for prompt in prompts):
        print(f"      Each word was a prompt. For one picture: {' '.join(prompts)!r} in quotes.")
    return file


if __name__ == "__main__":
    main(sys.argv[1:])
