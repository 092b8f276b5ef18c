"""How well do pictures survive a code of 512 numbers? The autoencoder beside principal components.

    python benchmarks/autoencoder.py [PRESET] [--output originals_over_reconstructions.png]

"white masked" leaves out what is white in the original, for a white background is easily right.
"""

import argparse

import numpy as np

from keras_t2i.data import load
from keras_t2i.evaluation import mean_psnr
from keras_t2i.evaluation import principal_components_psnr
from keras_t2i.models import ConvAutoencoder
from keras_t2i.utils.images import make_grid
from keras_t2i.utils.images import save_png
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", nargs="?", default="autoencoder_openmoji_32", help="name or folder")
    parser.add_argument("--output", help="PNG of 20 unseen pictures over their reconstructions")
    args = parser.parse_args()
    autoencoder = ConvAutoencoder.from_preset(args.preset)
    train = load("openmoji", "train")
    print("| pictures | n | autoencoder, dB | white masked | PCA of 512 numbers, dB |\n|---|---|---|---|---|")
    for split, what in (
        ("train", "trained on"),
        ("validation", "concepts never seen"),
        ("test", "combinations never seen"),
    ):
        pictures = load("openmoji", split).pictures
        true = to_float(pictures)
        decoded = np.clip(autoencoder.predict(true, verbose=0), -1, 1)
        ink = np.broadcast_to((pictures < 255).any(axis=-1, keepdims=True), true.shape)
        error = np.square(true - decoded)
        masked = 10 * np.log10(4 * ink.sum(axis=(1, 2, 3)) / np.where(ink, error, 0).sum(axis=(1, 2, 3)))
        known = principal_components_psnr(train.pictures, pictures, 512)
        print(
            f"| {what} ({split}) | {len(pictures)} | {mean_psnr(autoencoder, pictures):.2f} "
            f"| {masked.mean():.2f} | {known:.2f} |",
            flush=True,
        )
        if args.output and split == "validation":
            few = np.linspace(0, len(pictures) - 1, 20).astype("int64")
            both = np.concatenate([pictures[few], to_uint8(decoded[few])])
            save_png(make_grid(both, columns=20, scale=2), args.output)


if __name__ == "__main__":
    main()
