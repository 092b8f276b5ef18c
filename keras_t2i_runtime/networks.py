"""The networks of an exported folder, each computed by the library that its format is of."""

from pathlib import Path

import numpy as np


class Network:
    """Call: dict of arrays, of which it takes those that it knows, to a dict of arrays.

    dtypes: dict, of each input that it knows.
    """

    def __call__(self, inputs):
        return self.run({name: np.asarray(inputs[name], dtype) for name, dtype in self.dtypes.items()})

    def only(self, inputs):
        """The one output of a network that has one."""
        (output,) = self(inputs).values()
        return output


class Onnx(Network):
    """By onnxruntime. seldom: bool, weights that are kept at half precision are brought to float32 for each
    call, not for good: less memory, more time."""

    DTYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(bool)": "bool"}

    def __init__(self, file, seldom=False):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if seldom:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            options.enable_cpu_mem_arena = False
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.dtypes = {one.name: self.DTYPES[one.type] for one in self.session.get_inputs()}
        self.outputs = [one.name for one in self.session.get_outputs()]

    def run(self, inputs):
        return dict(zip(self.outputs, self.session.run(None, inputs), strict=True))


class OpenVino(Network):
    """By openvino, on the processor, in float32."""

    def __init__(self, file, seldom=False):
        import openvino

        options = {"INFERENCE_PRECISION_HINT": "f32"}  # by itself it may compute in less
        core = openvino.Core()
        model = core.read_model(str(file))  # compiled, an input may be called as a cast that was left out
        self.dtypes = {one.any_name: one.element_type.to_dtype() for one in model.inputs}
        self.outputs = [one.any_name for one in model.outputs]
        self.model = core.compile_model(model, "CPU", options)

    def run(self, inputs):
        said = self.model(list(inputs.values()), share_outputs=False)
        return {name: said[i] for i, name in enumerate(self.outputs)}


class SavedModel(Network):
    """By TensorFlow."""

    def __init__(self, file, seldom=False):
        import tensorflow

        self.constant, self.model = tensorflow.constant, tensorflow.saved_model.load(str(file))
        self.signature = self.model.signatures["serving_default"]
        _, inputs = self.signature.structured_input_signature
        self.dtypes = {name: spec.dtype.as_numpy_dtype for name, spec in inputs.items()}

    def run(self, inputs):
        said = self.signature(**{name: self.constant(values) for name, values in inputs.items()})
        return {name: values.numpy() for name, values in said.items()}


class LiteRt(Network):
    """By ai-edge-litert, or by TensorFlow, which has the same."""

    def __init__(self, file, seldom=False):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError:
            import tensorflow

            Interpreter = tensorflow.lite.Interpreter
        self.runner = Interpreter(str(file)).get_signature_runner()
        self.dtypes = {name: told["dtype"] for name, told in self.runner.get_input_details().items()}

    def run(self, inputs):
        return {name: values.copy() for name, values in self.runner(**inputs).items()}


class TorchProgram(Network):
    """By torch."""

    def __init__(self, file, seldom=False):
        import torch

        self.torch, program = torch, torch.export.load(file)
        (examples,), _ = program.example_inputs
        self.dtypes = {name: str(one.dtype).removeprefix("torch.") for name, one in examples.items()}
        self.program = program.module()

    def run(self, inputs):
        with self.torch.no_grad():
            said = self.program({name: self.torch.from_numpy(values) for name, values in inputs.items()})
        return {name: values.numpy() for name, values in said.items()}


# Of each format, what draws it, and what its files are called after their networks.
FORMATS = {
    "onnx": (Onnx, ".onnx"),
    "openvino": (OpenVino, ".xml"),
    "saved_model": (SavedModel, ".saved_model"),
    "litert": (LiteRt, ".tflite"),
    "torch": (TorchProgram, ".pt2"),
}


def file_of(folder, name, format="onnx"):
    """`pathlib.Path` of a network in an exported folder."""
    return Path(folder) / f"{name}{FORMATS[format][1]}"


def open_network(folder, name, format="onnx", seldom=False):
    """A `Network` of an exported folder.

    Raises: ValueError where it is missing; ImportError where what draws it is not installed.
    """
    file = file_of(folder, name, format)
    if not file.exists():
        raise ValueError(f"{file.name} is missing in {file.parent}: export it anew")
    try:
        return FORMATS[format][0](file, seldom)
    except ModuleNotFoundError as error:
        raise ImportError(f"to draw from {file.name} needs the package {error.name}: install it") from None
