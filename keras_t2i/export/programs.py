"""A network in the formats other than ONNX: arguments as of `export.onnx`."""

import tempfile
from pathlib import Path

import keras

from keras_t2i.export.onnx import export_torch_onnx
from keras_t2i.export.onnx import signature_of
from keras_t2i.export.onnx import traced


def export_openvino(network, file, shapes, dtypes):
    """What OpenVINO makes of the ONNX file that torch writes; of that of tf2onnx it takes no U-Net."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        onnx = str(Path(folder) / "network.onnx")
        export_torch_onnx(network, onnx, shapes, dtypes)
        openvino.save_model(openvino.convert_model(onnx), file, compress_to_fp16=False)


def export_saved_model(network, file, shapes, dtypes):
    """As Keras does it; on JAX by jax2tf."""
    keras.Model.export(network, file, "tf_saved_model", False, signature_of(network, shapes, dtypes))


def export_litert(network, file, shapes, dtypes):
    """As Keras does it."""
    keras.Model.export(network, file, "litert", False, signature_of(network, shapes, dtypes))


def export_torch_program(network, file, shapes, dtypes):
    """By torch.export: takes a dict and gives one."""
    import torch

    inputs, batch = traced(shapes, dtypes)

    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, inputs):
            said = self.network(inputs if isinstance(network.input, dict) else next(iter(inputs.values())))
            return dict(said) if isinstance(said, dict) else {"output": said}

    sizes = {"inputs": {name: {0: batch} for name in shapes}}
    with torch.no_grad():
        torch.export.save(torch.export.export(Named().eval(), (inputs,), dynamic_shapes=sizes), file)
