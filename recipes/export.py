"""Write a generator as a folder that is drawn from without Keras.

    python recipes/export.py diffusion_emoji_32 exported --renderer renderer_emoji
    python -m keras_t2i_runtime exported "a red apple" apple.png --size 512

The second command needs NumPy, onnxruntime and Pillow alone; to write needs the extra "onnx", on torch or
TensorFlow. See docs/export.md.
"""

import sys

from command_line import Parser
from command_line import filled
from command_line import folder
from command_line import number
from command_line import program
from command_line import sentence


def main(argv=None):
    """Write the folder that the command line asks for; returns its path."""
    parser = Parser(program("export.py"), description=__doc__)
    add = parser.add_argument
    add("preset", metavar="PRESET", type=filled, help="name of a preset, a folder, or hf://...")
    add("folder", metavar="FOLDER", type=folder, help="is made; an earlier export is replaced")
    add("--renderer", type=filled, help="preset of lesson 8, to draw at any size; None: small pictures alone")
    steps = "of diffusion, that may be asked for"
    add("--most-steps", default=32, type=number(int, least=1, most=256), help=steps)
    formats = "of the networks: onnx, openvino, saved_model, litert or torch; what each needs: docs/export.md"
    add("--format", type=filled, default="onnx", help=formats)
    options = parser.parse_args(argv)
    from keras_t2i.export import export_generator
    from keras_t2i.models import Generator
    from keras_t2i.models import RendererStage

    try:
        generator = Generator.from_preset(options.preset)
        renderer = options.renderer and RendererStage.from_preset(options.renderer)
        written = export_generator(generator, options.folder, renderer, options.most_steps, options.format)
    except (ValueError, TypeError, OSError, ImportError, NotImplementedError, MemoryError) as error:
        parser.exit(2, f"{parser.prog}: error: {sentence(error)}\n")
    for file in sorted(file for file in written.rglob("*") if file.is_file()):
        print(f"{file.stat().st_size / 1e6:6.1f} MB  {file}")
    return written


if __name__ == "__main__":
    main(sys.argv[1:])
