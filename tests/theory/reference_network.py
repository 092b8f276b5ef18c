"""A network and noise that `make_reference.py` and the test of its numbers share."""

import numpy as np

START = np.random.default_rng(0).standard_normal((2, 3))


def toy_network(x, timestep):
    """Predicts epsilon; any smooth function will do."""
    return 0.8 * np.sin(1.7 * x + 0.003 * timestep) + 0.3 * x


def noise(draw):
    return np.random.default_rng(100 + draw).standard_normal(START.shape)
