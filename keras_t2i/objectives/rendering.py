"""A small picture drawn large: how far from the true large picture."""

import keras
from keras import ops

from keras_t2i.objectives.reconstruction import psnr
from keras_t2i.training.objective import Objective


class Rendering(Objective):
    """Windows of pictures, drawn out of the fields of small ones, should be those of the true pictures.

    The loss is the mean absolute error of pixels (color and opacity), plus `edges` times that of the
    differences between neighbors, which a soft edge has wrong even where its pixels are nearly right.

    Args:
        network: `Renderer`.
        edges: float.
        kwargs: `averages` and `seed` of `Objective`.

    Batches (`data.RenderingPipeline`): a dict of `images`, float `(n, s, s, 3)` in [-1, 1], `noise_level`
    `(n,)`, `rows` and `columns` `(n, p)` (input pixels), `scale` `(n,)`, and the truth, `target`, float
    `(n, p, p, 4)`: red, green, blue on white in [-1, 1], opacity in [0, 1].
    """

    def __init__(self, network, edges=0.5, **kwargs):
        super().__init__(network, **kwargs)
        self.edges = edges
        self.psnr = keras.metrics.Mean(name="psnr")

    def call(self, x, training=False):
        network = self.chosen(training)
        fields = network({name: x[name] for name in ("images", "noise_level")}, training=training)
        return network.draw(fields, x["rows"], x["columns"], x["scale"])

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        self.psnr.update_state(psnr(x["target"][..., :3], y_pred[..., :3]))
        error = y_pred - x["target"]
        across = ops.mean(ops.abs(error[:, :, 1:] - error[:, :, :-1]))
        down = ops.mean(ops.abs(error[:, 1:] - error[:, :-1]))
        return 0.5 * (ops.mean(ops.abs(error)) + self.edges * (across + down))
