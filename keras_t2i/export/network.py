"""A network as a file of a format, for batches of any size."""

import warnings

import keras

from keras_t2i.export.onnx import export_tensorflow_onnx
from keras_t2i.export.onnx import export_torch_onnx
from keras_t2i.export.programs import export_litert
from keras_t2i.export.programs import export_openvino
from keras_t2i.export.programs import export_saved_model
from keras_t2i.export.programs import export_torch_program

LENGTH = 32
EXTRAS = ("onnx", "openvino")  # called as the formats are

# Of each format what writes it, by backend. What draws it: `keras_t2i_runtime.networks`.
FORMATS = {
    "onnx": {"torch": export_torch_onnx, "tensorflow": export_tensorflow_onnx},
    "openvino": {"torch": export_openvino},
    "saved_model": {"tensorflow": export_saved_model, "jax": export_saved_model},
    "litert": {"tensorflow": export_litert},
    "torch": {"torch": export_torch_program},
}


def check_format(format):
    """Raises: ValueError where there is no such format; NotImplementedError where this backend has it not."""
    if format not in FORMATS:
        raise ValueError(f"there is no format {format!r}; there are {', '.join(FORMATS)}")
    backend = keras.config.backend()
    if backend not in FORMATS[format]:
        others = " or ".join(FORMATS[format])
        own = " or ".join(name for name, writers in FORMATS.items() if backend in writers)
        raise NotImplementedError(
            f"{backend} does not write {format}: set KERAS_BACKEND to {others}, or choose --format {own}"
        )


def export_network(network, file, length=LENGTH, format="onnx"):
    """Write a network that takes a dict of inputs, or one. Inputs, and several outputs, have its names.

    Args:
        network: Keras model in float32.
        file: path; of a folder, for "saved_model".
        length: int, in place of each side of an input that may have any length, but for the batch.
        format: a name out of `FORMATS`.

    Raises: as of `check_format`; ImportError where what writes it is not installed.
    """
    check_format(format)
    inputs = network.input if isinstance(network.input, dict) else {network.input.name: network.input}
    shapes = {name: tuple(side or length for side in one.shape[1:]) for name, one in inputs.items()}
    dtypes = {name: one.dtype for name, one in inputs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters: what they will do otherwise one day
        try:
            FORMATS[format][keras.config.backend()](network, str(file), shapes, dtypes)
        except ModuleNotFoundError as error:
            extra = f': pip install "keras-t2i[{format}]"' if format in EXTRAS else ""
            raise ImportError(f"--format {format} needs the package {error.name}{extra}") from None
