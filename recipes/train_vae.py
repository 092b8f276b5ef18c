"""Lesson 6: a code with a distribution. Pictures that nobody drew, by a variational autoencoder.

    python recipes/train_vae.py                                   # on OpenMoji
    python recipes/train_vae.py --beta 10                         # cheaper codes: blurred, then collapsed
    python recipes/train_vae.py --conditional                     # drawn for a caption
    python recipes/train_vae.py --equivariance 1                  # codes for diffusion, which is then:
    python recipes/train_latent_diffusion.py --autoencoder runs/vae/preset

Draw a code at random and lesson 1's decoder shows nothing: codes of pictures are few places in a large space.
Here the encoder predicts not a code but a Gaussian, so the decoder learns what lies around it too, and these
Gaussians are drawn towards one that is known, the prior. The loss is what a picture costs, in nats: "kl", the
rate (how far the Gaussian is from the prior), and "reconstruction", the distortion (the decoder's error).

Beta trades one for the other. Where a latent number is worth less than it costs, the encoder stops using it
(posterior collapse; watch "active", the share in use); free bits are a price below which it costs nothing.
Samples stay blurred or broken: where pictures share a code, the one of least error is their mean, and all
Gaussians together do not fill the prior evenly. Diffusion of codes learns what they do fill.
"""

import common

from keras_t2i import models
from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.evaluation import mean_psnr
from keras_t2i.evaluation import principal_components_psnr
from keras_t2i.objectives.vae import Variational
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

DEFAULTS = {
    **{"minutes": 20, "batch_size": 16, "learning_rate": 1.5e-3},  # options
    "warm_up": 1000,  # steps in which beta rises from zero
    "pixel_deviation": None,  # of a pixel about the decoder's output; None: fitted to each batch
}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "vae", DEFAULTS, changes)
    add, weight = parser.add_argument, common.number(float, least=0)
    add("--beta", default=1.0, type=weight, help="factor of the code's price")
    add("--free-bits", default=0.0, type=weight, help="nats that each latent number may cost for nothing")
    add("--equivariance", default=0.0, type=weight, help="weight of pictures from smaller and turned codes")
    add("--conditional", action="store_true", help="learn to draw for captions")
    add("--dual-encoder", default="dual_encoder_openmoji_32", help=common.DUAL_ENCODER)
    args = common.start(parser, argv)
    pictures, unseen = common.load_splits(args)
    shown = unseen.take(range(min(12, len(unseen))))

    size = {"filters": (8, 16), "blocks": (0, 0)} if args.smoke else {}
    parts = [part(**size, dtype=args.precision) for part in (models.ImageEncoder, models.ImageDecoder)]
    dual_encoder = preprocessor = None
    if args.conditional:
        dual_encoder, preprocessor, _ = common.open_encoders(args)
        vae = models.VAE(*parts, concept_dim=dual_encoder.code_dim)
        vae.adapt(common.plain_concepts(dual_encoder, preprocessor, pictures))
        wanted = common.plain_concepts(dual_encoder, preprocessor, shown)
        flips = ()  # captions say "left" and "right"
    else:
        vae, wanted, flips = models.VAE(*parts), len(shown), (augmentation.horizontal_flip,)
    pipeline = Pipeline(pictures, preprocessor, args.batch_size, seed=args.seed, augmentations=flips)
    validation = Pipeline(unseen, preprocessor, args.batch_size, training=False)
    price = common.chosen(args, "beta", "warm_up", "free_bits", "pixel_deviation", "equivariance")
    objective = Variational(vae, dual_encoder, seed=args.seed, **price)
    objective.compile(common.adamw(args))

    def draw(objective):  # true pictures over reconstructions, over samples (for the captions of the former)
        again = predict_in_batches(objective.average, to_float(shown.pictures), len(shown))
        sampled = models.VAEStage(objective.average).sample_images(wanted, seed=0)
        return common.rows(shown.pictures, to_uint8(again), sampled)

    logs = common.train(args, objective, pipeline, validation, draw)
    best, watched = objective.average, ("kl", "reconstruction", "active", "equivariance")
    measured = pictures.spread(common.MOST_MEASURED).pictures
    linear = principal_components_psnr(measured, unseen.pictures, 512)
    table = [
        ("PSNR of unseen pictures by the mean code, dB", mean_psnr(best, unseen.pictures)),
        ("the same by PCA of 512 numbers", linear),
        *common.figures(logs, *(f"val_{name}" for name in watched)),
    ]
    drawn = {"pictures.png": ("picture: true over reconstructed over sampled", draw(objective))}
    common.finish(args, logs, best, table, drawn)


if __name__ == "__main__":
    common.script(main)
