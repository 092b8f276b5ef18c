"""What a concept looks like, remembered in closed form: no step of training, minutes of linear algebra."""

import keras
import numpy as np
from keras import ops

from keras_t2i.layers.least_squares import Equations
from keras_t2i.utils.random_streams import random_stream

# Two examples at an average distance are this alike. Nearer to 1 the features tell neighbours apart only with
# large weights, nearer to 0 nothing is learned of one thing from another.
AVERAGE_KERNEL = 0.53
DRAWS = 32  # of the weights, around the best ones
DIRECTIONS = 192  # in which the vectors of examples differ most; what lies beyond does not count


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

    Args:
        features: int, random cosines. About as many different things can be remembered.
        components: int, principal components of the arrays; all of them where there are fewer.
        shape: tuple of ints, of an array.

    Call: float `(n, d)` vectors, float or bool `(n,)` given (0: zeros in place of what the vector says), to
    float32 `(n, *shape)` and `(n,)`, the doubt: that variance for a ridge of 1, 0 or more.
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

        self.directions = weight("directions", (d, min(d, DIRECTIONS)))
        self.frequencies = weight("frequencies", (min(d, DIRECTIONS), self.features))
        self.phases = weight("phases", (self.features,))
        self.kernel = weight("kernel", (self.features, kept))
        self.basis = weight("basis", (kept, size))
        self.mean = weight("mean", (size,))
        self.draws = weight("draws", (self.features, DRAWS))

    def call(self, x, given):
        x, kernel, draws, given = (ops.cast(v, "float32") for v in (x, self.kernel, self.draws, given))
        here = ops.expand_dims(given > 0.5, -1)
        waves = self.waves(ops.where(here, x, ops.zeros_like(x)))  # what is not given may hold anything
        y = self.array_of(ops.matmul(waves, kernel), given)
        return y, ops.mean(ops.square(ops.matmul(waves, draws)), axis=-1)

    def waves(self, x):
        """The random features of vectors, float32 `(n, d)`: float32 `(n, features)`."""
        directions, frequencies, phases = (
            ops.cast(v, "float32") for v in (self.directions, self.frequencies, self.phases)
        )
        x = ops.matmul(ops.matmul(x, directions), frequencies)
        return 2.0**0.5 * ops.cos(x + phases)

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
            weights: float array `(n,)` above 0, how much each example counts. `None`: all the same.
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
        random = random_stream(seed, "random Fourier features")
        _, directions = principal_components(x, np.ones(len(x)), self.directions.shape[1])
        width = np.sqrt(2 * np.square(x - x.mean(axis=0)).sum(axis=1).mean() + 1e-12)
        spread = np.sqrt(-2 * np.log(AVERAGE_KERNEL)) / width
        frequencies = random.standard_normal(self.frequencies.shape, dtype="float32") * spread
        phases = random.uniform(0, 2 * np.pi, self.features)
        for weight, values in (
            (self.directions, directions.T),
            (self.frequencies, frequencies),
            (self.phases, phases),
        ):
            weight.assign(
                np.float32(np.float16(values))
            )  # so that keeping them at half precision changes nothing

        def waves(rows):
            return root[rows] * ops.convert_to_numpy(self.waves(x[rows]))

        targets = root * ((y - mean) @ basis.T)
        equations = Equations(waves, len(x), self.features, ridge * len(x))
        self.mean.assign(mean)
        self.basis.assign(basis)
        self.kernel.assign(equations.solve(targets))
        self.draws.assign(equations.draws(random, DRAWS))
        left_out = equations.without(targets, groupings) if groupings else []
        return [
            ((targets - residuals) / root, variances / root[:, 0] ** 2) for residuals, variances in left_out
        ]

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
