"""Layers that stay float32 whatever the dtype of their network."""

import keras


def float32(dtype):
    """The dtype of a dense layer that stays float32 in a network of any dtype.

    A quantized network that is opened again comes with a policy for each quantized layer, by its path: such a
    layer keeps that, or its int8 weights would find no place.

    Args:
        dtype: of the network, as Keras takes it, or `None`.

    Returns:
        "float32", or the map of policies with that as its default.
    """
    if not isinstance(dtype, keras.dtype_policies.DTypePolicyMap):
        return "float32"
    return keras.dtype_policies.DTypePolicyMap("float32", {path: dtype[path] for path in dtype})
