"""Lesson 1: a 32x32 picture becomes a code of 512 numbers, and a picture again.

    python recipes/train_autoencoder.py                     # on OpenMoji
    python recipes/train_autoencoder.py --data my_pictures  # on your own

An encoder of strided convolutions makes the code, a decoder of transposed convolutions undoes it, and
both learn from the difference of what went in and what came out. The yardstick is principal component
analysis: the best that any matrix can do with 512 numbers. Expected figures are in the README.
"""

import numpy as np

from keras_t2i.data import Pipeline
from keras_t2i.data import augmentation
from keras_t2i.evaluation import mean_psnr
from keras_t2i.evaluation import principal_components_psnr
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.objectives.reconstruction import Reconstruction
from keras_t2i.training.options import adamw
from keras_t2i.training.options import load_splits
from keras_t2i.training.options import prepare
from keras_t2i.training.options import print_table
from keras_t2i.training.options import training_parser
from keras_t2i.training.run import peak_memory
from keras_t2i.training.run import train
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8


def main(argv=None):
    parser = training_parser(__doc__, "autoencoder", epochs=32, batch_size=16, learning_rate=1.5e-3)
    args = parser.parse_args(argv)
    settings = prepare(args)
    pictures, unseen = load_splits(args)
    size = {"filters": (8, 16), "blocks": (0, 0)} if args.smoke else {}

    autoencoder = ConvAutoencoder(
        ImageEncoder(**size, dtype=args.precision), ImageDecoder(**size, dtype=args.precision)
    )
    pipeline = Pipeline(
        pictures, batch_size=args.batch_size, seed=args.seed, augmentations=(augmentation.horizontal_flip,)
    )
    objective = Reconstruction(autoencoder, seed=args.seed)
    objective.compile(optimizer=adamw(args, args.epochs * len(pipeline)))

    shown = to_float(unseen.pictures[:12])

    def draw(objective):  # originals over reconstructions
        decoded = objective.average.predict_on_batch(shown)
        return make_grid(to_uint8(np.concatenate([shown, decoded])), columns=len(shown), scale=3)

    logs = train(
        objective,
        pipeline,
        args.epochs,
        args.output,
        validation=Pipeline(unseen, batch_size=args.batch_size, training=False),
        draw=draw,
        settings=settings,
        restart=args.restart,
    )

    best = objective.average
    best.standardize(best.encoder.predict(to_float(pictures.pictures), verbose=0))
    save_png(draw(objective), args.output / "reconstructions.png")
    best.save_to_preset(args.output / "preset", weights_dtype="float16")
    print_table(
        [
            ("PSNR of unseen pictures, dB", mean_psnr(best, unseen.pictures)),
            (
                "the same by PCA of 512 numbers",
                principal_components_psnr(pictures.pictures, unseen.pictures, 512),
            ),
            ("minutes", logs["seconds"] / 60),
            ("peak memory, MiB", peak_memory()),
            ("picture", args.output / "reconstructions.png"),
            ("preset", args.output / "preset"),
            ("logs (tensorboard --logdir)", args.output / "logs"),
        ]
    )


if __name__ == "__main__":
    main()
