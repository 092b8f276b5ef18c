"""Text -> code 1 -> picture -> image encoder -> code 2: the decoder learns from the difference."""

import keras
from keras import ops

from keras_t2i.layers import DifferentiableAugmentation
from keras_t2i.training.objective import freeze
from keras_t2i.training.stepped_objective import SteppedObjective
from keras_t2i.utils.deprecation import former_argument
from keras_t2i.utils.images import to_float


def code_difference(code, other):
    """Squared distance of two concepts of length 1: `2 - 2 cos`. Float `(n, d)` twice, to `(n,)`."""
    return ops.sum(ops.square(ops.normalize(code) - ops.normalize(other)), axis=-1)


def pixel_difference(drawn, true):
    """Mean absolute difference, float32 scalar, without a gradient where there is none: JAX's own has one."""
    difference = drawn - true
    return ops.mean(difference * ops.stop_gradient(ops.sign(difference)))


@keras.saving.register_keras_serializable(package="keras_t2i")
class CodeConsistency(SteppedObjective):
    """A decoder is trained so that an image encoder sees in its drawing the concept that was drawn.

    The encoders are trained before and frozen. Two forms:

    - "naive": the difference of code 1 and code 2 alone. The decoder finds patterns that please the
      encoder and look like nothing; ship as the lesson that it is.
    - "fixed": the encoder sees the drawing through random changes; further encoders compare it with the
      true picture; and it is compared with the true picture's pixels.

    `outside` is an encoder that the loss never uses: the metric `outside`, the mean cosine between its
    embeddings of the drawn and of the true picture, tells whether the picture improves or the encoders
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
        encoder_loss_stride: int; in training the encoders of "fixed" are evaluated on one picture in so many:
            that costs more than drawing, and the pixels teach every picture.
        look_at_every: former name of `encoder_loss_stride`, for one release.
        kwargs: `averages` of `Objective`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l)}`.

    Raises: ValueError for an unknown form.
    """

    needs_whole_batch = True  # encoders see the first few pictures of the batch

    def __init__(
        self,
        network,
        dual_encoder,
        critics=(),
        outside=None,
        form="fixed",
        noise_scale=0.1,
        pixel_weight=5.0,
        encoder_loss_stride=4,
        seed=0,
        look_at_every=None,
        **kwargs,
    ):
        super().__init__(network, seed=seed, **kwargs)
        if form not in ("fixed", "naive"):
            raise ValueError(f'form must be "fixed" or "naive", received {form!r}')
        self.dual_encoder = freeze(dual_encoder)
        self.critics = [freeze(c) for c in critics] if form == "fixed" else []
        self.outside = None if outside is None else freeze(outside)
        self.form, self.noise_scale, self.pixel_weight = form, noise_scale, pixel_weight
        self.encoder_loss_stride = former_argument(
            "look_at_every", look_at_every, "encoder_loss_stride", encoder_loss_stride
        )
        self.augmentation = DifferentiableAugmentation(seed=seed + 1, dtype="float32")
        self.consistency = keras.metrics.Mean(dtype="float32", name="consistency")
        self.pixels = keras.metrics.Mean(dtype="float32", name="pixels")
        self.outside_cosine = keras.metrics.Mean(dtype="float32", name="outside")

    def call(self, x, training=False):
        """The concept that is drawn, and the picture."""
        concept = self.dual_encoder.encode_text(x["token_ids"])
        if training and self.noise_scale:
            noise = keras.random.normal(ops.shape(concept), dtype="float32", seed=self.seed_generator)
            concept = ops.normalize(concept + self.noise_scale * noise / concept.shape[-1] ** 0.5)
        concept = ops.stop_gradient(concept)
        return concept, self.chosen(training)(concept, training=training)

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        concept, drawn = y_pred
        true = to_float(x["images"])
        pixels = pixel_difference(drawn, true)
        n = ops.shape(drawn)[0]
        few = (n + self.encoder_loss_stride - 1) // self.encoder_loss_stride if training else n
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
