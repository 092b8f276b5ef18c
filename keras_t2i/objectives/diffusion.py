"""The loss of any diffusion model, whatever it diffuses: add noise, predict, weigh, square."""

import math

import keras
import numpy as np
from keras import ops

from keras_t2i.diffusion import Parameterization
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import loss_weight
from keras_t2i.diffusion import training_times
from keras_t2i.diffusion.denoiser import Denoiser
from keras_t2i.training.averages import PowerFunctionEMA
from keras_t2i.training.backend import own_rows
from keras_t2i.training.backend import replicas
from keras_t2i.training.objective import Objective
from keras_t2i.utils.deprecation import former_argument

# Noise levels by logSNR, from the lowest (included) to the highest: the error at each is a metric.
LEVELS = {
    "noisiest": (-math.inf, -2.0),
    "noisy": (-2.0, 0.0),
    "clear": (0.0, 2.0),
    "clearest": (2.0, math.inf),
}
# Its multiples, modulo 1, fill [0, 1) evenly however many there are (the golden ratio's additive recurrence).
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class DiffusionObjective(Objective):
    """A clean x_0 becomes x_t = alpha x_0 + sigma noise at a random time; a network, given x_t and logSNR,
    predicts x_0, the noise, or a mixture of the two (Ho et al. 2020, arXiv 2006.11239).

    A subclass says in `clean` what x_0 is and in `condition` what else the network is given.

    In validation noise and times depend on the place in the batch and on its size alone: over a
    `Pipeline(training=False)` every example always meets the same noise, so epochs can be compared.

    Args:
        network: Backbone, trained in place.
        process, weight, times: a name out of `diffusion.PROCESSES`, `diffusion.weights.WEIGHTS`,
            `diffusion.timesteps.TRAINING_TIMES`, or a dict of "name" and its options.
        parameterization: what the network predicts: "x0", "epsilon", "v", "score" or "flow".
        data_std: float, root mean square of x_0.
        averages: of `Objective`; here `PowerFunctionEMA` by default.
        prediction: former name of `parameterization`, for one release.
        kwargs: of `Objective`.

    Metrics: the loss, and `error_noisiest` and so on: mean squared error of the estimate of x_0 where logSNR
    is in each of `LEVELS`; 0 where there was no example.

    Raises: ValueError for an unknown process, parameterization, weight or distribution of times, or a number
    out of range; TypeError for an unknown option.
    """

    x_name = "images"  # the network's input that takes x_t

    def __init__(
        self,
        network,
        process,
        parameterization,
        weight,
        times,
        data_std,
        averages=PowerFunctionEMA(),  # noqa: B008 (frozen)
        prediction=None,
        **kwargs,
    ):
        super().__init__(network, averages, **kwargs)
        parameterization = former_argument("prediction", prediction, "parameterization", parameterization)
        if data_std <= 0:
            raise ValueError(f"data_std must be above 0, received {data_std}")
        self.process = from_config(process)
        if not self.process.gaussian:
            raise ValueError(
                f"{self.process.name!r} does not end in noise, which {type(self).__name__} needs."
            )
        self.parameterization = Parameterization(parameterization, self.process)
        self.weight, self.times = named(weight), named(times)
        if self.weight["name"] == "edm":
            self.weight.setdefault("data_std", data_std)
        self.data_std = data_std
        self.errors = [keras.metrics.Mean(dtype="float32", name=f"error_{level}") for level in LEVELS]
        self.weights_of(np.array([0.5]))  # a wrong name or option is told now, not in the first step
        self.times_of(np.array([0.5]))

    def clean(self, x):
        """x_0 of a batch, float32 `(n, ...)`, of root mean square `data_std`."""
        raise NotImplementedError

    def condition(self, x, training):
        """The network's further inputs: a dict of tensors `(n, ...)`."""
        raise NotImplementedError

    def call(self, x, training=False):
        """Add noise, predict, weigh, square.

        Returns:
            dict of float32 tensors: "losses" `(n,)`, one for each example, and what they are made of: "x0",
            "noise", "x_t" and the network's "output" `(n, ...)`, "t" and "log_snr" `(n,)`.
        """
        x0 = self.clean(x)
        noise, t = self.noise_and_times(x0, training)
        x_t = self.process.diffuse(x0, noise, t)
        output = self.denoiser(training).output(x_t, t, self.condition(x, training), training)
        target = self.parameterization.target(x0, noise, t)
        losses = self.weights_of(t) * mean_square(output - target)
        times = {"t": t, "log_snr": self.process.log_snr(t)}
        return {**times, "x0": x0, "noise": noise, "x_t": x_t, "output": output, "losses": losses}

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        estimate = self.denoiser(training).x0(ops.stop_gradient(y_pred["output"]), y_pred["x_t"], y_pred["t"])
        error, log_snr = mean_square(estimate - y_pred["x0"]), y_pred["log_snr"]
        for metric, (lowest, highest) in zip(self.errors, LEVELS.values(), strict=True):
            here = ops.logical_and(log_snr >= lowest, log_snr < highest)
            metric.update_state(error, sample_weight=ops.cast(here, "float32"))
        return ops.mean(y_pred["losses"])

    def denoiser(self, training=False):
        """`Denoiser` of the network in training, of its average otherwise."""
        kind = self.parameterization.kind
        return Denoiser(self.chosen(training), self.process, kind, self.data_std, self.x_name)

    def noise_and_times(self, x0, training):
        """Standard normal noise of the shape of `x0`, and times, float32 `(n,)`."""
        n, shape = ops.shape(x0)[0], ops.shape(x0)[1:]
        place = own_rows(lambda n: ops.cast(ops.arange(n, dtype="int32"), "float32"), n)
        if training:
            # A batch covers all levels evenly (arXiv 2107.00630, appendix I.1).
            first = keras.random.uniform((), dtype="float32", seed=self.seed_generator)
            uniforms = ops.mod(first + place / ops.cast(n * replicas(), "float32"), 1.0)
        else:
            # So do these, however many they are, and a place's level does not depend on how many follow.
            uniforms = ops.mod((place + 1.0) * GOLDEN, 1.0)
        seed = self.seed_generator if training else 0
        noise = own_rows(lambda n: keras.random.normal((n, *shape), dtype="float32", seed=seed), n)
        return noise, self.times_of(uniforms)

    def times_of(self, uniforms):
        """Times `(n,)` of uniform numbers in [0, 1]."""
        options = {key: value for key, value in self.times.items() if key != "name"}
        return training_times(self.times["name"], uniforms, self.process, **options)

    def weights_of(self, t):
        """Weights `(n,)` of the squared errors of what is predicted."""
        options = {key: value for key, value in self.weight.items() if key != "name"}
        return loss_weight(self.weight["name"], self.parameterization, t, **options)

    def condition_mask(self, n, dropout, training):
        """float32 `(n,)`: 1 where a condition is given, 0 where it is withheld: at random in training, else
        only if it is never given (`dropout` 1)."""
        if not training:
            return ops.ones((n,), "float32") * float(dropout < 1)
        uniform = own_rows(lambda n: keras.random.uniform((n,), dtype="float32", seed=self.seed_generator), n)
        return ops.cast(uniform >= dropout, "float32")


def mean_square(difference):
    """Mean of the squares of each example: float `(n, ...)` to `(n,)`."""
    return ops.mean(ops.square(difference), axis=tuple(range(1, len(difference.shape))))


def named(choice):
    """A name, or a dict of "name" and options, as such a dict."""
    return dict(choice) if isinstance(choice, dict) else {"name": choice}


def check_dropout(name, dropout):
    """Raise a ValueError, by this name, for a share that is not in [0, 1)."""
    if not 0 <= dropout < 1:
        raise ValueError(f"{name} must be in [0, 1), received {dropout}")
