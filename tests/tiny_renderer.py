"""A renderer small enough for tests, with numbers in all its weights, and pictures for it."""

import numpy as np
from tiny_diffusion import filled

from keras_t2i.models import Renderer
from keras_t2i.models import RendererStage

SIZES = {"slots": 3, "filters": (4, 6, 8), "blocks": (1, 1, 0, 1), "fine_filters": (5, 4)}


def tiny_renderer(seed=1, **options):
    """It sees 19 pixels far at most: less than `MARGIN` of the stage."""
    network = filled(Renderer(**{**SIZES, **options}), seed)
    logits = network.get_layer("logits_dense")
    logits.set_weights([3 * weight for weight in logits.get_weights()])  # else slots hardly differ
    return network


def tiny_stage(**options):
    return RendererStage(tiny_renderer(), **options)


def waves(h, w, seed=0):
    """A smooth picture of many colors, float32 `(h, w, 3)` in [-1, 1]."""
    rows, columns = np.mgrid[:h, :w][..., None]
    phases = np.random.default_rng(seed).uniform(0, 6, 3)
    return np.sin(0.9 * rows + phases * (1 + 0.3 * columns)).astype("float32")


def uint8_waves(h, w, seed=0):
    return np.rint(127.5 * (waves(h, w, seed) + 1)).astype("uint8")
