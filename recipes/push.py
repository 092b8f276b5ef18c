"""Send a preset to the Hugging Face Hub, from where "hf://user/name" opens it everywhere.

    hf auth login
    python recipes/push.py runs/diffusion/preset user/name --license cc-by-sa-4.0 --language en

The preset is opened first, and nothing is sent of what cannot be. Its card (README.md) stays as it is and
gets what it lacks: front matter, figures, how to open it, how to cite it. See docs/presets.md.
"""

import sys

from command_line import Parser
from command_line import filled
from command_line import program
from command_line import sentence


def main(argv=None):
    """Send the preset that the command line names; returns its address."""
    parser = Parser(program("push.py"), description=__doc__)
    add = parser.add_argument
    add("preset", metavar="PRESET", type=filled, help="name of a packaged preset, or a folder")
    add("repository", metavar="USER/NAME", type=filled, help="is made if it is not there")
    add("--license", type=filled, help="as the hub writes it, such as cc-by-4.0; None: what the card says")
    add("--language", type=filled, help="of the captions, such as en; None: what the card says")
    add("--datasets", type=filled, nargs="+", help="that it learned from; None: what the card says")
    add("--private", action="store_true", help="a new repository is for you alone")
    add("--message", type=filled, help="of the commit; None: what kind of preset it is")
    options = parser.parse_args(argv)
    import keras_t2i.evaluation.judges.evaluator  # noqa: F401 (whose presets can be sent too)
    from keras_t2i.presets.hub import push_preset

    try:
        address, lacking = push_preset(
            options.preset,
            options.repository,
            license=options.license,
            language=options.language,
            datasets=options.datasets,
            private=options.private or None,
            message=options.message,
        )
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        parser.exit(2, f"{parser.prog}: error: {sentence(error)}\n")
    print(address)
    if lacking:
        print(
            f"Its card does not say: {', '.join(lacking)}. Options of these names add them.", file=sys.stderr
        )
    return address


if __name__ == "__main__":
    main(sys.argv[1:])
