"""Lesson 5: an adversary. A decoder draws; a discriminator learns to tell its drawings from real pictures.

    python recipes/train_gan.py --start generator_openmoji_32 --epochs 24   # on from the decoder of lesson 3
    python recipes/train_gan.py                                             # from scratch: takes much longer
    python recipes/train_gan.py --loss nonsaturating --r1 0 --r2 0          # as in 2014: the lesson
    python recipes/train_gan.py --data my_pictures --dual-encoder runs/concepts/preset

A loss on pixels asks for the mean of all pictures that a caption may mean: soft shapes. A discriminator asks
that the drawing be one of them. It sees picture and words together, so the drawing must also fit its caption.
Two networks that learn against each other need not settle. What the logs show, and what cures it:

- A saturated discriminator: "real_accuracy" and "fake_accuracy" stay at 1, "gap" grows, drawings get no
  better. Its slope is then anything at all. The penalties "r1" and "r2" keep it flat where pictures are. It
  has learned the pictures by heart where "real_accuracy" is high and "val_real_accuracy" low: that is why it
  looks through random changes, and why little data keeps a loss on pixels beside it (--pixel-weight).
- Collapsed modes: "variety" (drawings of a batch) and "coverage" (of real pictures by drawings) fall, "seeds"
  (two drawings of a caption) is 0. The relativistic loss compares each drawing with a real picture, so that
  it does not pay to draw only what is safe.
- Oscillation: "gap" and the losses swing, and the drawings with them, while both chase each other. R1 and R2
  damp it; --alternate lets the generator answer the discriminator as it is now; what is drawn and saved is
  the generator's average. The losses themselves tell nothing: "generator" may rise while drawings improve.
- A blind discriminator: all numbers are calm, "gap" stays near 0, and the drawings have a grain. Let it see
  what you see: no noise over its pictures, drawings cut off at white as they will be shown, and a
  discriminator that learns faster than the generator (--discriminator-rate).
"""

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.evaluation.metrics.mode_coverage import mode_coverage
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import Discriminator
from keras_t2i.models import DualEncoder
from keras_t2i.models import Generator
from keras_t2i.models import GeneratorBackbone
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.objectives.gan import ConditionalGAN
from keras_t2i.objectives.gan_losses import LOSSES
from keras_t2i.training.callbacks import Measure
from keras_t2i.training.options import adamw
from keras_t2i.training.options import load_splits
from keras_t2i.training.options import prepare
from keras_t2i.training.options import print_table
from keras_t2i.training.options import training_parser
from keras_t2i.training.run import peak_memory
from keras_t2i.training.run import train
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png

MEASURED = 500  # captions drawn for coverage


def parse(argv):
    parser = training_parser(__doc__, "gan", epochs=60, batch_size=32, learning_rate=3e-4)
    add = parser.add_argument
    add("--loss", default="relativistic", choices=list(LOSSES), help="what the two want of each other")
    add("--alternate", action="store_true", help="discriminator first, then generator, not both at once")
    add("--start", default="", help="preset of lesson 3 whose encoders and decoder to go on from; none: anew")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help="preset of lesson 2 (without --start)")
    add("--noise-scale", default=0.1, type=float, help="how far chance moves a concept (of length 1)")
    add("--r1", default=0.3, type=float, help="weight of the discriminator's squared slope at real pictures")
    add("--r2", default=0.3, type=float, help="the same at drawn ones")
    add(
        "--penalty",
        default="finite_difference",
        choices=["finite_difference", "exact"],
        help="how slopes are measured: by looks a small step to both sides, or by gradients of gradients",
    )
    add("--pixel-weight", default=5.0, type=float, help="weight of the true picture's pixels")
    add("--code-weight", default=0.0, type=float, help="weight of what the dual encoder sees in the drawing")
    add("--discriminator-rate", default=3.0, type=float, help="its learning rate, in the generator's")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    settings = prepare(args)
    dual_encoder, preprocessor, decoder = opened(args)
    pictures, unseen = load_splits(args, dual_encoder.image_size)
    plain = preprocessor.generate_preprocess(pictures.plain_captions)
    codes = dual_encoder.text_encoder.predict(plain, batch_size=256, verbose=0)
    concepts = l2_normalize(codes)

    small = {"filters": (8, 8, 8), "blocks": (0, 0, 0)} if args.smoke else {}
    shape = {"image_size": dual_encoder.image_size, "code_dim": dual_encoder.code_dim, **small}
    if decoder is None:
        decoder = ConceptDecoder(**shape, dtype=args.precision)
        decoder.whiten(concepts, args.noise_scale)
    discriminator = Discriminator(**shape, dtype=args.precision)
    discriminator.whiten(concepts)
    objective = ConditionalGAN(
        decoder,
        discriminator,
        dual_encoder,
        loss=args.loss,
        noise_scale=args.noise_scale,
        r1_weight=args.r1,
        r2_weight=args.r2,
        penalty=args.penalty,
        pixel_weight=args.pixel_weight,
        code_weight=args.code_weight,
        alternate=args.alternate,
        seed=args.seed,
    )
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed)
    # No momentum: what pushed a step ago is another adversary's push. Two optimizers, two names in the logs.
    steps, rate = args.epochs * len(pipeline), args.learning_rate
    calm = {"beta_1": 0.0, "beta_2": 0.99}
    objective.compile(
        adamw(args, steps, rate, **calm, name="generator"),
        adamw(args, steps, rate * args.discriminator_rate, **calm, name="discriminator"),
    )

    generator = Generator(GeneratorBackbone(dual_encoder, objective.average, args.noise_scale), preprocessor)
    shown = pictures.take(np.linspace(0, len(pictures) - 1, min(12, len(pictures))))
    asked = pictures.take(np.unique(np.linspace(0, len(pictures) - 1, MEASURED).astype(int)))

    def drawings(data, seed):
        return generator.generate(data.plain_captions, seed=seed)

    def draw(objective):  # true pictures over two drawings of each caption
        rows = [shown.pictures, drawings(shown, 0), drawings(shown, 1000)]
        return make_grid(np.concatenate(rows), columns=len(shown), scale=3)

    def measure(objective):
        return mode_coverage(drawings(asked, 0), asked.pictures, drawings(asked, 1000))

    logs = train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=Pipeline(unseen, preprocessor, args.batch_size, training=False),
        draw=draw,
        settings=settings,
        restart=args.restart,
        callbacks=[Measure(measure, max(1, args.epochs // 20), args.epochs)],
    )

    save_png(draw(objective), args.output / "drawings.png")
    generator.save_to_preset(args.output / "preset", weights_dtype="float16")
    watched = ("real_accuracy", "fake_accuracy", "val_real_accuracy", "gap", "variety", "val_pixels")
    print_table(
        [
            *((name, logs[name]) for name in watched if name in logs),
            *((f"thumbnails of {len(asked)} captions: {k}", v) for k, v in measure(objective).items()),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            ("picture: true over two drawings", args.output / "drawings.png"),
            ("preset", args.output / "preset"),
            ("logs (tensorboard --logdir)", args.output / "logs"),
        ]
    )
    print(f'\nTry: python recipes/generate.py "a red apple" --preset {args.output / "preset"}')


def opened(args):
    """The dual encoder, its preprocessor and, with `--start`, a decoder in the precision asked for."""
    if not args.start:
        preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
        return DualEncoder.from_preset(args.dual_encoder), preprocessor, None
    start = Generator.from_preset(args.start)
    if not isinstance(start.backbone, GeneratorBackbone):
        raise SystemExit(f"--start {args.start} is no decoder of concepts: give a preset of lesson 3 or 5")
    trained = start.backbone.decoder
    again = {"dtype": args.precision, "trainable": True}
    decoder = type(trained).from_config({**trained.get_config(), **again})
    decoder.set_weights(trained.get_weights())
    return start.backbone.dual_encoder, start.preprocessor, decoder


if __name__ == "__main__":
    main()
