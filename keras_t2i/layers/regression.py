"""What a concept looks like, remembered in closed form: no step of training, minutes of linear algebra."""

import keras
import numpy as np
from keras import ops

from keras_t2i.layers.least_squares import Equations
from keras_t2i.layers.least_squares import principal_components
from keras_t2i.layers.mlp_regression import MLPRegression
from keras_t2i.layers.precision import float32
from keras_t2i.utils.batching import spread
from keras_t2i.utils.random_streams import random_stream

# Two examples at an average distance are this alike. Nearer to 1 the features tell neighbours apart only with
# large weights, nearer to 0 nothing is learned of one from another.
AVERAGE_KERNEL = 0.3
DRAWS = 32  # of the weights, around the best ones
DIRECTIONS = 192  # in which the vectors of examples differ most; what lies beyond does not count
MOST_MEASURED = 4096  # examples, to find how far memory is trusted


@keras.saving.register_keras_serializable(package="keras_t2i")
class KernelRegression(keras.layers.Layer):
    """Vectors to arrays: ridge regression on random Fourier features of a Gaussian kernel (Rahimi and Recht
    2007, "Random Features for Large-Scale Kernel Machines"), in principal components of the arrays.

    A number of its weights costs one multiply-add, where that of a convolution costs one for each place, and
    the best ones are found by solving linear equations: it remembers in minutes what gradient descent would
    need hours for. It does not learn by gradients. Until `adapt` is called it says zero.

    It also says how far off it may be. Under the prior that ridge regression stands for, what it does not
    know has the variance `ridge phi' A^-1 phi`, A the matrix of the equations (a Gaussian process: Rasmussen
    and Williams 2006, eq. 2.11): small near the examples. A itself would fill a gigabyte; a few random draws
    of the weights around the best ones (`DRAWS`) give it to a fifth.

    What remembers each example says nonsense of what is new. So a perceptron (`MLPRegression`) learns first
    what holds in general, and memory is fitted to what it leaves: what it adds is trusted the less the more
    doubt there is,

        f(x) = general(x) + memory(x) / (1 + (doubt / scale) ^ power),

    scale and power those of the smallest error of examples that were learned from and of such that were not.

    Args:
        features: int, random cosines of memory. About as many different things can be remembered.
        components: int, principal components of the arrays; all of them where there are fewer.
        shape: tuple of ints, of an array.
        hidden: int, of the perceptron. 0: all is memory.

    Call: float `(n, d)` vectors, float or bool `(n,)` given (0: zeros in place of what the vector says), to
    float32 `(n, *shape)` and `(n,)`, the doubt: that variance for a ridge of 1, 0 or more.
    """

    def __init__(self, features, components, shape, hidden=0, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        self.features = int(features)
        self.components = int(components)
        self.shape = tuple(int(side) for side in shape)
        self.hidden = int(hidden)
        self.dense_dtype = float32(kwargs.get("dtype"))

    def build(self, x_shape, given_shape):
        size, d = int(np.prod(self.shape)), x_shape[-1]
        kept = min(self.components, size)

        def weight(name, shape):
            return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)

        self.directions = weight("directions", (d, min(d, DIRECTIONS)))
        self.frequencies = weight("frequencies", (min(d, DIRECTIONS), self.features))
        self.phases = weight("phases", (self.features,))
        self.kernel = weight("kernel", (self.features, kept))
        self.basis = weight("basis", (kept, size))
        self.mean = weight("mean", (size,))
        self.draws = weight("draws", (self.features, DRAWS))
        self.trust = weight("trust", (2,)) if self.hidden else None  # logarithm of the scale, and power
        self.general = None
        if self.hidden:
            self.general = MLPRegression(self.hidden, kept, dtype=self.dense_dtype, name="general")
            self.general.build(x_shape)

    def call(self, x, given):
        x, given = ops.cast(x, "float32"), ops.cast(given, "float32")
        x = ops.where(ops.expand_dims(given > 0.5, -1), x, ops.zeros_like(x))  # what is not given: anything
        waves = self.waves(x)
        kernel, draws = (ops.cast(v, "float32") for v in (self.kernel, self.draws))
        doubt = ops.mean(ops.square(ops.matmul(waves, draws)), axis=-1)
        y = ops.matmul(waves, kernel)
        if self.hidden:
            y = y * ops.expand_dims(trusted(doubt, ops.cast(self.trust, "float32")), -1) + self.general(x)
        return self.array_of(y, given), doubt

    def waves(self, x):
        """The random features of vectors, float32 `(n, d)`: float32 `(n, features)`."""
        directions, frequencies, phases = (
            ops.cast(v, "float32") for v in (self.directions, self.frequencies, self.phases)
        )
        return 2.0**0.5 * ops.cos(ops.matmul(ops.matmul(x, directions), frequencies) + phases)

    def array_of(self, components, given):
        """Arrays, float32 `(n, *shape)`, of principal components, float `(n, components)`; zeros where they
        are not given, float or bool `(n,)`."""
        basis, mean, given = (ops.cast(v, "float32") for v in (self.basis, self.mean, given))
        y = ops.matmul(ops.cast(components, "float32"), basis) + mean
        y = ops.where(ops.expand_dims(given > 0.5, -1), y, ops.zeros_like(y))
        return ops.reshape(y, (-1, *self.shape))

    def compute_output_spec(self, x, given):
        draft = keras.KerasTensor((x.shape[0], *self.shape), dtype="float32", name=self.name)
        return draft, keras.KerasTensor((x.shape[0],), dtype="float32", name=f"{self.name}_doubt")

    def adapt(self, x, y, weights=None, ridge=1e-3, seed=0, groupings=()):
        """Set the weights from examples, to least squares: sum_i weights_i |y_i - f(x_i)|^2 in the mean, plus
        `ridge` times the square of the kernel weights.

        What is said of an example that one has learned from is better than what will be said of others. How
        it would be without that example, or without a group of them, follows from the same equations
        (leave-one-out: Golub, Heath and Wahba 1979).

        Takes memory for `min(n, features)^2` numbers of 4 bytes, three times, and time for the solution of as
        many equations: five minutes for 16,384 on two cores, and as much again for groups.

        Args:
            x: float array `(n, d)`.
            y: float array `(n, *shape)`.
            weights: float array `(n,)` above 0, how much each example counts in memory. `None`: all the same.
            ridge: float above 0. Smaller: examples are remembered better; larger: more is taken from others
                alike.
            seed: int, of the random features.
            groupings: sequence of int arrays `(n,)`, equal for examples of one group, each group within one
                of the next grouping.

        Returns:
            list of `(components, doubt)`, float32 `(n, components)` and `(n,)`, one for each grouping: what
            would be said of each example if those of its group had not been there.

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
        self.mean.assign(mean)
        self.basis.assign(basis)
        random = random_stream(seed, "random Fourier features")
        self._draw_waves(x, random)

        def waves(rows):
            return root[rows] * ops.convert_to_numpy(self.waves(x[rows]))

        targets = root * ((y - mean) @ basis.T)
        general, without_general = np.zeros_like(targets), []
        if self.hidden:
            # Each example counts the same: weights that favour the rare would hide what many have in common.
            without_general = self.general.adapt(x, targets / root, seed, groupings)
            general = root * self.general.said(x)
        equations = Equations(waves, len(x), self.features, ridge * len(x))
        self.kernel.assign(equations.solve(targets - general))
        self.draws.assign(equations.draws(random, DRAWS))
        memory = [
            ((targets - general - left) / root, doubt / root[:, 0] ** 2)
            for left, doubt in equations.without(targets - general, groupings)
        ]
        if not self.hidden:
            return memory
        left_out = [(said, *more) for said, more in zip(without_general, memory, strict=True)]
        some = spread(len(x), MOST_MEASURED)
        doubt = ops.convert_to_numpy(self(x[some], np.ones(len(some), "float32"))[1])
        said = [(general[some] / root[some], equations.said(some) / root[some], doubt)]
        said += [tuple(part[some] for part in parts) for parts in left_out]
        self.trust.assign(find_trust(said, targets[some] / root[some], root[some, 0] ** 2))
        trust = ops.convert_to_numpy(self.trust)
        return [
            (general + ops.convert_to_numpy(trusted(doubt, trust))[:, None] * more, doubt)
            for general, more, doubt in left_out
        ]

    def _draw_waves(self, x, random):
        _, directions = principal_components(x, np.ones(len(x)), self.directions.shape[1])
        width = np.sqrt(2 * np.square(x - x.mean(axis=0)).sum(axis=1).mean() + 1e-12)
        frequencies = random.standard_normal(self.frequencies.shape, dtype="float32")
        frequencies *= np.sqrt(-2 * np.log(AVERAGE_KERNEL)) / width
        phases = random.uniform(0, 2 * np.pi, self.features)
        drawn = [(self.directions, directions.T), (self.frequencies, frequencies), (self.phases, phases)]
        for weight, values in drawn:  # such that keeping them at half precision changes nothing
            weight.assign(values.astype("float16").astype("float32"))

    def get_config(self):
        return {
            **super().get_config(),
            "features": self.features,
            "components": self.components,
            "shape": self.shape,
            "hidden": self.hidden,
        }


def trusted(doubt, trust):
    """How far memory is trusted where there is doubt, `(n,)`: 0 to 1. trust: `KernelRegression.trust`."""
    return ops.sigmoid(trust[1] * (trust[0] - ops.log(doubt + 1e-12)))


def find_trust(said, targets, weights):
    """The logarithm of the scale, and the power, float32 `(2,)`, of the smallest squared error: half of it of
    what is known, half of what is not.

    Args:
        said: list of `(general, memory, doubt)`, float `(n, k)`, `(n, k)`, `(n,)`: of known examples first,
            then of left-out ones, if any (without: memory is trusted).
        targets: float `(n, k)`.
        weights: float `(n,)`, of examples.
    """
    if len(said) == 1:
        return np.float32([100, 1])
    # |general + trust memory - target|^2 is a parabola in trust, whose numbers do for every curve.
    parts = []
    for general, memory, doubt in said:
        rest = targets - general
        parts.append((doubt, np.square(memory).sum(axis=1), (memory * rest).sum(axis=1)))
    shares = [1.0] + [1 / (len(said) - 1)] * (len(said) - 1)
    doubts = np.log(np.concatenate([doubt for doubt, *_ in parts]) + 1e-12)
    found = []
    for scale in np.quantile(doubts, np.linspace(0.01, 0.99, 50)):
        for power in (0.5, 1, 2, 3, 5, 8):
            error = 0.0
            for share, (doubt, square, product) in zip(shares, parts, strict=True):
                trust = ops.convert_to_numpy(trusted(doubt.astype("float32"), (scale, power)))
                error += share * np.average(trust**2 * square - 2 * trust * product, weights=weights)
            found.append((error, scale, power))
    return np.float32(min(found)[1:])
