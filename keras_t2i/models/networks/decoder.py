import keras
from keras import layers

from keras_t2i.layers import Whitening
from keras_t2i.layers import doubling_levels
from keras_t2i.layers import downsampled_size
from keras_t2i.models.backbone import Backbone
from keras_t2i.models.networks.autoencoder import picture_head


@keras.saving.register_keras_serializable(package="keras_t2i")
class ConceptDecoder(Backbone):
    """Concept to picture: whitened, a dense layer to a small grid, then transposed convolutions (DCGAN, arXiv
    1511.06434) with residual blocks between.

    Args:
        image_size: int, width and height of the picture: 4 times `2 ** len(filters)`.
        filters: channels of the grids, finest (half the picture) first, down to 4x4; multiples of 8.
        blocks: residual blocks at each grid.
        code_dim: int, numbers of the concept.
        whitened_dim: int, in how many directions concepts differ (`adapt`).

    Call: float `(n, code_dim)` of length 1 to float32 `(n, image_size, image_size, 3)`, about [-1, 1].
    """

    def __init__(
        self,
        image_size=32,
        filters=(48, 64, 80),
        blocks=(1, 1, 1),
        code_dim=512,
        whitened_dim=256,
        dtype=None,
        **kwargs,
    ):
        side = downsampled_size(image_size, filters)
        # === Layers and functional model ===
        concepts = keras.Input((code_dim,), dtype="float32", name="concepts")
        x = Whitening(min(whitened_dim, code_dim), dtype="float32", name="whitening")(concepts)
        x = layers.Dense(side * side * filters[-1], dtype=dtype, name="dense")(x)
        x = layers.Reshape((side, side, filters[-1]), dtype=dtype, name="grid")(x)
        x = doubling_levels(x, filters, blocks, dtype)
        images = picture_head(x, dtype)
        super().__init__(inputs=concepts, outputs=images, dtype=dtype, **kwargs)

        # === Config ===
        self.image_size = image_size
        self.filters = tuple(filters)
        self.blocks = tuple(blocks)
        self.code_dim = code_dim
        self.whitened_dim = whitened_dim

    def adapt(self, concepts, noise_scale):
        """Before training: find the directions in which concepts differ, and bring them to one size.

        Args:
            concepts: float array `(n, code_dim)` of length 1, of the training captions.
            noise_scale: float, length of the noise that they will have on top.
        """
        self.get_layer("whitening").adapt(concepts, noise_scale**2 / self.code_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "image_size": self.image_size,
            "filters": self.filters,
            "blocks": self.blocks,
            "code_dim": self.code_dim,
            "whitened_dim": self.whitened_dim,
        }
