"""The adversary: is this a real picture of these words?"""

import keras
from keras import layers

from keras_t2i.layers import Conv2D
from keras_t2i.layers import SpaceToDepth
from keras_t2i.layers import Whitening
from keras_t2i.layers import downsampled_size
from keras_t2i.layers import float32
from keras_t2i.layers import learned_pooling
from keras_t2i.layers import residual_block
from keras_t2i.models.backbone import Backbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class Discriminator(Backbone):
    """Picture and concept to one number, high where the picture looks real and like the concept.

    Residual blocks, halved by moving pixels into channels (a strided convolution with kernel 2, whose
    gradients of gradients every backend computes fast). Each channel is then pooled with learned weights for
    each place, as in `ImageTower`, to features phi. What it says is w . phi + (V concept) . phi: a judgement
    of the picture alone, and by projection one of picture and words together (Miyato and Koyama 2018, arXiv
    1802.05637). There is no normalisation across pictures: each is judged by itself, as gradient
    penalties ask for.

    Args:
        image_size: int, width and height of the picture; a multiple of `2 ** len(filters)`.
        filters: channels after each halving, finest first; multiples of 8.
        blocks: residual blocks after each halving.
        poolings: int, weighted sums per channel.
        code_dim: int, numbers of the concept.
        whitened_dim: int, in how many directions concepts differ (`adapt`).

    Call: `{"images": float (n, image_size, image_size, 3) in [-1, 1], "concepts": float (n, code_dim) of
    length 1}` to float32 `(n, 1)`, any real number.
    Raises: ValueError for an image_size that cannot be halved.
    """

    def __init__(
        self,
        image_size=32,
        filters=(48, 64, 80),
        blocks=(1, 1, 1),
        poolings=2,
        code_dim=512,
        whitened_dim=256,
        dtype=None,
        **kwargs,
    ):
        downsampled_size(image_size, filters)  # raises where sizes do not fit
        # === Layers and functional model ===
        images = keras.Input((image_size, image_size, 3), dtype="float32", name="images")
        concepts = keras.Input((code_dim,), dtype="float32", name="concepts")
        x = images
        for level, (width, depth) in enumerate(zip(filters, blocks, strict=True)):
            x = SpaceToDepth(2, dtype=dtype, name=f"down{level}_cells")(x)
            x = Conv2D(width, 1, dtype=dtype, name=f"down{level}")(x)
            for i in range(depth):
                x = residual_block(x, width, dtype=dtype, name=f"down{level}_block{i}")
        x = learned_pooling(x, poolings, dtype)
        # A score is a sum over all features, and its loss wants gradients of gradients: float32 from here on.
        wide, wide_dense = {"dtype": "float32"}, {"dtype": float32(dtype)}
        x = layers.Flatten(data_format="channels_last", **wide, name="features")(x)
        y = Whitening(min(whitened_dim, code_dim), **wide, name="whitening")(concepts)
        # So small that the product of two vectors starts as large as the judgement of the picture alone.
        small = keras.initializers.VarianceScaling(1 / x.shape[-1])
        y = layers.Dense(x.shape[-1], use_bias=False, kernel_initializer=small, **wide_dense, name="words")(y)
        alone = layers.Dense(1, **wide_dense, name="alone")(x)
        together = layers.Dot(axes=1, **wide, name="together")([x, y])
        scores = layers.Add(**wide, name="scores")([alone, together])
        super().__init__(
            inputs={"images": images, "concepts": concepts}, outputs=scores, dtype=dtype, **kwargs
        )

        # === Config ===
        self.image_size = image_size
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.poolings = poolings
        self.code_dim = code_dim
        self.whitened_dim = whitened_dim

    def adapt(self, concepts):
        """Before training: find the directions in which concepts differ, and bring them to one size.

        Args:
            concepts: float array `(n, code_dim)` of length 1, of the training captions.
        """
        # A tenth of a concept's length counts as chance, as in the decoder.
        self.get_layer("whitening").adapt(concepts, 0.1**2 / self.code_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "filters": self.filters,
            "blocks": self.blocks,
            "poolings": self.poolings,
            "code_dim": self.code_dim,
            "whitened_dim": self.whitened_dim,
        }
