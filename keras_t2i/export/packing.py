"""ONNX files of half the size, where no number is changed by that."""

import numpy as np

from keras_t2i.utils.files import write_bytes

LEAST = 256  # numbers of a tensor that is worth a node


def pack_weights(file):
    """Keep at half precision what float16 holds exactly: the weights of presets that were saved so.

    They are cast to float32 as the file is opened, so what is computed is the same.

    Args:
        file: path of an ONNX file, which is replaced.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(file))
    casts = []
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size < LEAST:
            continue
        with np.errstate(over="ignore"):
            half = values.astype("float16")
        if not np.array_equal(half.astype("float32"), values):
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    write_bytes(file, model.SerializeToString())
