import numpy as np
from sklearn.linear_model import Ridge

from keras_t2i.evaluation.baselines.ridge import ridge_regression


def test_against_another_library():
    random = np.random.default_rng(0)
    inputs, targets = random.standard_normal((50, 4)), random.standard_normal((50, 3))
    expected = Ridge(alpha=2.5, fit_intercept=False).fit(inputs, targets).coef_.T
    np.testing.assert_allclose(ridge_regression(inputs, targets, 2.5), expected, atol=1e-10)
