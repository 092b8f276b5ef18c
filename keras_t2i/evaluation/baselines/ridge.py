"""What a matrix can do: ridge regression in closed form, the floor for networks that map codes to codes."""

import numpy as np


def ridge_regression(inputs, targets, ridge):
    """The matrix that minimises |inputs M - targets|^2 + ridge |M|^2 (Hoerl and Kennard 1970).

    Args:
        inputs: float `(n, d)`; give them a column of ones for a constant, which is then held small too.
        targets: float `(n, k)`.
        ridge: float above 0.

    Returns:
        float64 `(d, k)`.
    """
    inputs, targets = np.asarray(inputs, "float64"), np.asarray(targets, "float64")
    return np.linalg.solve(inputs.T @ inputs + ridge * np.eye(inputs.shape[1]), inputs.T @ targets)
