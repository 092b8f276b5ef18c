"""Pictures to codes of 512 numbers and back, by convolutions alone."""

import keras
from keras import layers

from keras_t2i.layers import Conv2D
from keras_t2i.layers import Standardization
from keras_t2i.layers import TransposedConvolution
from keras_t2i.layers import doubling_levels
from keras_t2i.layers import downsampled_size
from keras_t2i.layers import halving_levels
from keras_t2i.layers import normalised_convolution
from keras_t2i.models.backbone import Backbone


def code_grid(image_size, filters, code_dim):
    """Side and channels of the grid that a code is, seen as a small picture: 8 and 8 for 512 numbers."""
    side = downsampled_size(image_size, filters)
    channels, rest = divmod(code_dim, side * side)
    if rest or channels < 1:
        raise ValueError(
            f"code_dim {code_dim} does not fill a {side}x{side} grid: take a multiple of {side * side}"
        )
    return side, channels


@keras.saving.register_keras_serializable(package="keras_t2i")
class ImageEncoder(Backbone):
    """Picture to code: strided convolutions and residual blocks.

    The code is a vector, and at the same time an 8x8x8 grid (row, column, channel) flattened: each of
    its numbers looks at one region of the picture.

    Args:
        image_size: int, width and height of the picture; a multiple of `2 ** len(filters)`.
        filters: channels after each halving, finest first; multiples of 8.
        blocks: residual blocks after each halving.
        code_dim: int, how many numbers the code has.

    Call: float tensor `(n, image_size, image_size, 3)` in [-1, 1] to float32 `(n, code_dim)`.
    """

    def __init__(self, image_size=32, filters=(48, 96), blocks=(2, 2), code_dim=512, dtype=None, **kwargs):
        # === Layers and functional model ===
        _, channels = code_grid(image_size, filters, code_dim)
        images = keras.Input((image_size, image_size, 3), dtype="float32", name="images")
        x = halving_levels(images, filters, blocks, dtype)
        x = normalised_convolution(x, channels, dtype=dtype, name="code")
        x = layers.Flatten(data_format="channels_last", dtype=dtype, name="flatten")(x)
        codes = Standardization(dtype="float32", name="standardization")(x)
        super().__init__(inputs=images, outputs=codes, dtype=dtype, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.code_dim = code_dim

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "filters": self.filters,
            "blocks": self.blocks,
            "code_dim": self.code_dim,
        }


@keras.saving.register_keras_serializable(package="keras_t2i")
class ImageDecoder(Backbone):
    """Code to picture: residual blocks and transposed convolutions, the encoder in reverse.

    Args: as of `ImageEncoder`; `filters` and `blocks` again finest first.

    Call: float tensor `(n, code_dim)` to float32 `(n, image_size, image_size, 3)`, about [-1, 1]
    (not clipped, so that gradients pass everywhere).
    """

    def __init__(self, image_size=32, filters=(48, 96), blocks=(2, 2), code_dim=512, dtype=None, **kwargs):
        # === Layers and functional model ===
        side, channels = code_grid(image_size, filters, code_dim)
        codes = keras.Input((code_dim,), dtype="float32", name="codes")
        x = Standardization(invert=True, dtype="float32", name="standardization")(codes)
        x = layers.Reshape((side, side, channels), dtype=dtype, name="grid")(x)
        x = Conv2D(filters[-1], 3, padding="same", dtype=dtype, name="widen")(x)
        x = doubling_levels(x, filters, blocks, dtype)
        images = picture_head(x, dtype)
        super().__init__(inputs=codes, outputs=images, dtype=dtype, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.code_dim = code_dim

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "filters": self.filters,
            "blocks": self.blocks,
            "code_dim": self.code_dim,
        }


def picture_head(x, dtype=None):
    """Features at half size to a float32 picture: the last transposed convolution."""
    x = layers.Activation("silu", dtype=dtype, name="head_silu")(x)
    x = TransposedConvolution(3, dtype=dtype, name="head")(x)
    # Float32: what is made of pictures, losses and samplers, computes in that.
    return layers.Activation("linear", dtype="float32", name="images")(x)


@keras.saving.register_keras_serializable(package="keras_t2i")
class ConvAutoencoder(Backbone):
    """A picture through a code of 512 numbers and back.

    Args:
        encoder: `ImageEncoder`.
        decoder: `ImageDecoder` of the same picture and code size.

    Call: float tensor `(n, s, s, 3)` in [-1, 1] to float32 of the same shape.
    Raises: ValueError where the sizes of the two differ.
    """

    nested = ("encoder", "decoder")

    def __init__(self, encoder, decoder, dtype=None, **kwargs):
        for size in ("code_dim", "image_size"):
            if getattr(encoder, size) != getattr(decoder, size):
                sizes = f"{getattr(encoder, size)} in the encoder, {getattr(decoder, size)} in the decoder"
                raise ValueError(f"{size} differs: {sizes}")
        # === Functional model ===
        images = keras.Input(encoder.input_shape[1:], dtype="float32", name="images")
        super().__init__(inputs=images, outputs=decoder(encoder(images)), dtype=dtype, **kwargs)

        # === Config ===
        self.encoder = encoder
        self.decoder = decoder

    def standardize(self, codes):
        """Make codes have zero mean (each number) and unit variance (all together); pictures stay the same.

        Args:
            codes: float array `(n, code_dim)`, `encoder.predict` of the training pictures.

        Raises: ValueError where all codes are the same.
        """
        into, out_of = (m.get_layer("standardization") for m in (self.encoder, self.decoder))
        old_mean, old_scale = (keras.ops.convert_to_numpy(v) for v in (into.mean, into.scale))
        mean = codes.mean(axis=0)
        scale = (codes - mean).std()
        if not scale > 0:
            raise ValueError(
                "all codes are the same (a posterior that has collapsed: train with a smaller beta)"
            )
        for layer in (into, out_of):
            layer.mean.assign(old_mean + old_scale * mean)
            layer.scale.assign(old_scale * scale)
