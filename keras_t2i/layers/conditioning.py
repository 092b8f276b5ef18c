"""What a network is told beside its picture, and what stands in for it where it is not given: a learned
null, so that one network draws with and without words."""

import keras
from keras import layers
from keras import ops

from keras_t2i.layers.normalization import Whitening
from keras_t2i.layers.precision import float32
from keras_t2i.layers.time_embedding import FourierFeatures

IMAGE_TOKENS = 4  # an image code is also that many tokens, as in DALL-E 2
WIDE = {"dtype": "float32"}


@keras.saving.register_keras_serializable(package="keras_t2i")
class TokenWhitening(Whitening):
    """`Whitening` of every token of a caption. Call: float `(n, l, d)` to float32 `(n, l, dim)`."""

    def compute_output_spec(self, x):
        return keras.KerasTensor((*x.shape[:-1], self.dim), dtype="float32")


@keras.saving.register_keras_serializable(package="keras_t2i")
class NullCode(layers.Layer):
    """A learned code wherever none is given (classifier-free guidance, arXiv 2207.12598).

    Call: float `(n, d)` codes, float or bool `(n,)` given (1 where the code counts, 0 where it is ignored,
    whatever it holds), to `(n, d)`.
    """

    def build(self, codes_shape, given_shape):
        self.null = self.add_weight(shape=(codes_shape[-1],), initializer="zeros", name="null")

    def call(self, codes, given):
        given = ops.expand_dims(ops.cast(given, "float32") > 0.5, -1)
        return ops.where(given, codes, ops.cast(self.null, codes.dtype))

    def compute_output_spec(self, codes, given):
        return keras.KerasTensor(codes.shape, dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="keras_t2i")
class NullTokens(layers.Layer):
    """One learned token in place of a caption's tokens wherever none are given.

    Call: float `(n, l, d)` tokens, float or bool `(n, l)` present (1: a token, 0: padding), float or bool
    `(n,)` given, to the tokens and bool `(n, l)`, which of them are present.
    """

    def build(self, tokens_shape, present_shape, given_shape):
        self.null = self.add_weight(shape=(tokens_shape[-1],), initializer="random_normal", name="null")

    def call(self, tokens, present, given):
        given = ops.expand_dims(ops.cast(given, "float32") > 0.5, -1)
        first = ops.arange(ops.shape(present)[1], dtype="int32") == 0
        real = ops.cast(present, "float32") > 0.5
        # Not `where`, of which onnxruntime has none for bools.
        present = ops.logical_or(ops.logical_and(given, real), ops.logical_and(~given, first))
        tokens = ops.where(ops.expand_dims(given, -1), tokens, ops.cast(self.null, tokens.dtype))
        # Padding may hold anything, even what is not a number: attention would multiply it by zero.
        return ops.where(ops.expand_dims(present, -1), tokens, ops.zeros_like(tokens)), present

    def compute_output_spec(self, tokens, present, given):
        return (
            keras.KerasTensor(tokens.shape, dtype=self.compute_dtype),
            keras.KerasTensor(present.shape, dtype="bool"),
        )


@keras.saving.register_keras_serializable(package="keras_t2i")
class AppendTokens(layers.Layer):
    """More tokens behind those of a caption, all present. Call: `(n, l, d)`, bool `(n, l)`, `(n, m, d)` to
    `(n, l + m, d)`, bool `(n, l + m)`."""

    def call(self, tokens, present, more):
        there = ops.ones((ops.shape(more)[0], more.shape[1]), "bool")
        return ops.concatenate([tokens, more], 1), ops.concatenate([present, there], 1)

    def compute_output_spec(self, tokens, present, more):
        length = None if tokens.shape[1] is None else tokens.shape[1] + more.shape[1]
        return (
            keras.KerasTensor((tokens.shape[0], length, tokens.shape[2]), dtype=self.compute_dtype),
            keras.KerasTensor((tokens.shape[0], length), dtype="bool"),
        )


def conditions(inputs, condition_dim, whitened_dim, dtype, log_snr_limit=20.0):
    """What steers the network, from its inputs: the parts of a vector (`condition_of`), float32
    `(n, condition_dim)` each, tokens `(n, l, d)`, bool `(n, l)`, which of them are present, and the codes,
    whitened, float32 `(n, d)` each.

    The vector is float32 at any dtype: it is small, and every block depends on it. log_snr_limit: of
    `FourierFeatures`.
    """
    given, text_code = inputs["condition_mask"], inputs["text_code"]
    parts = [time_condition(inputs["log_snr"], condition_dim, dtype, log_snr_limit)]
    part, code = code_condition(text_code, given, condition_dim, whitened_dim, "text_code", dtype)
    parts, codes = [*parts, part], [code]
    token_dim = min(whitened_dim, inputs["text_tokens"].shape[-1])
    tokens = TokenWhitening(token_dim, **WIDE, name="text_tokens_whitening")(inputs["text_tokens"])
    tokens = layers.LayerNormalization(dtype=dtype, name="text_tokens_norm")(tokens)
    tokens, present = NullTokens(dtype=dtype, name="text_tokens_null")(tokens, inputs["text_mask"], given)
    if "image_code" in inputs:
        code, given = inputs["image_code"], inputs["image_condition_mask"]
        part, code = code_condition(code, given, condition_dim, whitened_dim, "image_code", dtype)
        parts.append(part)
        codes.append(code)
        more = layers.Dense(IMAGE_TOKENS * token_dim, dtype=dtype, name="image_tokens")(code)
        more = layers.Reshape((IMAGE_TOKENS, token_dim), dtype=dtype, name="image_tokens_split")(more)
        tokens, present = AppendTokens(dtype=dtype, name="tokens")(tokens, present, more)
    return parts, tokens, present, codes


def concept_map(codes, noise, hidden_dim, side, channels, dtype):
    """A grid made of the concept alone, before there is anything to see in the noise: `(n, side, side,
    channels)`.

    A dense layer learns what a thing looks like at a multiply-add a parameter, where a convolution takes one
    for every place: this is where a network remembers most for its arithmetic. It starts at zero.

    Args:
        codes: list of float `(n, d)`, as of `conditions`.
        noise: float `(n, condition_dim)`, the vector that steers, which knows the noise level too.
        hidden_dim: int, numbers between the two layers.
    """
    x = layers.Concatenate(dtype=dtype, name="concept_parts")([*codes, noise])
    x = layers.Dense(hidden_dim, activation="silu", dtype=dtype, name="concept_1")(x)
    x = layers.Dense(side * side * channels, kernel_initializer="zeros", dtype=dtype, name="concept_2")(x)
    return layers.Reshape((side, side, channels), dtype=dtype, name="concept_map")(x)


def time_condition(log_snr, condition_dim, dtype=None, limit=20.0):
    """What a noise level, `(n,)`, adds to the vector that steers: float32 `(n, condition_dim)`. `dtype`:
    of the network."""
    x = FourierFeatures(64, limit, **WIDE, name="time")(log_snr)
    x = layers.Dense(condition_dim, activation="silu", dtype=float32(dtype), name="time_1")(x)
    return layers.Dense(condition_dim, dtype=float32(dtype), name="time_2")(x)


def guess_condition(variance, condition_dim, dtype=None):
    """What the variance of a guess, `(n,)`, adds to that vector: float32 `(n, condition_dim)`, at first
    nothing. `dtype`: of the network."""
    x = FourierFeatures(32, 10.0, 2.0, **WIDE, name="draft_variance_waves")(ops.log(variance))
    nothing = {"kernel_initializer": "zeros", "dtype": float32(dtype)}
    return layers.Dense(condition_dim, **nothing, name="draft_known")(x)


def code_condition(code, given, condition_dim, whitened_dim, name, dtype=None):
    """What a code, `(n, d)`, adds to that vector, a learned null where it is not given; and the code itself,
    whitened: float32 `(n, condition_dim)` and `(n, whitened_dim)`. `dtype`: of the network."""
    dim = min(whitened_dim, code.shape[-1])
    code = Whitening(dim, **WIDE, name=f"{name}_whitening")(code)
    code = NullCode(**WIDE, name=f"{name}_null")(code, given)
    return layers.Dense(condition_dim, dtype=float32(dtype), name=f"{name}_dense")(code), code


def condition_of(parts):
    """The vector that steers, out of what each condition adds."""
    x = layers.Add(**WIDE, name="condition_sum")(parts)
    return layers.Activation("silu", **WIDE, name="condition")(x)
