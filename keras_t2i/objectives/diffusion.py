"""What every diffusion model learns from, whatever it diffuses: noise levels, the loss, errors by level."""

import math

import keras
import numpy as np
from keras import ops

from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import loss_weight
from keras_t2i.diffusion import training_times
from keras_t2i.diffusion.namespace import expand
from keras_t2i.training.averages import PowerAveraged

# Noise levels by logSNR, from the lowest (included) to the highest: of each the error is a metric.
LEVELS = {
    "noisiest": (-math.inf, -2.0),
    "noisy": (-2.0, 0.0),
    "clear": (0.0, 2.0),
    "clearest": (2.0, math.inf),
}
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class DiffusionObjective(PowerAveraged):
    """A clean x_0 becomes x_t = alpha x_0 + sigma noise at a random time, and a network, told x_t and logSNR,
    predicts x_0, the noise, or a mixture of the two (Ho et al. 2020, arXiv 2006.11239).

    A subclass says in `call` what x_0 is and what else the network is told: it passes x_0 through
    `with_noise`, adds the network's "output", and returns all of it.

    In validation noise and times depend on the place in the batch and on its size alone: over a
    `Pipeline(training=False)` every example always meets the same noise, so epochs can be compared.

    Args:
        network: Backbone, trained in place.
        process, weight, times: a name out of `diffusion.PROCESSES`, `diffusion.weights.WEIGHTS`,
            `diffusion.times.TRAINING_TIMES`, or a dict of "name" and its options.
        prediction: what the network says: "x0", "epsilon", "v", "score" or "flow".
        data_std: float, root mean square of x_0.
        Others as of `PowerAveraged`.

    Metrics: the loss, and `error_noisiest` and so on: mean squared error of the estimate of x_0 where logSNR
    is in each of `LEVELS`; 0 where no example was.

    Raises: ValueError for names and options that there are not.
    """

    def __init__(self, network, process, prediction, weight, times, data_std, **kwargs):
        super().__init__(network, **kwargs)
        if data_std <= 0:
            raise ValueError(f"data_std must be above 0, received {data_std}")
        self.process = from_config(process)
        if not self.process.gaussian:
            raise ValueError(
                f"{self.process.name!r} does not end in noise, which {type(self).__name__} needs."
            )
        self.prediction = Parameterization(prediction, self.process)
        self.weight, self.times = _named(weight), _named(times)
        if self.weight["name"] == "edm":
            self.weight.setdefault("data_std", data_std)
        self.data_std = data_std
        self.errors = [keras.metrics.Mean(name=f"error_{level}") for level in LEVELS]
        self.weights_of(np.array([0.5]))  # a wrong name or option is told now, not in the first step
        self.times_of(np.array([0.5]))

    def times_of(self, uniforms):
        """Times `(n,)` of uniform numbers in [0, 1]."""
        options = {key: value for key, value in self.times.items() if key != "name"}
        return training_times(self.times["name"], uniforms, self.process, **options)

    def weights_of(self, t):
        """Weights `(n,)` of the squared errors of what is predicted."""
        options = {key: value for key, value in self.weight.items() if key != "name"}
        return loss_weight(self.weight["name"], self.prediction, t, **options)

    def with_noise(self, x0, training):
        """A dict: x0, noise, t `(n,)`, log_snr `(n,)`, noisy, and `scaled`, the same at unit variance."""
        n = ops.shape(x0)[0]
        place = ops.cast(ops.arange(n), "float32")
        if training:
            # A batch covers all levels evenly (arXiv 2107.00630, appendix I.1).
            first = keras.random.uniform((), seed=self.seed_generator)
            uniforms = ops.mod(first + place / ops.cast(n, "float32"), 1.0)
            noise = keras.random.normal(ops.shape(x0), seed=self.seed_generator)
        else:
            # So do these, however many they are, and a place's level does not depend on how many follow.
            uniforms = ops.mod((place + 1.0) * GOLDEN, 1.0)
            noise = keras.random.normal(ops.shape(x0), seed=0)
        t = self.times_of(uniforms)
        noisy = self.process.diffuse(x0, noise, t)
        scaled = expand(self.process.c_in(t, self.data_std), noisy) * noisy
        log_snr = self.process.log_snr(t)
        return {"x0": x0, "noise": noise, "t": t, "log_snr": log_snr, "noisy": noisy, "scaled": scaled}

    def given(self, x0, dropout, training):
        """float32 `(n,)`: 1 where a condition is told, 0 where it is withheld: in training by chance, else
        only if it never is told."""
        n = ops.shape(x0)[0]
        if not training:
            return ops.ones((n,), "float32") * float(dropout < 1)
        return ops.cast(keras.random.uniform((n,), seed=self.seed_generator) >= dropout, "float32")

    def judge(self, x, predicted, training):
        x0, t, output = (predicted[name] for name in ("x0", "t", "output"))
        axes = tuple(range(1, len(x0.shape)))
        target = self.prediction.target(x0, predicted["noise"], t)
        loss = ops.mean(self.weights_of(t) * ops.mean(ops.square(output - target), axis=axes))
        estimate = self.prediction.x0(ops.stop_gradient(output), predicted["noisy"], t)
        error = ops.mean(ops.square(estimate - x0), axis=axes)
        for metric, (lowest, highest) in zip(self.errors, LEVELS.values(), strict=True):
            log_snr = predicted["log_snr"]
            here = ops.logical_and(log_snr >= lowest, log_snr < highest)
            metric.update_state(error, sample_weight=ops.cast(here, "float32"))
        return loss


def _named(choice):
    """A name, or a dict of "name" and options, as such a dict."""
    return dict(choice) if isinstance(choice, dict) else {"name": choice}


def check_dropout(name, dropout):
    """Raise a ValueError, by this name, for a share that is not in [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(f"{name} must be in [0, 1), received {dropout}")
