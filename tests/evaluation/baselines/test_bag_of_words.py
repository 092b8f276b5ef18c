import numpy as np
from sklearn.linear_model import Ridge

from keras_t2i.evaluation.baselines.bag_of_words import BagOfWords


def test_equals_ridge_regression_on_counts():
    rng = np.random.default_rng(0)
    token_ids, codes = rng.integers(0, 9, (40, 6)), rng.normal(size=(40, 5))
    counts = np.stack([[(row == piece).sum() for piece in range(1, 9)] + [1.0] for row in token_ids])
    model = Ridge(alpha=1.0, fit_intercept=False).fit(counts, codes)
    expected = model.predict(counts)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = BagOfWords(token_ids, codes, vocabulary_size=9)(token_ids)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_order_and_padding_do_not_matter():
    token_ids = np.array([[3, 1, 2, 0], [4, 4, 1, 0], [5, 2, 0, 0]])
    bag = BagOfWords(token_ids, np.eye(3), vocabulary_size=6)
    np.testing.assert_allclose(bag(np.array([[1, 2, 3, 0, 0]])), bag(np.array([[0, 2, 3, 1, 0]])), atol=1e-6)
    assert (bag(token_ids).argmax(axis=1) == [0, 1, 2]).all()
