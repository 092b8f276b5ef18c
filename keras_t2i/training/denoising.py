"""A picture with noise on it, and what it shows in words: the network learns what the picture was."""

import math

import keras
import numpy as np
from keras import ops

from keras_t2i.diffusion import Prediction
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import loss_weight
from keras_t2i.diffusion import training_times
from keras_t2i.diffusion.namespace import expand
from keras_t2i.models.text_encoder import token_features
from keras_t2i.pictures import to_float
from keras_t2i.training.objective import freeze
from keras_t2i.training.power_average import PowerAveraged

# Noise levels by logSNR, from the lowest (included) to the highest: of each the error is a metric.
LEVELS = {
    "noisiest": (-math.inf, -2.0),
    "noisy": (-2.0, 0.0),
    "clear": (0.0, 2.0),
    "clearest": (2.0, math.inf),
}
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


class Denoising(PowerAveraged):
    """A diffusion model (Ho et al. 2020, arXiv 2006.11239) in its many forms.

    A picture x_0 becomes x_t = alpha x_0 + sigma noise at a random time, and the network, told x_t, logSNR
    and the caption, predicts the picture, the noise, or a mixture of the two. The text encoder is trained
    before and stands still. To keep its features of all captions would take gigabytes, and to compute them
    anew costs about a hundredth of a step.

    In validation noise and times depend on the place in the batch and on its size alone: over a
    `Pipeline(fixed=True)` every picture always meets the same noise, so epochs can be compared.

    Args:
        network: `DiffusionUNet`, of pictures or of latents.
        text_encoder: `CNNTextEncoder`.
        process, weight, times: a name out of `diffusion.PROCESSES`, `diffusion.weights.WEIGHTS`,
            `diffusion.times.TRAINING_TIMES`, or a dict of "name" and its options.
        prediction: what the network says: "x0", "epsilon", "v", "score" or "flow".
        caption_dropout: float in [0, 1), how often a caption is withheld in training, so that the network
            can draw without (classifier-free guidance, arXiv 2207.12598).
        data_std: float, root mean square of pictures as the network gets them.
        Others as of `PowerAveraged`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l)}`; with `"latents"`, float `(n, ...)`,
    these are diffused instead of the pictures.

    Metrics: the loss, and `error_noisiest` and so on: mean squared error of the estimate of x_0 where logSNR
    is in each of `LEVELS`; 0 where no picture was.

    Raises: ValueError for names and options that there are not, and sizes that do not fit.
    """

    def __init__(
        self,
        network,
        text_encoder,
        process="straight",
        prediction="x0",
        weight="velocity",
        times="logit_normal",
        caption_dropout=0.1,
        data_std=0.5,
        **kwargs,
    ):
        super().__init__(network, **kwargs)
        sizes = (text_encoder.code_dim, text_encoder.filters), (network.code_dim, network.token_dim)
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"the text encoder's codes and tokens have {sizes[0]} numbers, the network's {sizes[1]}"
            )
        if not 0 <= caption_dropout < 1:
            raise ValueError(f"caption_dropout must be in [0, 1), received {caption_dropout}")
        if data_std <= 0:
            raise ValueError(f"data_std must be above 0, received {data_std}")
        self.features = token_features(freeze(text_encoder))
        self.process = from_config(process)
        if not self.process.gaussian:
            raise ValueError(f"{self.process.name!r} does not end in noise, which Denoising needs.")
        self.prediction = Prediction(prediction, self.process)
        self.weight, self.times = _named(weight), _named(times)
        if self.weight["name"] == "edm":
            self.weight.setdefault("data_std", data_std)
        self.caption_dropout, self.data_std = caption_dropout, data_std
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

    def call(self, x, training=False):
        """Noise is put on the pictures, and the network looks: a dict of everything that was there."""
        x0 = ops.cast(x["latents"], "float32") if "latents" in x else to_float(x["images"])
        n = ops.shape(x0)[0]
        place = ops.cast(ops.arange(n), "float32")
        if training:
            # A batch covers all levels evenly (arXiv 2107.00630, appendix I.1).
            first = keras.random.uniform((), seed=self.seed_generator)
            uniforms = ops.mod(first + place / ops.cast(n, "float32"), 1.0)
            noise = keras.random.normal(ops.shape(x0), seed=self.seed_generator)
            given = keras.random.uniform((n,), seed=self.seed_generator) >= self.caption_dropout
        else:
            # So do these, however many they are, and a place's level does not depend on how many follow.
            uniforms = ops.mod((place + 1.0) * GOLDEN, 1.0)
            noise = keras.random.normal(ops.shape(x0), seed=0)
            given = ops.ones((n,), "bool")
        t = self.times_of(uniforms)
        noisy = self.process.diffuse(x0, noise, t)
        log_snr = self.process.log_snr(t)
        inputs = {
            "images": expand(self.process.input_scale(t, self.data_std), noisy) * noisy,
            "log_snr": log_snr,
            "conditioned": ops.cast(given, "float32"),
            **self.text(x["token_ids"]),
        }
        output = self.chosen(training)(inputs, training=training)
        return {"x0": x0, "noise": noise, "t": t, "log_snr": log_snr, "noisy": noisy, "output": output}

    def text(self, token_ids):
        """What the network hears of captions, int32 `(n, l)`: see `token_features`."""
        features = self.features(token_ids, training=False)
        return {name: ops.stop_gradient(ops.cast(value, "float32")) for name, value in features.items()}

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
