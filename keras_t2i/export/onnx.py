"""A network as an ONNX file, for batches of any size."""

import warnings

import keras

from keras_t2i.export.packing import pack_weights

LENGTH = 32


def export_network(network, file, length=LENGTH):
    """Write a network that takes a dict of inputs, or one. Inputs, and several outputs, have its names.

    Weights take half the room where that changes none (`pack_weights`).

    Args:
        network: Keras model in float32.
        file: path.
        length: int, in place of each side of an input that may have any length, but for the batch.

    Raises: NotImplementedError on JAX; ImportError where the extra `onnx` is not installed.
    """
    backend = keras.config.backend()
    if backend not in EXPORTERS:
        raise NotImplementedError(f"{backend} exports no ONNX here: set KERAS_BACKEND to torch or tensorflow")
    inputs = network.input if isinstance(network.input, dict) else {network.input.name: network.input}
    shapes = {name: tuple(side or length for side in one.shape[1:]) for name, one in inputs.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporters: what they will do otherwise one day
        EXPORTERS[backend](network, str(file), shapes, {name: one.dtype for name, one in inputs.items()})
    pack_weights(file)


def export_tensorflow(network, file, shapes, dtypes):
    """By tf2onnx, as Keras does it."""
    specs = {
        name: keras.InputSpec(shape=(None, *shape), dtype=dtypes[name], name=name)
        for name, shape in shapes.items()
    }
    signature = specs if isinstance(network.input, dict) else next(iter(specs.values()))
    keras.Model.export(network, file, "onnx", False, [signature])


def export_torch(network, file, shapes, dtypes):
    """By torch's exporter of traced programs: Keras takes the older one for batches of any size, which fails
    on what is kept in a dict."""
    import torch

    outputs = list(network.output) if isinstance(network.output, dict) else ["output"]

    class Positional(torch.nn.Module):
        """Takes the inputs one by one; gives the outputs as a tuple."""

        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, *values):
            named = dict(zip(shapes, values, strict=True))
            said = self.network(named if isinstance(network.input, dict) else values[0])
            return tuple(said[name] for name in outputs) if isinstance(said, dict) else said

    # A batch of two: of one, the exporter would take it for the only size.
    examples = tuple(torch.zeros(2, *shapes[name], dtype=getattr(torch, dtypes[name])) for name in shapes)
    batch = torch.export.Dim("batch", min=1)
    torch.onnx.export(
        Positional().eval(),
        examples,
        file,
        input_names=list(shapes),
        output_names=outputs,
        dynamic_shapes={"values": tuple({0: batch} for _ in shapes)},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


EXPORTERS = {"tensorflow": export_tensorflow, "torch": export_torch}
