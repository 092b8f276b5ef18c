"""A picture out of an exported folder: `python -m keras_t2i_runtime FOLDER "a red apple" apple.png`."""

import argparse

from PIL import Image

from keras_t2i_runtime import Runtime


def main(argv=None):
    parser = argparse.ArgumentParser("python -m keras_t2i_runtime", description=__doc__)
    add = parser.add_argument
    add("folder", help="what keras-t2i export wrote")
    add("prompt", help="what to show, in quotes")
    add("file", help="where the picture goes")
    add("--seed", type=int, default=0)
    add("--num-steps", type=int)
    add("--guidance-scale", type=float)
    add("--size", type=int, help="pixels of its side, with an exported renderer; None: small")
    options = vars(parser.parse_args(argv))
    folder, file = options.pop("folder"), options.pop("file")
    try:
        Image.fromarray(Runtime.open(folder).generate(options.pop("prompt"), **options)).save(file)
    except (ValueError, OSError, ImportError) as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")


if __name__ == "__main__":
    main()
