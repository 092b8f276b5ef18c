"""A judge that sees only which colours a picture has: how far does colour alone go?"""

import numpy as np

from keras_t2i.evaluation.baselines.bag_of_words import BagOfWords
from keras_t2i.utils.images import to_float

LEVELS = 4  # of red, green and blue: 64 bins, those of black and of white among them


class ColorHistogramEncoder:
    """Encodes pictures by a soft colour histogram, captions by a guess at it from their word pieces.

    What it finds out about drawings, an evaluator's score may owe to colour. Print it beside that.

    Args:
        preprocessor: `TextToImagePreprocessor`.
        mean, deviation: float `(64,)`: of the square roots of the histograms of training pictures.
        words: callable, token ids `(n, l)` to codes `(n, 64)` of length 1.
    """

    name = "colour histogram"

    def __init__(self, preprocessor, mean, deviation, words):
        self.preprocessor = preprocessor
        self.mean, self.deviation, self.words = mean, deviation, words

    @classmethod
    def fit(cls, pictures, captions, preprocessor, ridge=1.0):
        """Ridge regression from the counts of word pieces to the standardised histograms.

        Args:
            pictures: uint8 `(n, s, s, 3)`, of the training set.
            captions: list of n str, their plain captions.
            preprocessor: `TextToImagePreprocessor`, of any encoder.
            ridge: float, see `BagOfWords`.
        """
        captions = list(captions)
        if len(pictures) != len(captions) or not captions:
            raise ValueError(
                f"Give one caption for each picture, got {len(pictures)} pictures, {len(captions)}"
            )
        roots = np.sqrt(color_histogram(pictures))
        # A colour that occurs in few pictures must not outweigh all others.
        mean, deviation = roots.mean(axis=0), np.maximum(roots.std(axis=0), 0.01)
        token_ids = preprocessor.generate_preprocess(captions)
        vocabulary_size = preprocessor.tokenizer.vocabulary_size()
        words = BagOfWords(token_ids, (roots - mean) / deviation, vocabulary_size, ridge)
        return cls(preprocessor, mean, deviation, words)

    def encode_image(self, pictures):
        """uint8 `(n, s, s, 3)` to float32 `(n, 64)` of length 1."""
        codes = (np.sqrt(color_histogram(pictures)) - self.mean) / self.deviation
        return (codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)).astype("float32")

    def encode_text(self, captions):
        """A list of n str to float32 `(n, 64)` of length 1."""
        return self.words(self.preprocessor.generate_preprocess(captions))


def color_histogram(pictures):
    """Shares of the 4 x 4 x 4 colours whose red, green and blue are 0, 85, 170 or 255.

    A pixel between them counts for its eight neighbours, by trilinear weights, so that a small change of
    colour is a small change of the histogram.

    Args:
        pictures: uint8 `(n, s, s, 3)`.

    Returns:
        float64 `(n, 64)`, each row sums to 1; bin `16 * red + 4 * green + blue`, white is the last.
    """
    pictures = np.asarray(pictures)
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures):
        raise ValueError(f"pictures must be uint8 (n, s, s, 3), got {pictures.dtype} {pictures.shape}")
    histograms = np.zeros((len(pictures), LEVELS**3))
    for histogram, picture in zip(histograms, pictures, strict=True):
        place = (to_float(picture).reshape(-1, 3).astype("float64") + 1) / 2 * (LEVELS - 1)
        # The weight of each level of each channel: a triangle of width 2 about it.
        red, green, blue = np.maximum(1 - np.abs(place.T[:, :, None] - np.arange(LEVELS)), 0)
        histogram[:] = np.einsum("pr,pg,pb->rgb", red, green, blue, optimize=True).ravel() / len(place)
    return histograms
