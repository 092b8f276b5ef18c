"""Lesson 5: an adversary. A decoder draws; a discriminator learns to tell its drawings from real pictures.

    python recipes/train_gan.py --start generator_openmoji_32           # on from the decoder of lesson 3
    python recipes/train_gan.py --minutes 60                            # from scratch: takes much longer
    python recipes/train_gan.py --loss nonsaturating --r1 0 --r2 0      # as in 2014: the lesson

A loss on pixels asks for the mean of all pictures that a caption may mean: soft shapes. A discriminator asks
that the drawing be one of them, and fit its caption. What the logs show, and what cures it:
- A saturated discriminator: both accuracies stay at 1, "gap" grows. The penalties r1 and r2 keep its slope
  flat where pictures are. Where "val_real_accuracy" alone is low, it knows its pictures by heart.
- Collapsed modes: "diversity_ratio" (of a batch) and "coverage" (of real pictures) fall, "seeds" (two
  drawings of a caption) is 0. The relativistic loss compares each with a real picture: safety does not pay.
- Oscillation: "gap" and the losses swing, for both chase each other. r1 and r2 damp it, and --alternate lets
  the generator answer the discriminator as it is now. "generator" may rise while drawings improve.
- A blind discriminator: "gap" is near 0, and drawings have a grain. It must see what you see: no noise on its
  pictures, drawings clipped at white; and it must learn faster than the generator.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.evaluation.metrics.mode_coverage import mode_coverage
from keras_t2i.objectives.gan import ConditionalGAN
from keras_t2i.objectives.gan_losses import LOSSES
from keras_t2i.training.callbacks import Measure

DEFAULTS = {
    **{"minutes": 15, "batch_size": 32, "learning_rate": 3e-4},  # options
    **{"noise_scale": 0.1, "pixel_weight": 5.0, "code_weight": 0.0},  # as in lesson 3
    "penalty": "finite_difference",  # how slopes are measured; "exact": by gradients of gradients
    "discriminator_rate": 3.0,  # its learning rate, in the generator's
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "gan", DEFAULTS, changes)
    add, weight = parser.add_argument, common.number(float, least=0)
    add("--loss", default="relativistic", choices=list(LOSSES), help="what the two want of each other")
    add("--alternate", action="store_true", help="discriminator first, then generator, not both at once")
    add("--start", default="", help="preset of lesson 3 whose encoders and decoder to go on from; none: anew")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    add("--r1", default=0.3, type=weight, help="of the discriminator's squared slope at real pictures")
    add("--r2", default=0.3, type=weight, help="the same at drawn ones")
    args = common.start(parser, argv)
    dual_encoder, preprocessor, start = common.open_encoders(args, models.OnePassStage, "lesson 3 or 5")
    pictures, unseen = common.load_splits(args, dual_encoder.image_size, preprocessor)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed)
    validation = Pipeline(unseen, preprocessor, args.batch_size, training=False)

    concepts = common.plain_concepts(dual_encoder, preprocessor, pictures)
    sizes = {"image_size": dual_encoder.image_size, "code_dim": dual_encoder.code_dim}
    sizes |= {"filters": (8, 8, 8), "blocks": (0, 0, 0)} if args.smoke else {}
    if start is None:
        decoder = models.ConceptDecoder(**sizes, dtype=args.precision)
        decoder.adapt(concepts, args.noise_scale)
    else:
        decoder = common.trainable_copy(start.decoder, args.precision)
    discriminator = models.Discriminator(**sizes, dtype=args.precision)
    discriminator.adapt(concepts)
    options = {"r1_weight": args.r1, "r2_weight": args.r2, "seed": args.seed, "loss": args.loss}
    options |= common.chosen(args, "alternate", "noise_scale", "penalty", "pixel_weight", "code_weight")
    objective = ConditionalGAN(decoder, discriminator, dual_encoder, **options)
    # No momentum: what pushed a step ago is another adversary's push. Two optimizers, two names in the logs.
    rates = {"generator": args.learning_rate, "discriminator": args.learning_rate * args.discriminator_rate}
    objective.compile(*(common.adamw(args, r, name=n, beta_1=0.0, beta_2=0.99) for n, r in rates.items()))

    stages = [models.TextStage(dual_encoder), models.OnePassStage(objective.average, args.noise_scale)]
    generator = models.Generator(models.TextToImageBackbone(stages), preprocessor)
    shown, asked = pictures.spread(12), pictures.spread(500)

    def drawings(data, seed):
        return generator.generate(data.plain_captions, seed=seed)

    def draw(objective):  # true pictures over two drawings of each caption
        return common.rows(shown.pictures, drawings(shown, 0), drawings(shown, 1000))

    def measure(objective):
        return mode_coverage(drawings(asked, 0), asked.pictures, drawings(asked, 1000))

    logs = common.train(args, objective, pipeline, validation, draw, [Measure(measure, times=20)])
    watched = "real_accuracy", "fake_accuracy", "val_real_accuracy", "gap", "diversity_ratio", "val_pixels"
    table = common.figures(logs, *watched)
    table += [(f"downsampled, {len(asked)} captions: {k}", v) for k, v in measure(objective).items()]
    pictures = {"drawings.png": ("picture: true over two drawings", draw(objective))}
    common.finish(args, logs, generator, table, pictures)


if __name__ == "__main__":
    common.script(main)
