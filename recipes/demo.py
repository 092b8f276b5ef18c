"""A page to play with, in a browser: words, a seed and settings to pictures.

    python recipes/demo.py
    python recipes/demo.py --preset runs/diffusion/preset diffusion_emoji_32

It needs the extra "demo" and is open to this machine alone, unless --host says otherwise. See docs/demo.md.
"""

import os
import sys

from command_line import Parser
from command_line import filled
from command_line import number
from command_line import program
from command_line import sentence


def main(argv=None):
    """Serve the page that the command line asks for, until it is interrupted."""
    parser = Parser(program("demo.py"), description=__doc__)
    add = parser.add_argument
    offered = "what to choose from: names, folders, or hf://...; None: all packaged generators"
    add("--preset", nargs="+", type=filled, metavar="PRESET", help=offered)
    add("--renderer", type=filled, help="preset of lesson 8, to draw at size; None: the generator's, or ours")
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    add("--host", default=host, type=filled, help="who may open it: 127.0.0.1, this machine; 0.0.0.0, all")
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    add("--port", default=port, type=number(int, least=1, most=65535), help="of its address")
    options = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides what TensorFlow says about the machine
    print("Loading Keras and the presets", flush=True)
    from keras_t2i.demo import launch

    try:
        launch(options.preset, options.renderer, server_name=options.host, server_port=options.port)
    except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
        parser.exit(2, f"{parser.prog}: error: {sentence(error)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
