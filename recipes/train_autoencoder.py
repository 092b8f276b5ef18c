"""Lesson 1: a 32x32 picture becomes a code of 512 numbers, and a picture again.

    python recipes/train_autoencoder.py                     # on OpenMoji
    python recipes/train_autoencoder.py --data my_pictures  # on your own

An encoder of strided convolutions makes the code, a decoder of transposed convolutions undoes it, and both
learn from the difference of what went in and what came out. The yardstick is principal component analysis:
the best that any matrix can do with 512 numbers.
"""

import common

from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.evaluation import mean_psnr
from keras_t2i.evaluation import principal_components_psnr
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.objectives.reconstruction import Reconstruction
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8

DEFAULTS = {"minutes": 10, "batch_size": 16, "learning_rate": 1.5e-3}


def main(argv=None, **changes):
    parser = common.training_parser(__doc__, "autoencoder", DEFAULTS, changes)
    args = common.start(parser, argv)
    pictures, unseen = common.load_splits(args)
    pipeline = Pipeline(
        pictures, batch_size=args.batch_size, seed=args.seed, augmentations=(augmentation.horizontal_flip,)
    )
    validation = Pipeline(unseen, batch_size=args.batch_size, training=False)

    size = {"filters": (8, 16), "blocks": (0, 0)} if args.smoke else {}
    autoencoder = ConvAutoencoder(
        ImageEncoder(**size, dtype=args.precision), ImageDecoder(**size, dtype=args.precision)
    )
    objective = Reconstruction(autoencoder, seed=args.seed)  # the mean square of (decoder(encoder(x)) - x)
    objective.compile(common.adamw(args))

    shown = unseen.pictures[:12]

    def draw(objective):  # originals over reconstructions
        return common.rows(shown, to_uint8(objective.average.predict_on_batch(to_float(shown))))

    logs = common.train(args, objective, pipeline, validation, draw)

    best = objective.average
    measured = pictures.spread(common.MOST_MEASURED).pictures
    best.standardize(best.encoder.predict(to_float(measured), verbose=0))
    linear = principal_components_psnr(measured, unseen.pictures, 512)
    table = [
        ("PSNR of unseen pictures, dB", mean_psnr(best, unseen.pictures)),
        ("the same by PCA of 512 numbers", linear),
    ]
    common.finish(args, logs, best, table, {"reconstructions.png": ("picture", draw(objective))})


if __name__ == "__main__":
    common.script(main)
