"""Lesson 6: a code with a distribution. Pictures that nobody drew, by a variational autoencoder.

    python recipes/train_vae.py                                   # on OpenMoji
    python recipes/train_vae.py --beta 10                         # cheaper codes: blurred, then collapsed
    python recipes/train_vae.py --conditional                     # drawn for a caption
    python recipes/train_vae.py --equivariance 1                  # codes for diffusion, which is then:
    python recipes/train_diffusion.py --space latent --autoencoder runs/vae/preset

Draw a code at random and lesson 1's decoder shows nothing: codes of pictures are few places in a large space.
Here the encoder says not a code but a Gaussian, so the decoder learns what lies around it too, and these
Gaussians are drawn towards one that is known, the prior. What a picture costs, in nats, is the sum of two
prices, and the loss is that sum: "kl", of its code (how far the Gaussian is from the prior), and
"reconstruction", of what the decoder got wrong.

Beta trades one for the other. Where a latent number is worth less than it costs, the encoder stops using it:
its Gaussian is the prior itself (posterior collapse; watch "active", the share of numbers in use), and free
bits give each a price below which it costs nothing. Samples stay blurred or broken for two reasons. Where
several pictures share a code, the one of least error is their mean; and all pictures' Gaussians together do
not fill the prior evenly, so some of its draws are of no picture. Diffusion in the space of codes learns what
they do fill.
"""

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.evaluation import mean_psnr
from keras_t2i.evaluation import principal_components_psnr
from keras_t2i.models import VAE
from keras_t2i.models import DualEncoder
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.objectives.vae import Variational
from keras_t2i.training.options import adamw
from keras_t2i.training.options import load_splits
from keras_t2i.training.options import prepare
from keras_t2i.training.options import print_table
from keras_t2i.training.options import training_parser
from keras_t2i.training.run import peak_memory
from keras_t2i.training.run import train
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8


def parse(argv):
    parser = training_parser(__doc__, "vae", epochs=32, batch_size=16, learning_rate=1.5e-3)
    add = parser.add_argument
    add("--beta", default=1.0, type=float, help="factor of the code's price")
    add("--warm-up", default=0.1, type=float, help="share of the steps in which beta rises from zero")
    add("--free-bits", default=0.0, type=float, help="nats that each latent number may cost for nothing")
    add(
        "--pixel-deviation",
        type=float,
        help="of a pixel about what the decoder says; the default is fitted to each batch",
    )
    add("--equivariance", default=0.0, type=float, help="weight of pictures from shrunk and turned codes")
    add("--conditional", action="store_true", help="learn to draw for captions")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help="preset of lesson 2, for --conditional")
    args = parser.parse_args(argv)
    if not 0 <= args.warm_up <= 1:
        parser.error("--warm-up must be a share, from 0 to 1")
    return args


def main(argv=None):
    args = parse(argv)
    settings = prepare(args)
    pictures, unseen = load_splits(args)
    size = {"filters": (8, 16), "blocks": (0, 0)} if args.smoke else {}
    parts = ImageEncoder(**size, dtype=args.precision), ImageDecoder(**size, dtype=args.precision)

    dual_encoder = preprocessor = concepts = None
    augmentations = (augmentation.horizontal_flip,)
    shown = unseen.take(range(min(12, len(unseen))))
    if args.conditional:
        dual_encoder = DualEncoder.from_preset(args.dual_encoder)
        preprocessor = TextToImagePreprocessor.from_preset(args.dual_encoder)
        augmentations = ()  # captions say "left" and "right"
        concepts = concepts_of(dual_encoder, preprocessor, shown)
        vae = VAE(*parts, concept_dim=dual_encoder.code_dim)
        vae.whiten(concepts_of(dual_encoder, preprocessor, pictures))
    else:
        vae = VAE(*parts)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed, augmentations=augmentations)
    steps = args.epochs * len(pipeline)
    objective = Variational(
        vae,
        dual_encoder,
        beta=args.beta,
        warm_up=round(args.warm_up * steps),
        free_bits=args.free_bits,
        pixel_deviation=args.pixel_deviation,
        equivariance=args.equivariance,
        seed=args.seed,
    )
    objective.compile(optimizer=adamw(args, steps))

    def draw(objective):  # true pictures over reconstructions, over samples (for the captions of the former)
        vae, true = objective.average, to_float(shown.pictures)
        drawn = to_uint8(predict_in_batches(vae, true, len(true)))
        sampled = vae.sample(len(true) if concepts is None else concepts, seed=0)
        return make_grid(np.concatenate([shown.pictures, drawn, sampled]), columns=len(true), scale=3)

    logs = train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=Pipeline(unseen, preprocessor, args.batch_size, training=False),
        draw=draw,
        settings=settings,
        restart=args.restart,
    )

    best = objective.average
    save_png(draw(objective), args.output / "pictures.png")
    best.save_to_preset(args.output / "preset", weights_dtype="float16")
    print_table(
        [
            ("PSNR of unseen pictures by the mean code, dB", mean_psnr(best, unseen.pictures)),
            (
                "the same by PCA of 512 numbers",
                principal_components_psnr(pictures.pictures, unseen.pictures, 512),
            ),
            *((f"validation {name}", logs[f"val_{name}"]) for name in prices(args) if f"val_{name}" in logs),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            ("picture: true over reconstructed over sampled", args.output / "pictures.png"),
            ("preset", args.output / "preset"),
            ("logs (tensorboard --logdir)", args.output / "logs"),
        ]
    )


def prices(args):
    return ["kl", "reconstruction", "active", *(["equivariance"] if args.equivariance else [])]


def concepts_of(dual_encoder, preprocessor, pictures):
    """The concept of each picture's first caption: float32 `(n, code_dim)` of length 1."""
    token_ids = preprocessor.generate_preprocess(pictures.plain_captions)
    return l2_normalize(predict_in_batches(dual_encoder.text_encoder, token_ids, 256))


if __name__ == "__main__":
    main()
