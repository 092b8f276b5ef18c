"""How well a picture survives its code."""

import numpy as np

from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float


def mean_psnr(autoencoder, pictures):
    """Mean over uint8 pictures `(n, s, s, 3)` of the PSNR in dB after `autoencoder`."""
    true = to_float(pictures)
    return float(psnr(true, autoencoder.predict(true, verbose=0)).mean())


def principal_components_psnr(pictures, unseen, numbers):
    """The same for principal component analysis, the best linear code.

    Args:
        pictures: uint8 `(n, s, s, 3)`, from which the components are learned.
        unseen: uint8 `(m, s, s, 3)`, on which they are measured.
        numbers: int, length of the code; at most n - 1 are used.

    Returns:
        Mean PSNR in dB.
    """
    known, true = (to_float(p).reshape(len(p), -1) for p in (pictures, unseen))
    mean = known.mean(axis=0)
    # The eigenvectors of the small one of X X' and X' X, largest first.
    centered = known - mean
    if len(centered) < centered.shape[1]:
        values, vectors = np.linalg.eigh(centered @ centered.T)
        kept = np.argsort(values)[::-1][: min(numbers, len(centered) - 1)]
        components = (centered.T @ vectors[:, kept]) / np.sqrt(np.maximum(values[kept], 1e-12))
    else:
        values, vectors = np.linalg.eigh(centered.T @ centered)
        components = vectors[:, ::-1][:, :numbers]
    decoded = (true - mean) @ components @ components.T + mean
    return float(psnr(true.reshape(unseen.shape), decoded.reshape(unseen.shape)).mean())
