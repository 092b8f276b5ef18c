"""A guess of a picture, how far off it may be, and what is seen of the picture beside it."""

import keras
import numpy as np
from keras import ops

LEAST = 1e-6  # of a variance


@keras.saving.register_keras_serializable(package="keras_t2i")
class GuessVariance(keras.layers.Layer):
    """How far off a guess is, by how little is known where it was made.

    Mean squared error is taken for `offset + slope * doubt ** power`, at most that of knowing nothing: three
    numbers that `adapt` finds. Until then, and where nothing is given, it is that of knowing nothing.

    Args:
        data_std: float above 0, root mean square of what is guessed.

    Call: doubt, float `(n,)`, 0 or more (`KernelRegression`); given, float or bool `(n,)`, whether the guess
    counts: to float32 `(n,)`, mean squared error, above 0.
    """

    def __init__(self, data_std, **kwargs):
        super().__init__(**{"trainable": False, **kwargs})
        if not data_std > 0:
            raise ValueError(f"data_std must be above 0, received {data_std}")
        self.data_std = float(data_std)

    def build(self, *shapes):
        def initial(shape, dtype=None):
            square = self.data_std**2
            return ops.convert_to_tensor([square, 0.0, 1.0, square], dtype=dtype)

        self.curve = self.add_weight(shape=(4,), initializer=initial, trainable=False, name="curve")

    def call(self, doubt, given):
        offset, slope, power, _ = ops.unstack(ops.cast(self.curve, "float32"))
        doubt = ops.maximum(ops.cast(doubt, "float32"), 1e-12)
        known = ops.clip(offset + slope * ops.power(doubt, power), LEAST, self.data_std**2)
        return ops.where(ops.cast(given, "float32") > 0.5, known, self.data_std**2)

    def compute_output_spec(self, doubt, given):
        return keras.KerasTensor(doubt.shape, dtype="float32")

    def adapt(self, doubts, errors):
        """Find the numbers: of those powers the one, and the other two, under which errors that are normal
        are the likeliest.

        Args:
            doubts, errors: float arrays `(m,)`: of examples, what was said of them and their mean squared
                error.
        """
        doubts, errors = np.maximum(np.asarray(doubts, "float64"), 1e-12), np.asarray(errors, "float64")
        best = np.inf
        for power in np.linspace(0.1, 1, 10):
            for share in np.geomspace(1e-3, 1, 13):  # how much of the mean error the offset is
                offset = share * errors.mean()
                shape = doubts**power
                slope = (errors.mean() - offset) / shape.mean()
                variance = offset + slope * shape
                cost = np.mean(np.log(variance) + errors / variance)
                if cost < best:
                    best, found = cost, (offset, slope, power)
        self.curve.assign(np.array([*found, errors.mean()], "float32"))

    @property
    def mean(self):
        """float, mean squared error of the examples of `adapt`."""
        return float(ops.convert_to_numpy(self.curve)[3])

    def get_config(self):
        return {**super().get_config(), "data_std": self.data_std}


@keras.saving.register_keras_serializable(package="keras_t2i")
class Refinement(keras.layers.Layer):
    """A guess of a picture and a noisy view of it, weighed against each other; and a change of the outcome.

    If x_0 were normal around the guess with variance v, then given x_t its mean would be
    `(guess + snr v x_t / alpha) / (1 + snr v)` and its variance `v / (1 + snr v)`. That mean is what is said,
    plus `change` times that standard deviation: what a network has to add is of one size at all noise levels
    and for good guesses and bad ones, and what is known without it needs no learning. With the guess zero and
    v that of all pictures these are c_skip and c_out of EDM (Karras et al. 2022, arXiv 2206.00364, table 1).

    Args:
        data_std: float above 0, root mean square of x_0.

    Call: x, float `(n, h, w, c)`, x_t scaled to unit variance (`Process.c_in`); log_snr, float `(n,)`,
    infinities too; guess and change, float `(n, h, w, c)`; variance, float `(n,)` above 0, of the guess: to
    float32 `(n, h, w, c)`.
    """

    def __init__(self, data_std, **kwargs):
        super().__init__(**kwargs)
        if not data_std > 0:
            raise ValueError(f"data_std must be above 0, received {data_std}")
        self.data_std = float(data_std)

    def call(self, x, log_snr, guess, variance, change):
        inputs = (x, log_snr, guess, variance, change)
        x, log_snr, guess, variance, change = (ops.cast(value, "float32") for value in inputs)
        snr = ops.exp(ops.minimum(log_snr, 30.0))
        left = 1.0 / (1.0 + snr * variance)
        seen = variance * ops.sqrt(snr * (1.0 + snr * self.data_std**2)) * left
        factors = (left, seen, ops.sqrt(variance * left))
        left, seen, deviation = (ops.reshape(factor, (-1, 1, 1, 1)) for factor in factors)
        return left * guess + seen * x + deviation * change

    def compute_output_spec(self, x, log_snr, guess, variance, change):
        return keras.KerasTensor(x.shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "data_std": self.data_std}
