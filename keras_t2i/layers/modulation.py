"""How a condition (noise level, words) steers convolutions: it scales and shifts each channel."""

import keras
from keras import layers
from keras import ops

from keras_t2i.layers.convolution import Conv2D
from keras_t2i.layers.native import group_normalization
from keras_t2i.layers.normalization import GroupNormalization


@keras.saving.register_keras_serializable(package="keras_t2i")
class ModulatedGroupNormalization(layers.Layer):
    """Group normalisation whose scale and shift come from a condition (FiLM, arXiv 1709.07871; AdaGN, arXiv
    2105.05233): `normalised * (1 + scale) + shift`.

    Normalisation and modulation together are one multiply-add per channel: the picture itself is touched
    once. The dense layer from the condition starts at zero, so at first this is plain normalisation.

    Args:
        groups: int, divides the number of channels.
        epsilon: float, added to the variance.

    Call: float `(n, ..., c)`, float `(n, d)` condition, to `(n, ..., c)`. Statistics are float32 at any
    dtype.
    """

    def __init__(self, groups=8, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.groups, self.epsilon = groups, epsilon

    def build(self, x_shape, condition_shape):
        channels = x_shape[-1]
        if channels % self.groups:
            raise ValueError(f"{channels} channels cannot be split into {self.groups} groups")
        self.modulation = layers.Dense(
            2 * channels, kernel_initializer="zeros", dtype=self.dtype_policy, name="modulation"
        )
        self.modulation.build(condition_shape)

    def call(self, x, condition):
        scale, shift = ops.split(ops.cast(self.modulation(condition), "float32"), 2, axis=-1)
        return group_normalization(x, 1.0 + scale, shift, self.groups, self.epsilon)

    def compute_output_spec(self, x, condition):
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="keras_t2i")
class ModulatedPixelNormalization(layers.Layer):
    """Each place's channels brought to a mean square of 1 (RMS normalization, arXiv 1910.07467; of pixels:
    Karras et al. 2018, arXiv 1710.10196), scaled and shifted by a condition: `normalized * (1 + scale) +
    shift`.

    A place depends on itself alone: a network with this normalization draws a window of a picture as it draws
    the whole, but for what its convolutions reach.

    Args:
        epsilon: float, added to the mean square.

    Call: float `(n, h, w, c)`, float `(n, d)` condition, to `(n, h, w, c)`.
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, x_shape, condition_shape):
        self.modulation = layers.Dense(
            2 * x_shape[-1], kernel_initializer="zeros", dtype=self.dtype_policy, name="modulation"
        )
        self.modulation.build(condition_shape)

    def call(self, x, condition):
        scale, shift = ops.split(self.modulation(condition)[:, None, None], 2, axis=-1)
        size = ops.mean(ops.square(ops.cast(x, "float32")), axis=-1, keepdims=True)
        return x * ops.cast(ops.rsqrt(size + self.epsilon), x.dtype) * (1.0 + scale) + shift

    def compute_output_spec(self, x, condition):
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


def modulated_block(x, condition, filters, dropout=0.0, dtype=None, name=None):
    """The residual block of diffusion networks (arXiv 2105.05233), steered by a condition: two times
    normalisation, SiLU and a 3x3 convolution around a shortcut. The second convolution starts at zero.

    Args:
        x: float `(n, h, w, c)`.
        condition: float `(n, d)`.
        filters: int, channels of what comes out, a multiple of 8.
        dropout: float in [0, 1), before the second convolution.

    Returns:
        Float `(n, h, w, filters)`.
    """
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = layers.Dense(filters, dtype=dtype, name=f"{name}_shortcut")(x)
    x = ModulatedGroupNormalization(dtype=dtype, name=f"{name}_modulation")(x, condition)
    x = layers.Activation("silu", dtype=dtype, name=f"{name}_1_silu")(x)
    x = Conv2D(filters, 3, padding="same", dtype=dtype, name=f"{name}_1_conv")(x)
    x = GroupNormalization(dtype=dtype, name=f"{name}_2_norm")(x)
    x = layers.Activation("silu", dtype=dtype, name=f"{name}_2_silu")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=0, dtype=dtype, name=f"{name}_2_dropout")(x)
    last = {"kernel_initializer": "zeros", "dtype": dtype, "name": f"{name}_2_conv"}
    x = Conv2D(filters, 3, padding="same", **last)(x)
    return layers.Add(dtype=dtype, name=name)([shortcut, x])


def modulated_dense_block(x, condition, hidden_dim, dropout=0.0, dtype=None, name=None):
    """The residual block of perceptrons, steered by a condition: layer normalisation that the condition
    scales and shifts (adaLN: DiT, arXiv 2212.09748), and two dense layers with SiLU between them around a
    shortcut. The second dense layer starts at zero.

    Args:
        x: float `(n, c)`.
        condition: float `(n, d)`.
        hidden_dim: int, width between the dense layers.
        dropout: float in [0, 1), before the second dense layer.

    Returns:
        Float `(n, c)`.
    """
    shortcut = x
    x = ModulatedGroupNormalization(1, dtype=dtype, name=f"{name}_modulation")(x, condition)
    x = layers.Dense(hidden_dim, activation="silu", dtype=dtype, name=f"{name}_1")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=0, dtype=dtype, name=f"{name}_dropout")(x)
    last = {"kernel_initializer": "zeros", "dtype": dtype, "name": f"{name}_2"}
    x = layers.Dense(shortcut.shape[-1], **last)(x)
    return layers.Add(dtype=dtype, name=name)([shortcut, x])


def modulated_pixel_block(x, condition, dtype=None, name=None):
    """A residual block for pictures that are drawn window by window: normalization of each place that a
    condition steers, SiLU and a 3x3 convolution, SiLU and another, which starts at zero, around a shortcut.

    Args:
        x: float `(n, h, w, c)`, of any height and width.
        condition: float `(n, d)`.

    Returns:
        Float `(n, h, w, c)`.
    """
    filters, shortcut = x.shape[-1], x
    x = ModulatedPixelNormalization(dtype=dtype, name=f"{name}_modulation")(x, condition)
    x = layers.Activation("silu", dtype=dtype, name=f"{name}_1_silu")(x)
    x = Conv2D(filters, 3, padding="same", dtype=dtype, name=f"{name}_1_conv")(x)
    x = layers.Activation("silu", dtype=dtype, name=f"{name}_2_silu")(x)
    last = {"kernel_initializer": "zeros", "dtype": dtype, "name": f"{name}_2_conv"}
    x = Conv2D(filters, 3, padding="same", **last)(x)
    return layers.Add(dtype=dtype, name=name)([shortcut, x])


def pixel_detail(seen, condition, filters, channels, dtype=None):
    """What two convolutions at full size add to a prediction that was made in blocks of pixels: they see its
    neighbors as they are, whichever block holds them. It starts at zero.

    Args:
        seen: list of float `(n, h, w, c)`: the prediction, and what it was made of.
        condition: float `(n, d)`, which scales and shifts the channels between the convolutions.
        filters: int, channels there.
        channels: int, of what comes out.

    Returns:
        Float32 `(n, h, w, channels)`.
    """
    x = layers.Concatenate(dtype=dtype, name="detail_seen")(seen)
    x = Conv2D(filters, 3, padding="same", dtype=dtype, name="detail_1")(x)
    for name, layer, start in (("scale", layers.Multiply, "ones"), ("shift", layers.Add, "zeros")):
        first = {"kernel_initializer": "zeros", "bias_initializer": start, "dtype": dtype}
        by = layers.Dense(filters, **first, name=f"detail_{name}")(condition)
        by = layers.Reshape((1, 1, filters), dtype=dtype, name=f"detail_{name}_grid")(by)
        x = layer(dtype=dtype, name=f"detail_by_{name}")([x, by])
    x = layers.Activation("silu", dtype=dtype, name="detail_1_silu")(x)
    x = Conv2D(filters, 3, padding="same", dtype=dtype, name="detail_2")(x)
    x = layers.Activation("silu", dtype=dtype, name="detail_2_silu")(x)
    # A part of what the network says, which stays float32.
    last = {"kernel_initializer": "zeros", "dtype": "float32", "name": "detail"}
    return Conv2D(channels, 3, padding="same", **last)(x)
