"""Text -> concept -> picture, learned against an adversary that tells drawn pictures from real ones."""

import keras
from keras import ops

from keras_t2i.layers import DifferentiableAugmentation
from keras_t2i.models.stages.one_pass import ConceptNoise
from keras_t2i.objectives.consistency import code_difference
from keras_t2i.objectives.consistency import pixel_difference
from keras_t2i.objectives.gan_losses import LOSSES
from keras_t2i.objectives.gan_losses import accuracies
from keras_t2i.objectives.gan_losses import clamp_straight_through
from keras_t2i.objectives.gan_losses import diversity_ratio
from keras_t2i.objectives.gan_losses import midpoint
from keras_t2i.objectives.gan_losses import out_of_range_penalty
from keras_t2i.objectives.gan_losses import squared_gradient_estimate
from keras_t2i.objectives.gan_losses import squared_gradient_norm
from keras_t2i.training.objective import computes_in_float16
from keras_t2i.training.objective import freeze
from keras_t2i.training.optimizers import Optimizers
from keras_t2i.training.optimizers import scale_loss
from keras_t2i.training.stepped_objective import SteppedObjective
from keras_t2i.utils.images import to_float

OUT_OF_RANGE_WEIGHT = 5.0  # as much as pixels that differ
OPTIMIZERS = ("optimizer", "discriminator_optimizer")
METRICS = ["generator", "discriminator", "real_accuracy", "fake_accuracy", "gap", "diversity_ratio", "pixels"]


@keras.saving.register_keras_serializable(package="keras_t2i")
class ConditionalGAN(SteppedObjective):
    """A decoder draws captions so that a discriminator cannot tell its drawings from real pictures.

    The dual encoder is trained before and frozen: its concept of a caption, moved a little at random, is what
    the decoder draws, and the concept itself is what the discriminator is conditioned on. Drawn and real
    pictures are augmented before the discriminator sees them (DiffAugment, arXiv 2006.10738), or it would
    learn a few thousand pictures by heart; but without noise, which would hide a drawing's grain. It sees
    drawings clamped to [-1, 1], as a person does: a white ground may then be a little above white.

    The discriminator also loses `(r1_weight |grad D(real)|^2 + r2_weight |grad D(fake)|^2) / 2` (Mescheder et
    al. 2018, arXiv 1801.04406; both together: Huang et al. 2024, arXiv 2501.05441): flat where pictures are,
    it leaves the generator at rest once there is nothing left to tell. Without, the two may circle for ever.

    Args:
        network: Backbone, concepts `(n, d)` to pictures: `ConceptDecoder`.
        discriminator: Backbone, `{"images", "concepts"}` to `(n, 1)`: `Discriminator`; trained in place.
        dual_encoder: `DualEncoder`, whose text tower makes the concepts.
        loss: a name out of `gan_losses.LOSSES`: "nonsaturating", "hinge" or "relativistic".
        noise_scale: float, length of the random step from a concept, as of `GeneratorBackbone`.
        r1_weight, r2_weight: floats, of the penalties. Both 0: none are computed.
        penalty: "finite_difference", which evaluates the discriminator twice more, a random step away from
            the picture to both sides, or "exact", with gradients of gradients; of every other picture of a
            batch.
        penalty_step: float, the size of that step for each number of the picture.
        pixel_weight: float, weight in the generator's loss of the mean absolute difference from the true
            picture. Little data leaves the adversary without an opinion on most captions; this has one.
        code_weight: float, weight of the difference of the caption's concept and the dual encoder's embedding
            of the drawing (`CodeConsistency`). 0: not computed.
        alternate: bool. False: both move at once, from where they stand. True: the discriminator first,
            then the generator against the new one.
        kwargs: `averages` of `Objective`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l)}`.

    Metrics: "generator" and "discriminator", what each loses to the other alone, and `loss`, all that both
    lose; "real_accuracy" and "fake_accuracy", how often the discriminator is right; "gap", how much higher it
    scores real pictures; "diversity_ratio", how much drawings of a batch differ, 1: as real ones do;
    "pixels"; and, where they are used, "r1" and "r2", squared gradients, and "codes".

    Raises: ValueError for an unknown loss or penalty, networks whose sizes differ, or a frozen one.
    """

    needs_whole_batch = True  # what is penalized depends on the place in the batch

    def __init__(
        self,
        network,
        discriminator,
        dual_encoder,
        loss="relativistic",
        noise_scale=0.1,
        r1_weight=0.3,
        r2_weight=0.3,
        penalty="finite_difference",
        penalty_step=0.05,
        pixel_weight=5.0,
        code_weight=0.0,
        alternate=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(network, seed=seed, **kwargs)
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {sorted(LOSSES)}, received {loss!r}")
        if penalty not in ("finite_difference", "exact"):
            raise ValueError(f'penalty must be "finite_difference" or "exact", received {penalty!r}')
        if not (network.trainable_variables and discriminator.trainable_variables):
            raise ValueError("network and discriminator must be trainable: one of them is frozen")
        sees = tuple(discriminator.input[name].shape for name in ("images", "concepts"))
        draws = network.output_shape, network.input_shape
        if sees != draws:
            raise ValueError(f"the discriminator sees pictures and concepts {sees}, the network has {draws}")
        self.discriminator = discriminator
        self.dual_encoder = freeze(dual_encoder)
        self.noise = ConceptNoise(noise_scale, dtype="float32")
        self.augmentation = DifferentiableAugmentation(noise=0.0, seed=seed + 1, dtype="float32")
        self.adversarial_loss, self.pair_losses = loss, LOSSES[loss]
        self.r1_weight, self.r2_weight = r1_weight, r2_weight
        self.penalty, self.penalty_step = penalty, penalty_step
        self.pixel_weight, self.code_weight, self.alternate = pixel_weight, code_weight, alternate
        self.penalized = bool(r1_weight or r2_weight)
        names = [*METRICS, *(["r1", "r2"] if self.penalized else []), *(["codes"] if code_weight else [])]
        self.watched = {name: keras.metrics.Mean(dtype="float32", name=name) for name in names}

    def compile(self, optimizer, discriminator_optimizer, auto_scale_loss=True, **kwargs):
        """`fit`'s optimizers: of the network, and of the discriminator. Two objects, of two names (logs)."""
        parts = [(optimizer, self.network), (discriminator_optimizer, self.discriminator)]
        if auto_scale_loss and computes_in_float16(self):
            parts = [(scale_loss(optimizer), network) for optimizer, network in parts]
        parts = [(optimizer, network.trainable_variables) for optimizer, network in parts]
        super().compile(Optimizers(parts), **kwargs)

    def get_compile_config(self):
        return (
            {
                name: keras.optimizers.serialize(optimizer)
                for name, optimizer in zip(OPTIMIZERS, self.optimizer.optimizers, strict=True)
            }
            if self.compiled
            else {}
        )

    def compile_from_config(self, config):
        self.compile(**{name: keras.optimizers.deserialize(config[name]) for name in OPTIMIZERS})

    def call(self, x, training=False):
        """The concept that is drawn, and the picture."""
        concept = ops.stop_gradient(self.dual_encoder.encode_text(x["token_ids"]))
        seed = self.seed_generator if training else 0
        noise = keras.random.normal(ops.shape(concept), dtype="float32", seed=seed)
        return concept, self.chosen(training)(self.noise(concept, noise), training=training)

    def scores(self, images, concept, training):
        """The discriminator's, of augmented pictures: float32 `(n,)`."""
        scores = self.discriminator({"images": images, "concepts": concept}, training=training)
        return ops.squeeze(ops.cast(scores, "float32"), -1)

    def augmented(self, images, training):
        return self.augmentation(images) if training else images

    def discriminator_loss(self, x, concept, drawn, training):
        true, n = to_float(x["images"]), ops.shape(drawn)[0]
        drawn = ops.stop_gradient(clamp_straight_through(drawn))
        both = ops.concatenate([self.augmented(true, training), self.augmented(drawn, training)])
        twice = ops.concatenate([concept, concept])
        scores = self.scores(both, twice, training)
        real, fake = scores[:n], scores[n:]
        loss = self.pair_losses[0](real, fake)
        found = {"discriminator": loss, "diversity_ratio": diversity_ratio(drawn, true)}
        middle = midpoint(real, fake) if self.adversarial_loss == "relativistic" else 0.0
        found["real_accuracy"], found["fake_accuracy"] = accuracies(real, fake, middle)
        found["gap"] = ops.mean(real) - ops.mean(fake)
        if self.penalized:
            # Every other picture is enough: they come in random order.
            squares = self.squared_gradients(both[::2], twice[::2], training)
            real_ones = (n + 1) // 2
            found["r1"], found["r2"] = ops.mean(squares[:real_ones]), ops.mean(squares[real_ones:])
            loss = loss + (self.r1_weight * found["r1"] + self.r2_weight * found["r2"]) / 2
        self.watch(found)
        return loss

    def squared_gradients(self, images, concept, training):
        """Of the scores of `images`: float32 `(n,)`."""
        if self.penalty == "exact":
            return squared_gradient_norm(self, lambda x: self.scores(x, concept, training), images)
        seed = self.seed_generator if training else 1
        noise = keras.random.normal(ops.shape(images), dtype="float32", seed=seed)
        twice = ops.concatenate([concept, concept])
        return squared_gradient_estimate(
            lambda x: self.scores(x, twice, training), images, noise, self.penalty_step
        )

    def generator_loss(self, x, concept, drawn, training):
        true, real, penalty = to_float(x["images"]), None, out_of_range_penalty(drawn)
        drawn = clamp_straight_through(drawn)
        fake = self.scores(self.augmented(drawn, training), concept, training)
        if self.adversarial_loss == "relativistic":
            real = self.scores(self.augmented(true, training), concept, training)
        loss = self.pair_losses[1](real, fake)
        found = {"generator": loss, "pixels": pixel_difference(drawn, true)}
        loss = loss + self.pixel_weight * found["pixels"] + OUT_OF_RANGE_WEIGHT * penalty
        if self.code_weight:
            seen = self.dual_encoder.encode_image(self.augmented(drawn, training))
            found["codes"] = ops.mean(code_difference(seen, concept))
            loss = loss + self.code_weight * found["codes"]
        self.watch(found)
        return loss

    def watch(self, found):
        for name, value in found.items():
            self.watched[name].update_state(ops.stop_gradient(value))

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        """Of both; `step` minimizes each in its own network."""
        return self.discriminator_loss(x, *y_pred, training) + self.generator_loss(x, *y_pred, training)

    def step(self, x):
        generator, discriminator = self.network.trainable_variables, self.discriminator.trainable_variables
        of_generator, of_discriminator = self.optimizer.optimizers
        y_pred = self(x, training=True)
        lost, gradients = self.gradients_of(
            lambda: self.discriminator_loss(x, *y_pred, True), discriminator, optimizer=of_discriminator
        )
        if self.alternate:
            self.apply_gradients(gradients, discriminator, of_discriminator)
        # Drawn anew: the discriminator has just learned what it saw.
        also_lost, back = self.gradients_of(
            lambda: self.generator_loss(x, *self(x, training=True), True), generator, optimizer=of_generator
        )
        if not self.alternate:
            self.apply_gradients(gradients, discriminator, of_discriminator)
        self.apply_gradients(back, generator, of_generator)
        return lost + also_lost
