import keras
from keras import layers

from keras_t2i.layers.native import convolution
from keras_t2i.layers.native import transposed_convolution
from keras_t2i.layers.normalization import GroupNormalization


@keras.saving.register_keras_serializable(package="keras_t2i")
class Conv2D(layers.Conv2D):
    """`keras.layers.Conv2D`, with the same weights, as each backend is fastest (`layers/native.py`).

    Call: float tensor `(n, h, w, c)` to `(n, h', w', filters)`.

    Raises: ValueError for groups, dilations, "causal" padding and channels first.
    """

    def __init__(
        self, filters, kernel_size, strides=1, padding="valid", data_format="channels_last", **kwargs
    ):
        super().__init__(filters, kernel_size, strides, padding, data_format=data_format, **kwargs)
        odd = (self.data_format, self.groups, tuple(self.dilation_rate))
        if odd != ("channels_last", 1, (1, 1)):
            raise ValueError(f"Conv2D has channels last, one group, no dilation; not {odd}")

    def call(self, x):
        bias = self.bias if self.use_bias else None
        x = convolution(x, self.kernel, bias, self.strides, self.padding)
        return x if self.activation is None else self.activation(x)


@keras.saving.register_keras_serializable(package="keras_t2i")
class TransposedConvolution(layers.Conv2DTranspose):
    """Transposed convolution with kernel 4 and stride 2: twice the width and height.

    The weights are those of `keras.layers.Conv2DTranspose(filters, 4, 2, "same")`; where a backend
    computes that slowly, the same numbers are had in another way (`layers/native.py`).

    Call: float tensor `(n, h, w, c)` to `(n, 2h, 2w, filters)`.
    """

    def __init__(
        self, filters, kernel_size=4, strides=2, padding="same", data_format="channels_last", **kwargs
    ):
        super().__init__(filters, kernel_size, strides, padding, data_format=data_format, **kwargs)
        shape = (self.kernel_size, self.strides, self.padding, self.data_format)
        if shape != ((4, 4), (2, 2), "same", "channels_last"):
            raise ValueError(
                f"TransposedConvolution has kernel 4, stride 2, padding 'same', channels last; not {shape}"
            )

    def call(self, x):
        x = transposed_convolution(x, self.kernel)
        if self.use_bias:
            x = x + self.bias
        return self.activation(x)


def downsampled_size(image_size, filters):
    """The side of the grid that is left after one halving for each of `filters`, which must come out even."""
    side, rest = divmod(image_size, 2 ** len(filters))
    if rest or side < 1:
        raise ValueError(
            f"image_size {image_size} cannot be halved {len(filters)} times, once for each of {filters}"
        )
    return side


def normalised_convolution(x, filters, kernel_size=3, dtype=None, name=None, **kwargs):
    """Group normalisation, SiLU, convolution: the order of pre-activation networks (arXiv 1603.05027)."""
    x = GroupNormalization(dtype=dtype, name=f"{name}_norm")(x)
    x = layers.Activation("silu", dtype=dtype, name=f"{name}_silu")(x)
    return Conv2D(filters, kernel_size, padding="same", dtype=dtype, name=f"{name}_conv", **kwargs)(x)


def residual_block(x, filters, dtype=None, name=None):
    """Two normalised 3x3 convolutions around a shortcut; the second starts at zero, so that a deep
    network starts as a shallow one. `(n, h, w, c)` to `(n, h, w, filters)`."""
    shortcut = x
    if x.shape[-1] != filters:
        shortcut = Conv2D(filters, 1, dtype=dtype, name=f"{name}_shortcut")(x)
    x = normalised_convolution(x, filters, dtype=dtype, name=f"{name}_1")
    x = normalised_convolution(x, filters, dtype=dtype, name=f"{name}_2", kernel_initializer="zeros")
    return layers.Add(dtype=dtype, name=name)([shortcut, x])


def halving_levels(x, filters, blocks, dtype=None):
    """For each level a convolution that halves the grid, then residual blocks: the way from a picture down.

    Args:
        x: `(n, h, w, c)`.
        filters, blocks: channels and number of blocks of each level, finest first.
        dtype: of the layers.
    """
    for level, (width, depth) in enumerate(zip(filters, blocks, strict=True)):
        x = Conv2D(width, 4, 2, "same", dtype=dtype, name=f"down{level}")(x)
        for i in range(depth):
            x = residual_block(x, width, dtype=dtype, name=f"down{level}_block{i}")
    return x


def doubling_levels(x, filters, blocks, dtype=None):
    """`halving_levels` in reverse: residual blocks, then a transposed convolution, but at the finest.

    Args: as of `halving_levels`, again finest first.
    """
    for level in reversed(range(len(filters))):
        for i in range(blocks[level]):
            x = residual_block(x, filters[level], dtype=dtype, name=f"up{level}_block{i}")
        if level:
            x = TransposedConvolution(filters[level - 1], dtype=dtype, name=f"up{level}")(x)
    return x


def learned_pooling(x, poolings, dtype=None):
    """Weighted sums over all places, some of each channel: `(n, s, s, c)` to `(n, 1, 1, c * poolings)`."""
    x = GroupNormalization(dtype=dtype, name="pool_norm")(x)
    x = layers.Activation("silu", dtype=dtype, name="pool_silu")(x)
    options = {"depth_multiplier": poolings, "data_format": "channels_last", "dtype": dtype}
    return layers.DepthwiseConv2D(x.shape[1], **options, name="pool")(x)
