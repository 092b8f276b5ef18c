"""A network as an ONNX file, by backend.

Arguments of each: a Keras model in float32; the file, `str`; dicts of its inputs' shapes, without the batch,
and of their dtypes. Weights take half the room where that changes none (`pack_weights`).
"""

import keras

from keras_t2i.export.packing import pack_weights


def signature_of(network, shapes, dtypes):
    """What Keras' exporters ask for."""
    specs = {
        name: keras.InputSpec(shape=(None, *shape), dtype=dtypes[name], name=name)
        for name, shape in shapes.items()
    }
    return [specs if isinstance(network.input, dict) else next(iter(specs.values()))]


def export_tensorflow_onnx(network, file, shapes, dtypes):
    """By tf2onnx, as Keras does it."""
    keras.Model.export(network, file, "onnx", False, signature_of(network, shapes, dtypes))
    pack_weights(file)


def traced(shapes, dtypes):
    """Example inputs for torch's exporters, a dict, and what its batch is called."""
    import torch

    # A batch of two: of one, the exporter would take it for the only size.
    examples = {name: torch.zeros(2, *shapes[name], dtype=getattr(torch, dtypes[name])) for name in shapes}
    return examples, torch.export.Dim("batch", min=1)


def export_torch_onnx(network, file, shapes, dtypes):
    """By torch's exporter of traced programs: Keras takes the older one for batches of any size, which fails
    on what is kept in a dict."""
    import torch

    outputs = list(network.output) if isinstance(network.output, dict) else ["output"]
    examples, batch = traced(shapes, dtypes)

    class Positional(torch.nn.Module):
        """Takes the inputs one by one; gives the outputs as a tuple."""

        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, *values):
            named = dict(zip(shapes, values, strict=True))
            said = self.network(named if isinstance(network.input, dict) else values[0])
            return tuple(said[name] for name in outputs) if isinstance(said, dict) else said

    torch.onnx.export(
        Positional().eval(),
        tuple(examples.values()),
        file,
        input_names=list(shapes),
        output_names=outputs,
        dynamic_shapes={"values": tuple({0: batch} for _ in shapes)},
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    pack_weights(file)
