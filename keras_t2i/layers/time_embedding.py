"""One number as many: how a network is told the noise level."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="keras_t2i")
class FourierFeatures(keras.layers.Layer):
    """Sines and cosines of a number at frequencies from slow to fast (Vaswani et al. 2017, arXiv 1706.03762).

    Made for the logarithm of the signal-to-noise ratio: the slowest wave passes a quarter of its period
    on the whole way from -limit to limit, the fastest tells apart levels that are 0.1 apart.

    Args:
        dim: int, even, how many features.
        limit: float; what lies further from 0 counts as that far, so that pure noise (minus infinity) and
            the clean picture (infinity) have features too.
        fastest: float, radians per unit.

    Call: float `(n,)` to float32 `(n, dim)` in [-1, 1]: all sines, then all cosines.
    """

    def __init__(self, dim, limit=20.0, fastest=4.0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if dim < 4 or dim % 2:
            raise ValueError(f"dim must be even and 4 or more, got {dim}")
        self.dim, self.limit, self.fastest = dim, float(limit), float(fastest)

    def call(self, x):
        slowest = np.pi / 4 / self.limit
        frequencies = np.geomspace(slowest, self.fastest, self.dim // 2).astype("float32")
        x = ops.clip(ops.cast(x, "float32"), -self.limit, self.limit)
        # A tensor, not an array: torch exports no call of NumPy.
        angles = ops.expand_dims(x, -1) * ops.convert_to_tensor(frequencies)
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "limit": self.limit, "fastest": self.fastest}
