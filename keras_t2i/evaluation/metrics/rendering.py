"""How well a small picture is drawn large: against the true large picture."""

import numpy as np
from PIL import Image

from keras_t2i.utils.images import psnr

RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "Lanczos": Image.Resampling.LANCZOS}


def edge_energy(pictures):
    """Mean square of the differences between neighboring pixels, of each picture: float `(n, h, w, c)` to
    float64 `(n,)`."""
    pictures = np.asarray(pictures, "float64")
    across, down = np.diff(pictures, axis=2), np.diff(pictures, axis=1)
    return np.square(across).mean(axis=(1, 2, 3)) + np.square(down).mean(axis=(1, 2, 3))


def rendering_figures(true, drawn):
    """Figures of pictures drawn large.

    Args:
        true, drawn: float32 `(n, s, s, 3)` in [-1, 1].

    Returns:
        `(psnr, edges)`, float arrays `(n,)`: PSNR in dB; and the drawn picture's `edge_energy` as a share of
        the true one's: 1 is as sharp, less is softer.
    """
    energy = edge_energy(true)
    return np.asarray(psnr(true, drawn)), edge_energy(drawn) / np.maximum(energy, 1e-12)


def resampled(pictures, size, method):
    """Pictures, uint8 `(n, s, s, 3)`, at another size by a filter out of `RESAMPLING`."""
    filter = RESAMPLING[method]
    return np.stack(
        [np.asarray(Image.fromarray(picture).resize((size, size), filter)) for picture in pictures]
    )
