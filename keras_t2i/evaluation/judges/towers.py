"""The networks of the evaluators: none of an architecture that a generator's encoders have.

They stand here and not in `models/`, so that nothing that trains a generator comes across them.
"""

import keras
import keras_hub
from keras import layers

from keras_t2i.models.backbone import Backbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class PlainTower(Backbone):
    """Picture to code by plain convolutions and maximum pooling (VGG, arXiv 1409.1556).

    Args:
        image_size: int, width and height of the picture; a multiple of `2 ** len(filters)`.
        filters: channels at each halving, finest first.
        squeezed: int, channels of the last grid, which the head sees place by place.
        code_dim: int, how many numbers the code has.

    Call: float `(n, image_size, image_size, 3)` in [-1, 1] to float32 `(n, code_dim)`, not normalised.
    """

    def __init__(self, image_size=32, filters=(32, 64, 128), squeezed=32, code_dim=256, dtype=None, **kwargs):
        if image_size % 2 ** len(filters):
            raise ValueError(f"image_size {image_size} cannot be halved {len(filters)} times")
        images = keras.Input((image_size, image_size, 3), dtype="float32", name="images")
        x = layers.Conv2D(
            filters[0],
            4,
            2,
            "same",
            activation="relu",
            data_format="channels_last",
            dtype=dtype,
            name="patches",
        )(images)
        for level, width in enumerate(filters[1:], start=1):
            x = layers.Conv2D(
                width, 3, padding="same", data_format="channels_last", dtype=dtype, name=f"conv{level}"
            )(x)
            x = layers.LayerNormalization(dtype=dtype, name=f"norm{level}")(x)
            x = layers.Activation("relu", dtype=dtype, name=f"relu{level}")(x)
            x = layers.MaxPooling2D(data_format="channels_last", dtype=dtype, name=f"pool{level}")(x)
        x = layers.Conv2D(
            filters[-1],
            3,
            padding="same",
            activation="relu",
            data_format="channels_last",
            dtype=dtype,
            name="last",
        )(x)
        x = layers.Conv2D(squeezed, 1, data_format="channels_last", dtype=dtype, name="squeezed")(x)
        x = layers.Flatten(data_format="channels_last", dtype=dtype, name="flatten")(x)
        codes = layers.Dense(code_dim, dtype="float32", name="head")(x)
        super().__init__(inputs=images, outputs=codes, dtype=dtype, **kwargs)
        self.image_size, self.filters = image_size, tuple(filters)
        self.squeezed, self.code_dim = squeezed, code_dim

    def get_config(self):
        own = ("image_size", "filters", "squeezed", "code_dim")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable(package="keras_t2i")
class RecurrentTextEncoder(Backbone):
    """Caption to code by gated recurrent units in both directions (GRU, arXiv 1406.1078).

    Args:
        vocabulary_size: int, number of word pieces; id 0 is padding.
        sequence_length: int, pieces per caption.
        embedding_dim: int, numbers per piece.
        units: int, numbers of the state of each direction.
        code_dim: int, how many numbers the code has.

    Call: int32 `(n, sequence_length)` to float32 `(n, code_dim)`, not normalised. Padding has no effect.
    """

    def __init__(
        self,
        vocabulary_size,
        sequence_length=32,
        embedding_dim=96,
        units=128,
        code_dim=256,
        dtype=None,
        **kwargs,
    ):
        token_ids = keras.Input((sequence_length,), dtype="int32", name="token_ids")
        x = layers.Embedding(vocabulary_size, embedding_dim, mask_zero=True, dtype=dtype, name="embedding")(
            token_ids
        )
        recurrent = layers.GRU(units, return_sequences=True, dtype=dtype, name="gru")
        x = layers.Bidirectional(recurrent, dtype=dtype, name="both_ways")(x)
        x = layers.GlobalAveragePooling1D(data_format="channels_last", dtype=dtype, name="pool")(x)
        codes = layers.Dense(code_dim, dtype="float32", name="head")(x)
        super().__init__(inputs=token_ids, outputs=codes, dtype=dtype, **kwargs)
        self.vocabulary_size, self.sequence_length = vocabulary_size, sequence_length
        self.embedding_dim, self.units, self.code_dim = embedding_dim, units, code_dim

    def get_config(self):
        own = ("vocabulary_size", "sequence_length", "embedding_dim", "units", "code_dim")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _transformer(x, depth, width, heads, dtype):
    """`depth` pre-norm blocks on `(n, l, width)`, then the mean over what is not masked."""
    for i in range(depth):
        x = keras_hub.layers.TransformerEncoder(
            2 * width, heads, activation="gelu", normalize_first=True, dtype=dtype, name=f"block{i}"
        )(x)
    x = layers.LayerNormalization(dtype=dtype, name="norm")(x)
    return layers.GlobalAveragePooling1D(data_format="channels_last", dtype=dtype, name="pool")(x)


@keras.saving.register_keras_serializable(package="keras_t2i")
class PatchTransformer(Backbone):
    """Picture to code by self-attention among patches (ViT, arXiv 2010.11929).

    Args:
        image_size: int, width and height of the picture; a multiple of `patch_size`.
        patch_size: int, width and height of a patch.
        width, depth, heads: ints, of the transformer.
        code_dim: int, how many numbers the code has.

    Call: float `(n, image_size, image_size, 3)` in [-1, 1] to float32 `(n, code_dim)`, not normalised.
    """

    def __init__(
        self,
        image_size=32,
        patch_size=4,
        width=96,
        depth=3,
        heads=4,
        code_dim=256,
        dtype=None,
        **kwargs,
    ):
        if image_size % patch_size:
            raise ValueError(f"patch_size {patch_size} must divide image_size {image_size}")
        images = keras.Input((image_size, image_size, 3), dtype="float32", name="images")
        x = layers.Conv2D(
            width, patch_size, patch_size, data_format="channels_last", dtype=dtype, name="patches"
        )(images)
        x = layers.Reshape((-1, width), dtype=dtype, name="sequence")(x)
        places = keras_hub.layers.PositionEmbedding(
            (image_size // patch_size) ** 2, dtype=dtype, name="places"
        )
        x = layers.Add(dtype=dtype, name="placed")([x, places(x)])
        x = _transformer(x, depth, width, heads, dtype)
        codes = layers.Dense(code_dim, dtype="float32", name="head")(x)
        super().__init__(inputs=images, outputs=codes, dtype=dtype, **kwargs)
        self.image_size, self.patch_size = image_size, patch_size
        self.width, self.depth, self.heads, self.code_dim = width, depth, heads, code_dim

    def get_config(self):
        own = ("image_size", "patch_size", "width", "depth", "heads", "code_dim")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable(package="keras_t2i")
class TransformerTextEncoder(Backbone):
    """Caption to code by self-attention among word pieces (arXiv 1706.03762).

    Args:
        vocabulary_size: int, number of word pieces; id 0 is padding.
        sequence_length: int, pieces per caption.
        width, depth, heads: ints, of the transformer.
        code_dim: int, how many numbers the code has.

    Call: int32 `(n, sequence_length)` to float32 `(n, code_dim)`, not normalised. Padding has no effect.
    """

    def __init__(
        self,
        vocabulary_size,
        sequence_length=32,
        width=96,
        depth=2,
        heads=4,
        code_dim=256,
        dtype=None,
        **kwargs,
    ):
        token_ids = keras.Input((sequence_length,), dtype="int32", name="token_ids")
        x = keras_hub.layers.TokenAndPositionEmbedding(
            vocabulary_size, sequence_length, width, mask_zero=True, dtype=dtype, name="embedding"
        )(token_ids)
        x = _transformer(x, depth, width, heads, dtype)
        codes = layers.Dense(code_dim, dtype="float32", name="head")(x)
        super().__init__(inputs=token_ids, outputs=codes, dtype=dtype, **kwargs)
        self.vocabulary_size, self.sequence_length = vocabulary_size, sequence_length
        self.width, self.depth, self.heads, self.code_dim = width, depth, heads, code_dim

    def get_config(self):
        own = ("vocabulary_size", "sequence_length", "width", "depth", "heads", "code_dim")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
