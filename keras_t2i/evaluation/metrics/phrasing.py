"""Does it matter how a caption is put? Codes of captions of one picture, beside those of others."""

from dataclasses import dataclass
from dataclasses import replace

import keras
import numpy as np

from keras_t2i.layers import Whitening
from keras_t2i.training.encoding import text_embeddings

NOISE_VARIANCE = 1e-5  # differences of codes of length 1 that are smaller than its root stay small
BLOCK = 256  # captions that are compared with all at a time


@dataclass
class Agreement:
    """Squared distances of whitened codes (means), and how often the right one is the nearest.

    Attributes:
        own: float, of a picture's last caption from its plain one.
        other: float, of a plain caption from the nearest plain caption of another picture.
        found: float, share of last captions whose nearest plain caption is their picture's.
        captions: int, how many there are.
    """

    own: float
    other: float
    found: float
    captions: int

    def table(self, what):
        """Rows of a table of (what, figure); one that says why where nothing can be compared."""
        if self.captions < 2:
            return [(f"{what}: captions beside the plain one", "fewer than two pictures have any")]
        return [
            (f"{what}: a caption from its plain one, the nearest other = 1", self.own / self.other),
            (f"{what}: captions nearest to their plain one, of {self.captions}", self.found),
        ]


def otherwise(data):
    """`CaptionedImages` whose first caption is what was the last: the same pictures, asked for otherwise."""
    return replace(data, captions=[[captions[-1], *captions[:-1]] for captions in data.captions])


def agreement(dual_encoder, preprocessor, data):
    """`Agreement` of the captions of `data`.

    Pictures with one plain caption in common count once, those without another caption not at all.
    """
    _, first = np.unique(data.plain_captions, return_index=True)
    data = data.take([i for i in np.sort(first) if len(data.captions[i]) > 1])
    if len(data) < 2:
        return Agreement(float("nan"), float("nan"), float("nan"), len(data))
    plain, last = (
        text_embeddings(dual_encoder.text_encoder, preprocessor.generate_preprocess(d.plain_captions))
        for d in (data, otherwise(data))
    )
    whitening = Whitening.of(plain, plain.shape[1], NOISE_VARIANCE)
    plain, last = (keras.ops.convert_to_numpy(whitening(codes)) for codes in (plain, last))
    own, other, found = [], [], []
    for start in range(0, len(data), BLOCK):
        rows = slice(start, start + BLOCK)
        right = np.arange(len(data))[rows]
        own.append(np.square(last[rows] - plain[rows]).sum(axis=1))
        found.append(squared_distances(last[rows], plain).argmin(axis=1) == right)
        between = squared_distances(plain[rows], plain)
        between[right - start, right] = np.inf
        other.append(between.min(axis=1))
    own, other, found = (float(np.concatenate(parts).mean()) for parts in (own, other, found))
    return Agreement(own, other, found, len(data))


def squared_distances(a, b):
    """float `(n, d)`, `(m, d)` to `(n, m)`."""
    return np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
