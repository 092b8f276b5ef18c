"""The floor for every text encoder: a matrix that looks at which word pieces a caption has, in no order."""

import numpy as np

from keras_t2i.evaluation.baselines.ridge import ridge_regression


class BagOfWords:
    """Ridge regression from the counts of word pieces to given codes of pictures.

    Args:
        token_ids: int `(n, l)`, 0 is padding: training captions.
        picture_codes: float `(n, d)`: the codes of their pictures.
        vocabulary_size: int.
        ridge: float, weight of the squared length of the matrix.
    """

    def __init__(self, token_ids, picture_codes, vocabulary_size, ridge=1.0):
        self.vocabulary_size = vocabulary_size
        self.matrix = ridge_regression(self._counts(token_ids), picture_codes, ridge)

    def __call__(self, token_ids):
        """int `(n, l)` to float32 codes `(n, d)` of length 1."""
        codes = self._counts(token_ids) @ self.matrix
        return (codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)).astype("float32")

    def _counts(self, token_ids):
        counts = np.zeros((len(token_ids), self.vocabulary_size + 1))
        counts[:, -1] = 1.0  # the constant
        np.add.at(counts, (np.arange(len(token_ids))[:, None], token_ids), 1.0)
        counts[:, 0] = 0.0
        return counts
