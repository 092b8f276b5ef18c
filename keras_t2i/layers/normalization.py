import keras
import numpy as np
from keras import ops

from keras_t2i.layers.native import group_normalization


@keras.saving.register_keras_serializable(package="keras_t2i")
class GroupNormalization(keras.layers.Layer):
    """Group normalisation (Wu and He 2018, arXiv 1803.08494) as one multiply-add per channel.

    Equal to `keras.layers.GroupNormalization`; 1.2 times as fast in training on a CPU with TensorFlow, more
    with JAX. See `native.py`.

    Args:
        groups: int, divides the number of channels.
        epsilon: float, added to the variance.

    Call: float tensor `(n, ..., channels)` to the same shape. Statistics are float32 at any dtype.
    """

    def __init__(self, groups=8, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.groups, self.epsilon = groups, epsilon

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(f"{channels} channels cannot be split into {self.groups} groups")
        self.gamma = self.add_weight(shape=(channels,), initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=(channels,), initializer="zeros", name="beta")

    def call(self, x):
        gamma, beta = (ops.cast(v, "float32") for v in (self.gamma, self.beta))
        return group_normalization(x, gamma, beta, self.groups, self.epsilon)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="keras_t2i")
class Standardization(keras.layers.Layer):
    """Shift and scale of a code, measured once after training, or with `invert` its inverse.

    Codes of an autoencoder have any mean and size; what is trained on them later (regression, diffusion)
    wants zero mean and unit variance. Until `adapt` is called the layer is the identity. It is float32 at any
    dtype: what is measured once is not rounded.

    Args:
        invert: bool, `x * scale + mean` in place of `(x - mean) / scale`.

    Call: float tensor `(n, d)` to float32 `(n, d)`.
    """

    def __init__(self, invert=False, **kwargs):
        super().__init__(**kwargs)
        self.invert = invert

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.scale = self.add_weight(shape=shape, initializer="ones", trainable=False, name="scale")

    def call(self, x):
        x, mean, scale = (ops.cast(v, "float32") for v in (x, self.mean, self.scale))
        return x * scale + mean if self.invert else (x - mean) / scale

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "invert": self.invert}


@keras.saving.register_keras_serializable(package="keras_t2i")
class Whitening(keras.layers.Layer):
    """The directions in which vectors differ most, each brought to unit variance (PCA whitening).

    Concepts of a contrastive encoder fill few of their dimensions, very unevenly: what tells one flag from
    another is a hundred times smaller than what tells flags from faces, and would be learned last. It is
    float32 at any dtype: a smaller type rounds such differences away.

    Args:
        dim: int, how many directions are kept.

    Call: float tensor `(n, d)`, d at least `dim`, to float32 `(n, dim)`. Until `adapt` is called the
    directions are random, for vectors of length 1.
    """

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, input_shape):
        d = input_shape[-1]
        if d < self.dim:
            raise ValueError(f"{self.dim} directions cannot be found in {d} dimensions")
        self.mean = self.add_weight(shape=(d,), initializer="zeros", trainable=False, name="mean")
        turn = keras.initializers.Orthogonal(gain=d**0.5)
        self.matrix = self.add_weight(shape=(d, self.dim), initializer=turn, trainable=False, name="matrix")

    def adapt(self, vectors, noise_variance):
        """Set the directions from examples.

        Args:
            vectors: float array `(n, d)`.
            noise_variance: float, the variance of noise that each number will have on top: smaller
                differences are not blown up.
        """
        vectors = np.asarray(vectors, dtype="float64")
        mean = vectors.mean(axis=0)
        values, directions = np.linalg.eigh((vectors - mean).T @ (vectors - mean) / len(vectors))
        scale = 1 / np.sqrt(np.maximum(values, 0) + noise_variance + 1e-9)
        self.mean.assign(mean)
        self.matrix.assign((directions * scale)[:, ::-1][:, : self.dim])

    @classmethod
    def of(cls, vectors, dim, noise_variance):
        """A layer by itself, adapted to these vectors: arguments as of the class and of `adapt`."""
        layer = cls(dim, dtype="float32")
        layer.build(vectors.shape)
        layer.adapt(vectors, noise_variance)
        return layer

    def inverse(self):
        """What leads back: `(matrix, offset)`, float32 `(dim, d)` and `(d,)`. `y @ matrix + offset` is the
        vector nearest to the mean that becomes y."""
        matrix = np.linalg.pinv(ops.convert_to_numpy(self.matrix).astype("float64"))
        return matrix.astype("float32"), ops.convert_to_numpy(self.mean)

    def call(self, x):
        x, mean, matrix = (ops.cast(v, "float32") for v in (x, self.mean, self.matrix))
        return ops.matmul(x - mean, matrix)

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0], self.dim), dtype="float32")

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}
