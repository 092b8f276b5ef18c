"""One formula for two worlds: tensors of any backend in training, NumPy float64 on the host in sampling."""

import numbers

import numpy as np
from keras import ops


def namespace(*values):
    """`numpy` where all `values` are Python or NumPy numbers, `keras.ops` as soon as one is a tensor."""
    return np if all(isinstance(v, numbers.Number | np.ndarray | np.generic) for v in values) else ops


def time(t):
    """A time as the formulas take it: a tensor stays as it is, anything else becomes float64 NumPy.

    float64, because on the host nothing is gained by less, and differences of logarithms lose digits.
    """
    if isinstance(t, list | tuple):
        t = np.asarray(t)
    return np.asarray(t, "float64")[()] if namespace(t) is np else t


def log(x):
    """Logarithm; minus infinity at 0, and no warning."""
    if namespace(x) is ops:
        return ops.log(x)
    with np.errstate(divide="ignore"):
        return np.log(x)


def divide(a, b):
    """a / b; infinite where b is 0, and no warning."""
    if namespace(a, b) is ops:
        return ops.divide(a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(a, b)


def divide_or_zero(a, b):
    """a / b; 0 where b is 0, in the gradient too."""
    xp = namespace(a, b)
    nothing = xp.equal(b, 0.0)
    return xp.where(nothing, 0.0, xp.divide(a, xp.where(nothing, 1.0, b)))


def softplus(x):
    """log(1 + e^x), right at both infinities."""
    return namespace(x).logaddexp(0.0, x)


def sigmoid(x):
    """1 / (1 + e^-x), to full relative precision where it is tiny."""
    return namespace(x).exp(-softplus(-x))


def cast(x, dtype):
    """`x` in another dtype; of non-negative floats to integers, the whole part."""
    return x.astype(dtype) if namespace(x) is np else ops.cast(x, dtype)


def expand(coefficient, x):
    """A coefficient of each example made ready to multiply `x`.

    Args:
        coefficient: a number, `()` or `(n,)`.
        x: `(n, ...)`, array or tensor.

    Returns:
        The coefficient in the dtype of `x`, `(n, 1, ..., 1)` if it was `(n,)`.
    """
    rank, shape = len(x.shape), tuple(getattr(coefficient, "shape", ()))
    if namespace(coefficient, x) is np:
        coefficient = np.asarray(coefficient, x.dtype if np.issubdtype(x.dtype, np.floating) else None)
    elif namespace(coefficient) is np:
        coefficient = ops.convert_to_tensor(coefficient, dtype=x.dtype)
    elif namespace(x) is ops:
        coefficient = ops.cast(coefficient, x.dtype)
    if not shape:
        return coefficient
    if len(shape) != 1:
        raise ValueError(f"A time is a number or has the shape (n,), received {shape}")
    return namespace(coefficient).reshape(coefficient, (-1,) + (1,) * (rank - 1))
