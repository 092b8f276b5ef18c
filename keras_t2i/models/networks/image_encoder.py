import keras
from keras import layers

from keras_t2i.layers import downsampled_size
from keras_t2i.layers import float32
from keras_t2i.layers import halving_levels
from keras_t2i.layers import learned_pooling
from keras_t2i.models.backbone import Backbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class ImageTower(Backbone):
    """Picture to concept: what is in the picture, not where each pixel is.

    Strided convolutions and residual blocks, then every channel is pooled with learned weights for each
    place (a depthwise convolution as large as the last grid), so that an arrow to the left stays one.

    Args:
        image_size: int, width and height of the picture; a multiple of `2 ** len(filters)`.
        filters: channels after each halving, finest first; multiples of 8.
        blocks: residual blocks after each halving.
        poolings: int, weighted sums per channel.
        code_dim: int, how many numbers the concept has.

    Call: float tensor `(n, image_size, image_size, 3)` in [-1, 1] to float32 `(n, code_dim)`, not
    normalised.
    """

    def __init__(
        self,
        image_size=32,
        filters=(32, 64, 96),
        blocks=(1, 1, 1),
        poolings=3,
        code_dim=512,
        dtype=None,
        **kwargs,
    ):
        downsampled_size(image_size, filters)  # raises where sizes do not fit
        # === Layers and functional model ===
        images = keras.Input((image_size, image_size, 3), dtype="float32", name="images")
        x = learned_pooling(halving_levels(images, filters, blocks, dtype), poolings, dtype)
        x = layers.Flatten(data_format="channels_last", dtype=dtype, name="flatten")(x)
        # A code is normalised and compared with others: it stays float32.
        codes = layers.Dense(code_dim, dtype=float32(dtype), name="head")(x)
        super().__init__(inputs=images, outputs=codes, dtype=dtype, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.poolings = poolings
        self.code_dim = code_dim

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "filters": self.filters,
            "blocks": self.blocks,
            "poolings": self.poolings,
            "code_dim": self.code_dim,
        }
