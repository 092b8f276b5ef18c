import keras
from keras import layers
from keras import ops

from keras_t2i.layers import float32
from keras_t2i.models.backbone import Backbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class PaddingMask(layers.Layer):
    """Zeros where the token is padding (id 0). Call: `(n, l, d)`, int `(n, l)` to `(n, l, d)`."""

    def call(self, x, token_ids):
        return x * ops.cast(ops.expand_dims(token_ids != 0, -1), x.dtype)


@keras.saving.register_keras_serializable(package="keras_t2i")
class MaskedPooling(layers.Layer):
    """Mean and maximum over the tokens that are not padding.

    Call: float `(n, l, d)`, int `(n, l)` to float32 `(n, 2 d)`; zeros where all is padding.
    """

    def call(self, x, token_ids):
        x = ops.cast(x, "float32")
        real = ops.expand_dims(token_ids != 0, -1)
        count = ops.sum(ops.cast(real, "float32"), axis=1)
        mean = ops.sum(ops.where(real, x, 0.0), axis=1) / ops.maximum(count, 1.0)
        highest = ops.where(count > 0, ops.max(ops.where(real, x, -1e9), axis=1), 0.0)
        return ops.concatenate([mean, highest], axis=-1)

    def compute_output_spec(self, x, token_ids):
        return keras.KerasTensor((x.shape[0], 2 * x.shape[-1]), dtype="float32")


@keras.saving.register_keras_serializable(package="keras_t2i")
class TokenMask(layers.Layer):
    """Where a token is not padding (id 0). Call: int `(n, l)` to bool `(n, l)`."""

    def call(self, token_ids):
        return token_ids != 0

    def compute_output_spec(self, token_ids):
        return keras.KerasTensor(token_ids.shape, dtype="bool")


@keras.saving.register_keras_serializable(package="keras_t2i")
class CNNTextEncoder(Backbone):
    """Caption to code: convolutions over word pieces (Kim 2014, arXiv 1408.5882), pooled, and a dense
    head of two layers that projects to the concept space.

    Args:
        vocabulary_size: int, number of word pieces; id 0 is padding.
        sequence_length: int, pieces per caption.
        embedding_dim: int, numbers per piece.
        filters: int, channels of the convolutions.
        blocks: int, residual convolutions after the first.
        kernel_size: int, pieces that a convolution sees.
        hidden_dim: int, width of the head's first layer.
        code_dim: int, how many numbers the code has.

    Call: int32 `(n, sequence_length)` to float32 `(n, code_dim)`, not normalised. Padding has no effect.
    """

    def __init__(
        self,
        vocabulary_size,
        sequence_length=32,
        embedding_dim=64,
        filters=128,
        blocks=2,
        kernel_size=3,
        hidden_dim=256,
        code_dim=512,
        dtype=None,
        **kwargs,
    ):
        # === Layers and functional model ===
        token_ids = keras.Input((sequence_length,), dtype="int32", name="token_ids")
        x = layers.Embedding(vocabulary_size, embedding_dim, dtype=dtype, name="embedding")(token_ids)
        x = PaddingMask(dtype=dtype, name="embedding_mask")(x, token_ids)
        x = layers.Conv1D(
            filters, kernel_size, padding="same", data_format="channels_last", dtype=dtype, name="conv"
        )(x)
        for i in range(blocks):
            h = layers.LayerNormalization(dtype=dtype, name=f"block{i}_norm")(x)
            h = layers.Activation("silu", dtype=dtype, name=f"block{i}_silu")(h)
            h = PaddingMask(dtype=dtype, name=f"block{i}_mask")(h, token_ids)
            h = layers.Conv1D(
                filters,
                kernel_size,
                padding="same",
                data_format="channels_last",
                dtype=dtype,
                name=f"block{i}_conv",
            )(h)
            x = layers.Add(dtype=dtype, name=f"block{i}")([x, h])
        x = layers.LayerNormalization(dtype=dtype, name="pool_norm")(x)
        x = MaskedPooling(dtype=dtype, name="pool")(x, token_ids)
        x = layers.Dense(hidden_dim, activation="silu", dtype=dtype, name="head1")(x)
        # A code is normalised and compared with others: it stays float32.
        codes = layers.Dense(code_dim, dtype=float32(dtype), name="head2")(x)
        super().__init__(inputs=token_ids, outputs=codes, dtype=dtype, **kwargs)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.sequence_length = sequence_length
        self.embedding_dim = embedding_dim
        self.filters = filters
        self.blocks = blocks
        self.kernel_size = kernel_size
        self.hidden_dim = hidden_dim
        self.code_dim = code_dim

    def projected(self, matrix, offset):
        """The encoder whose codes are this one's through a matrix: it becomes part of the head's last layer.

        Args:
            matrix: float array `(code_dim, d)`.
            offset: float array `(d,)`.

        Returns: `CNNTextEncoder` of `code_dim` d.
        """
        *others, kernel, bias = self.get_weights()
        encoder = type(self)(**{**self.get_config(), "code_dim": matrix.shape[1]})
        encoder.set_weights([*others, kernel @ matrix, bias @ matrix + offset])
        return encoder

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "sequence_length": self.sequence_length,
            "embedding_dim": self.embedding_dim,
            "filters": self.filters,
            "blocks": self.blocks,
            "kernel_size": self.kernel_size,
            "hidden_dim": self.hidden_dim,
            "code_dim": self.code_dim,
        }


def token_features(text_encoder):
    """What a diffusion network hears of a caption: its concept, and features of each token before pooling.

    Args:
        text_encoder: `CNNTextEncoder`, whose weights are shared.

    Returns:
        `keras.Model`, int32 `(n, l)` token ids to `{"text_code": float32 (n, code_dim) of length 1,
        "text_tokens": float32 (n, l, filters), "text_mask": bool (n, l), True where a token is real}`,
        l the encoder's `sequence_length`.
    """
    token_ids = text_encoder.input
    tokens = text_encoder.get_layer("pool_norm").output
    # What goes from network to network is float32, whatever the dtype of each.
    return keras.Model(
        inputs=token_ids,
        outputs={
            "text_code": layers.UnitNormalization(dtype="float32", name="concept")(text_encoder.output),
            "text_tokens": layers.Activation("linear", dtype="float32", name="tokens")(tokens),
            "text_mask": TokenMask(dtype="float32", name="mask")(token_ids),
        },
        name="token_features",
    )
