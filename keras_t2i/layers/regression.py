"""What a concept looks like, remembered in closed form: no step of training, minutes of linear algebra."""

import keras
import numpy as np
from keras import ops

from keras_t2i.utils.random_streams import random_stream

BLOCK = 2048  # rows whose features are in memory at a time
# Two examples at an average distance are this alike. Nearer to 1 the features tell neighbours apart only with
# large weights, nearer to 0 nothing is learned of one thing from another.
AVERAGE_KERNEL = 0.53


@keras.saving.register_keras_serializable(package="keras_t2i")
class VaryingNoise(keras.layers.Layer):
    """In training, normal noise on vectors, of another strength for each: what is made of them is then mostly
    about exact, now and then as far off as for a vector never seen, and who looks at it learns to tell.

    Args:
        most: float, 0 or more, the largest standard deviation; each vector has that times the square of a
            number that is uniform in [0, 1].

    Call: float `(n, d)` to float32 `(n, d)`; without `training` nothing is changed.
    """

    def __init__(self, most, **kwargs):
        super().__init__(**kwargs)
        if not most >= 0:
            raise ValueError(f"most must be 0 or more, received {most}")
        self.most = float(most)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x, training=False):
        x = ops.cast(x, "float32")
        if not training or not self.most:
            return x
        n, d = ops.shape(x)
        uniform = keras.random.uniform((n, 1), dtype="float32", seed=self.seed_generator)
        strength = self.most * ops.square(uniform)
        return x + strength * keras.random.normal((n, d), dtype="float32", seed=self.seed_generator)

    def compute_output_spec(self, x, training=False):
        return keras.KerasTensor(x.shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "most": self.most}


@keras.saving.register_keras_serializable(package="keras_t2i")
class Refinement(keras.layers.Layer):
    """A guess of a picture and a noisy view of it, weighed against each other; and a change of the outcome.

    If x_0 were normal around the guess with variance v, then given x_t its mean would be
    `(guess + snr v x_t / alpha) / (1 + snr v)` and its variance `v / (1 + snr v)`. That mean is what is said,
    plus `change` times that standard deviation: what a network has to add is of one size at all noise levels,
    and what is known without it needs no learning. With the guess zero and v that of all pictures these are
    c_skip and c_out of EDM (Karras et al. 2022, arXiv 2206.00364, table 1).

    Args:
        data_std: float above 0, root mean square of x_0: v is its square where nothing is given.

    Call: x, float `(n, h, w, c)`, x_t scaled to unit variance (`Process.c_in`); log_snr, float `(n,)`,
    infinities too; guess and change, float `(n, h, w, c)`; given, float or bool `(n,)`, whether the guess
    counts: to float32 `(n, h, w, c)`.
    """

    def __init__(self, data_std, **kwargs):
        super().__init__(**kwargs)
        if not data_std > 0:
            raise ValueError(f"data_std must be above 0, received {data_std}")
        self.data_std = float(data_std)

    def build(self, *shapes):
        start = keras.initializers.Constant(self.data_std**2)
        self.variance = self.add_weight(shape=(), initializer=start, trainable=False, name="variance")

    def call(self, x, log_snr, guess, given, change):
        inputs = (x, log_snr, guess, given, change, self.variance)
        x, log_snr, guess, given, change, variance = (ops.cast(value, "float32") for value in inputs)
        variance = ops.where(given > 0.5, variance, self.data_std**2)
        snr = ops.exp(ops.minimum(log_snr, 30.0))
        left = 1.0 / (1.0 + snr * variance)
        seen = variance * ops.sqrt(snr * (1.0 + snr * self.data_std**2)) * left
        factors = (left, seen, ops.sqrt(variance * left))
        left, seen, deviation = (ops.reshape(factor, (-1, 1, 1, 1)) for factor in factors)
        return left * guess + seen * x + deviation * change

    def compute_output_spec(self, x, log_snr, guess, given, change):
        return keras.KerasTensor(x.shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "data_std": self.data_std}


@keras.saving.register_keras_serializable(package="keras_t2i")
class KernelRegression(keras.layers.Layer):
    """Vectors to arrays: ridge regression on random Fourier features of a Gaussian kernel (Rahimi and Recht
    2007, "Random Features for Large-Scale Kernel Machines"), in principal components of the arrays.

    A number of its weights costs one multiply-add, where that of a convolution costs one for each place, and
    the best ones are found by solving linear equations: it remembers in minutes what gradient descent would
    need hours for. It does not learn by gradients. Until `adapt` is called it says zero.

    Args:
        features: int, random cosines. About as many different things can be remembered.
        components: int, principal components of the arrays; all of them where there are fewer.
        shape: tuple of ints, of an array.

    Call: float `(n, d)` vectors, float or bool `(n,)` given (0: zeros in place of what the vector says), to
    float32 `(n, *shape)`.
    """

    def __init__(self, features, components, shape, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        self.features = int(features)
        self.components = int(components)
        self.shape = tuple(int(side) for side in shape)

    def build(self, x_shape, given_shape):
        size, d = int(np.prod(self.shape)), x_shape[-1]
        kept = min(self.components, size)

        def weight(name, shape):
            return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)

        self.frequencies = weight("frequencies", (d, self.features))
        self.phases = weight("phases", (self.features,))
        self.kernel = weight("kernel", (self.features, kept))
        self.basis = weight("basis", (kept, size))
        self.mean = weight("mean", (size,))

    def call(self, x, given):
        x, frequencies, kernel, basis = (
            ops.cast(v, "float32") for v in (x, self.frequencies, self.kernel, self.basis)
        )
        phases, mean, given = (ops.cast(v, "float32") for v in (self.phases, self.mean, given))
        given = ops.expand_dims(given > 0.5, -1)
        x = ops.where(given, x, ops.zeros_like(x))  # what is not given may hold anything
        waves = 2.0**0.5 * ops.cos(ops.matmul(x, frequencies) + phases)
        y = ops.matmul(ops.matmul(waves, kernel), basis) + mean
        return ops.reshape(ops.where(given, y, ops.zeros_like(y)), (-1, *self.shape))

    def compute_output_spec(self, x, given):
        return keras.KerasTensor((x.shape[0], *self.shape), dtype="float32")

    def adapt(self, x, y, weights=None, ridge=1e-3, seed=0):
        """Set the weights from examples, to least squares: sum_i weights_i |y_i - f(x_i)|^2 in the mean, plus
        `ridge` times the square of the kernel weights.

        Takes memory for `min(n, features)^2` numbers of 4 bytes, three times, and time for the solution of as
        many equations: two minutes for 16,384 on two cores.

        Args:
            x: float array `(n, d)`.
            y: float array `(n, *shape)`.
            weights: float array `(n,)` above 0, how much each example counts. `None`: all the same.
            ridge: float above 0. Smaller: examples are remembered better; larger: more is taken from others
                alike.
            seed: int, of the random features.

        Returns:
            float, mean squared error of the examples.

        Raises: ValueError where sizes do not fit or a number is out of range.
        """
        x, y = np.asarray(x, "float32"), np.asarray(y, "float32").reshape(len(y), -1)
        weights = np.ones(len(x)) if weights is None else np.asarray(weights, "float64")
        if not len(x) == len(y) == len(weights) or not len(x) or y.shape[1] != np.prod(self.shape):
            raise ValueError(
                f"there must be as many vectors as arrays of shape {self.shape} and weights, received "
                f"{len(x)}, {len(y)} of {y.shape[1]} numbers, and {len(weights)}"
            )
        if not (ridge > 0 and np.all(weights > 0)):
            raise ValueError(f"ridge and weights must be above 0, received ridge {ridge}")
        root = np.sqrt(weights / weights.mean()).astype("float32")[:, None]
        mean, basis = principal_components(y, root[:, 0] ** 2, self.kernel.shape[1])
        targets = (y - mean) @ basis.T

        random = random_stream(seed, "random Fourier features")
        width = np.sqrt(2 * np.square(x - x.mean(axis=0)).sum(axis=1).mean() + 1e-12)
        spread = np.sqrt(-2 * np.log(AVERAGE_KERNEL)) / width
        self.frequencies.assign(random.standard_normal(self.frequencies.shape, dtype="float32") * spread)
        self.phases.assign(random.uniform(0, 2 * np.pi, self.features).astype("float32"))
        frequencies, phases = (ops.convert_to_numpy(v) for v in (self.frequencies, self.phases))

        def waves(rows):
            return np.sqrt(np.float32(2)) * np.cos(x[rows] @ frequencies + phases)

        kernel = solve(waves, root, targets, np.float32(ridge * len(x)), self.features)
        self.mean.assign(mean)
        self.basis.assign(basis)
        self.kernel.assign(kernel)
        blocks = [slice(i, i + BLOCK) for i in range(0, len(x), BLOCK)]
        errors = [np.square(waves(b) @ kernel @ basis + mean - y[b]).sum() for b in blocks]
        return float(np.sum(errors) / y.size)

    def get_config(self):
        return {
            **super().get_config(),
            "features": self.features,
            "components": self.components,
            "shape": self.shape,
        }


def principal_components(y, weights, count):
    """Mean, float32 `(d,)`, and the `count` directions of length 1, float32 `(count, d)`, in which rows of
    `y`, float `(n, d)`, differ most, each row counted `weights` `(n,)` times."""
    mean = np.average(y, axis=0, weights=weights).astype("float32")
    centered = (y - mean) * np.sqrt(weights, dtype="float32")[:, None]
    _, directions = np.linalg.eigh((centered.T @ centered).astype("float64"))
    return mean, directions[:, ::-1][:, :count].T.astype("float32")


def solve(waves, root, targets, ridge, features):
    """The weights `(features, k)` of ridge regression, by as many equations as there are features, or rows.

    Args:
        waves: function of a slice of rows to float32 `(b, features)`.
        root: float32 `(n, 1)`, root of how much each row counts.
        targets: float32 `(n, k)`.
        ridge: float32.
        features: int.
    """
    n = len(targets)
    blocks = [slice(i, i + BLOCK) for i in range(0, n, BLOCK)]
    if n < features:  # the same solution, by the kernel of all pairs
        every = np.concatenate([root[b] * waves(b) for b in blocks])
        left = every @ every.T
        left.flat[:: n + 1] += ridge
        return every.T @ np.linalg.solve(left, root * targets)
    left = np.zeros((features, features), "float32")
    right = np.zeros((features, targets.shape[1]), "float32")
    for b in blocks:
        seen = root[b] * waves(b)
        left += seen.T @ seen
        right += seen.T @ (root[b] * targets[b])
    left.flat[:: features + 1] += ridge
    return np.linalg.solve(left, right)
