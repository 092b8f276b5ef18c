"""Attention of a picture's places to each other and to words, or to words alone."""

import keras
from keras import layers
from keras import ops

from keras_t2i.layers.native import dot_product_attention
from keras_t2i.layers.normalization import GroupNormalization


class AttentionToWords(layers.Layer):
    """What attention to words has, whatever else places look at: keys and values of words, queries and keys
    brought to one size, an output that starts at zero.

    Args:
        head_dim: int, channels per head; divides the grid's channels.
    """

    def __init__(self, head_dim=32, **kwargs):
        super().__init__(**kwargs)
        self.head_dim = head_dim

    def build_projections(self, parts, x_shape, tokens_shape):
        """The weights; places become so many parts: a query, and perhaps a key and a value."""
        channels = x_shape[-1]
        if channels % self.head_dim:
            raise ValueError(f"{channels} channels cannot be split into heads of {self.head_dim}")

        def dense(units, shape, name, **kwargs):
            layer = layers.Dense(units, use_bias=False, dtype=self.dtype_policy, name=name, **kwargs)
            layer.build(shape)
            return layer

        self.places = dense(parts * channels, x_shape, "places")
        self.words = dense(2 * channels, tokens_shape, "words")
        self.output_projection = dense(channels, x_shape, "output", kernel_initializer="zeros")
        self.query_scale = self.add_weight(shape=(self.head_dim,), initializer="ones", name="query_scale")
        self.key_scale = self.add_weight(shape=(self.head_dim,), initializer="ones", name="key_scale")

    def split(self, y, parts):
        """Float `(n, ..., parts * c)` to so many `(n, places, heads, head_dim)`."""
        heads = y.shape[-1] // (parts * self.head_dim)
        return ops.split(ops.reshape(y, (ops.shape(y)[0], -1, parts * heads, self.head_dim)), parts, 2)

    def attend(self, query, key, value, mask):
        """What each place finds, `(n, places, heads, head_dim)`; `mask`: bool `(n, keys)`."""
        query = ops.rms_normalization(query, self.query_scale)
        key = ops.rms_normalization(key, self.key_scale)
        return dot_product_attention(query, key, value, mask[:, None, None])

    def compute_output_spec(self, x, tokens, present):
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "head_dim": self.head_dim}


@keras.saving.register_keras_serializable(package="keras_t2i")
class TextAttention(AttentionToWords):
    """Each place of a grid looks at all places and all words at once (GLIDE, arXiv 2112.10741).

    Self-attention and cross-attention in one softmax: words are extra keys and values. Queries and keys
    are brought to one size (QK RMS normalisation, arXiv 2302.05442), which keeps low precision stable.
    The output projection starts at zero, and what comes out is added to what came in.

    Args:
        head_dim: int, channels per head; divides the grid's channels.

    Call: float `(n, h, w, c)`, tokens float `(n, l, d)`, float or bool `(n, l)`, which tokens are
    present (1) and which padding (0), to `(n, h, w, c)`.
    """

    def build(self, x_shape, tokens_shape, present_shape):
        self.norm = GroupNormalization(dtype=self.dtype_policy, name="norm")
        self.norm.build(x_shape)
        self.build_projections(3, x_shape, tokens_shape)

    def call(self, x, tokens, present):
        h, w, c = x.shape[1:]
        query, key, value = self.split(self.places(self.norm(x)), 3)
        word_key, word_value = self.split(self.words(tokens), 2)
        key = ops.concatenate([key, word_key], 1)
        value = ops.concatenate([value, word_value], 1)
        present = ops.cast(present, "bool")
        mask = ops.concatenate([ops.ones((ops.shape(present)[0], h * w), "bool"), present], 1)
        y = self.attend(query, key, value, mask)
        return x + self.output_projection(ops.reshape(y, (-1, h, w, c)))


@keras.saving.register_keras_serializable(package="keras_t2i")
class WordAttention(AttentionToWords):
    """Each place of a grid of any height and width looks at all words, and at no other place
    (cross-attention: Rombach et al. 2022, arXiv 2112.10752, section 3.3). So a window of a picture is drawn
    as the whole is. The rest is as of `TextAttention`.

    Args:
        head_dim: int, channels per head; divides the grid's channels.

    Call: float `(n, h, w, c)`, tokens float `(n, l, d)`, float or bool `(n, l)`, which tokens are present,
    to `(n, h, w, c)`.
    """

    def build(self, x_shape, tokens_shape, present_shape):
        self.build_projections(1, x_shape, tokens_shape)

    def call(self, x, tokens, present):
        (query,) = self.split(self.places(x), 1)
        key, value = self.split(self.words(tokens), 2)
        y = self.attend(query, key, value, ops.cast(present, "bool"))
        return x + self.output_projection(ops.reshape(y, ops.shape(x)))
