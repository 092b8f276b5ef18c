"""Text -> code 1 -> picture -> image encoder -> code 2: the decoder learns from the difference."""

import keras
from keras import ops

from keras_t2i.layers import DifferentiableAugmentation
from keras_t2i.training.backend import SteppedObjective
from keras_t2i.training.objective import freeze
from keras_t2i.utils.images import to_float


def code_difference(code, other):
    """Squared distance of two concepts of length 1: `2 - 2 cos`. Float `(n, d)` twice, to `(n,)`."""
    return ops.sum(ops.square(ops.normalize(code) - ops.normalize(other)), axis=-1)


def pixel_difference(drawn, true):
    """Mean absolute difference, float32 scalar, without a gradient where there is none: JAX's own has one."""
    difference = drawn - true
    return ops.mean(difference * ops.stop_gradient(ops.sign(difference)))


class CodeConsistency(SteppedObjective):
    """A decoder is trained so that what it draws of a concept is seen as that concept.

    The encoders are trained before and stand still. Two forms:

    - "naive": the difference of code 1 and code 2 alone. The decoder finds patterns that please the
      encoder and look like nothing; ship as the lesson that it is.
    - "fixed": the picture is looked at through random changes; by further encoders too, each of which
      compares it with the true picture; and it is compared with the true picture's pixels.

    `outside` is an encoder that the loss never uses: the metric `outside`, the mean cosine between what
    it sees in the drawn and in the true picture, tells whether the picture improves or the encoders
    are being fooled.

    Args:
        network: Backbone, concepts `(n, d)` to pictures: `ConceptDecoder`.
        dual_encoder: `DualEncoder`, whose text tower makes code 1 and whose image tower makes code 2.
        critics: further frozen image encoders, `(n, s, s, 3)` to `(n, any)`; for "fixed".
        outside: frozen image encoder that only watches; optional.
        form: "fixed" or "naive".
        noise_scale: float, length of the random step taken from a concept (of length 1) in training, so
            that the decoder also draws what lies between captions.
        pixel_weight: float, weight of the mean absolute difference of pixels; for "fixed".
        look_at_every: int; in training the encoders of "fixed" look at one picture in so many: looking
            costs more than drawing, and the pixels teach every picture.
        Others as of `Objective`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l)}`.
    """

    def __init__(
        self,
        network,
        dual_encoder,
        critics=(),
        outside=None,
        form="fixed",
        noise_scale=0.1,
        pixel_weight=5.0,
        look_at_every=4,
        seed=0,
        **kwargs,
    ):
        super().__init__(network, seed=seed, **kwargs)
        if form not in ("fixed", "naive"):
            raise ValueError(f'form must be "fixed" or "naive", received {form!r}')
        self.dual_encoder = freeze(dual_encoder)
        self.critics = [freeze(c) for c in critics] if form == "fixed" else []
        self.outside = None if outside is None else freeze(outside)
        self.form, self.noise_scale, self.pixel_weight = form, noise_scale, pixel_weight
        self.look_at_every = look_at_every
        self.augmentation = DifferentiableAugmentation(seed=seed + 1, dtype="float32")
        self.consistency = keras.metrics.Mean(name="consistency")
        self.pixels = keras.metrics.Mean(name="pixels")
        self.outside_cosine = keras.metrics.Mean(name="outside")

    def call(self, x, training=False):
        """The concept that is drawn, and the picture."""
        concept = self.dual_encoder.encode_text(x["token_ids"])
        if training and self.noise_scale:
            noise = keras.random.normal(ops.shape(concept), seed=self.seed_generator)
            concept = ops.normalize(concept + self.noise_scale * noise / concept.shape[-1] ** 0.5)
        concept = ops.stop_gradient(concept)
        return concept, self.chosen(training)(concept, training=training)

    def judge(self, x, predicted, training):
        concept, drawn = predicted
        true = to_float(x["images"])
        pixels = pixel_difference(drawn, true)
        n = ops.shape(drawn)[0]
        few = (n + self.look_at_every - 1) // self.look_at_every if training else n
        if self.form == "naive":
            loss = consistency = ops.mean(code_difference(self.dual_encoder.encode_image(drawn), concept))
        else:
            view = self.augmentation(drawn[:few]) if training else drawn
            differences = [code_difference(self.dual_encoder.encode_image(view), concept[:few])]
            for critic in self.critics:
                target = ops.stop_gradient(critic(true[:few], training=False))
                differences.append(code_difference(critic(drawn[:few], training=False), target))
            consistency = ops.mean(ops.stack(differences))
            loss = consistency + self.pixel_weight * pixels
        self.consistency.update_state(consistency)
        self.pixels.update_state(pixels)
        if self.outside is not None:
            seen = self.outside(ops.clip(ops.stop_gradient(drawn[:few]), -1.0, 1.0), training=False)
            cosine = 1.0 - code_difference(seen, self.outside(true[:few], training=False)) / 2
            self.outside_cosine.update_state(ops.stop_gradient(cosine))
        return loss

    def step(self, x):
        return self.minimize(lambda: self.judge(x, self(x, training=True), True))
