"""Networks as files of other libraries: see docs/keras_verbs.md."""

import keras
import pytest
from verbs import difference
from verbs import example
from verbs import made
from verbs import said

BACKEND = keras.config.backend()


def specs(network):
    def spec(x):
        return keras.InputSpec(shape=x.shape, dtype=str(x.dtype))

    return [keras.tree.map_structure(spec, example(network))]


@pytest.mark.skipif(BACKEND == "torch", reason="torch has no saved_model")
@pytest.mark.parametrize("name", ["CNNTextEncoder", "ConceptDecoder"])
def test_saved_model(name, tmp_path):
    tf = pytest.importorskip("tensorflow")
    network = made(name)
    network.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    found = keras.tree.flatten(served.serve(keras.tree.map_structure(tf.constant, example(network))))
    assert difference([one.numpy() for one in found], said(network)) < 1e-5


@pytest.mark.skipif(BACKEND != "torch", reason="of torch alone")
@pytest.mark.parametrize("name", ["CNNTextEncoder", "DiffusionUNet", "Upsampler"])
def test_torch_program(name, tmp_path):
    import torch

    network = made(name)
    network.export(tmp_path / "x.pt2", format="torch", verbose=False, input_signature=specs(network))
    program = torch.export.load(tmp_path / "x.pt2").module()
    found = keras.tree.flatten(program(keras.tree.map_structure(torch.from_numpy, example(network))))
    assert difference([one.detach().numpy() for one in found], said(network)) < 1e-5


def interpreter(file):
    """LiteRT's, of its own package or of TensorFlow."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        Interpreter = pytest.importorskip("tensorflow").lite.Interpreter
    return Interpreter(str(file))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")
@pytest.mark.parametrize("name", ["CNNTextEncoder", "ConceptDecoder"])
def test_litert(name, tmp_path):
    network = made(name)
    network.export(tmp_path / "x.tflite", format="litert", verbose=False)
    lite, given = interpreter(tmp_path / "x.tflite"), example(network)
    (asked,) = lite.get_input_details()
    (told,) = lite.get_output_details()
    lite.resize_tensor_input(asked["index"], given.shape)
    lite.allocate_tensors()
    lite.set_tensor(asked["index"], given)
    lite.invoke()
    assert difference([lite.get_tensor(told["index"])], said(network)) < 1e-5


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")
@pytest.mark.parametrize("name", ["CNNTextEncoder", "ConceptDecoder"])
def test_openvino(name, tmp_path):
    openvino, network = pytest.importorskip("openvino"), made(name)
    network.export(str(tmp_path / "x.xml"), format="openvino", verbose=False)
    model = openvino.Core().compile_model(str(tmp_path / "x.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert difference([model(example(network))[0]], said(network)) < 1e-5


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow exports any size")
def test_sizes_must_be_given(tmp_path):
    with pytest.raises(ValueError, match=r"DiffusionUNet may take inputs of any size.*give input_signature"):
        made("DiffusionUNet").export(tmp_path / "x", verbose=False)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow writes them")
def test_what_cannot_be_read_is_not_written(tmp_path):
    with pytest.raises(
        NotImplementedError, match=f"OpenVINO does not read what {BACKEND} exports: set KERAS"
    ):
        made("CNNTextEncoder").export(tmp_path / "x.xml", format="openvino", verbose=False)
    if BACKEND == "torch":
        with pytest.raises(ValueError, match="give input_signature"):
            made("CNNTextEncoder").export(tmp_path / "x.onnx", format="onnx", verbose=False)
    else:
        with pytest.raises(ValueError, match="requires TensorFlow or PyTorch"):  # Keras' own sentence
            made("CNNTextEncoder").export(tmp_path / "x.tflite", format="litert", verbose=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(BACKEND != "torch", reason="of torch alone")
def test_onnx_of_one_size(tmp_path):
    onnxruntime, network = pytest.importorskip("onnxruntime"), made("CNNTextEncoder")
    given = example(network)
    said(network)
    network.export(tmp_path / "x.onnx", format="onnx", verbose=False, input_signature=specs(network))
    session = onnxruntime.InferenceSession(str(tmp_path / "x.onnx"))
    found = session.run(None, {session.get_inputs()[0].name: given})
    assert difference(found, said(network)) < 1e-5
