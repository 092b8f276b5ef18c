"""A small picture drawn large: how far from the true large picture."""

import keras
from keras import ops

from keras_t2i.objectives.reconstruction import psnr
from keras_t2i.training.objective import Objective


@keras.saving.register_keras_serializable(package="keras_t2i")
class Rendering(Objective):
    """Windows of pictures, drawn out of the fields of small ones, should be those of the true pictures.

    The loss is the mean absolute error of pixels (color and opacity), plus `edges` times that of the
    differences between neighbors, which a soft edge has wrong even where its pixels are nearly right.

    Args:
        network: `Renderer`.
        edges: float.
        kwargs: `averages` and `seed` of `Objective`.

    Batches (`data.RenderingPipeline`): a dict of `images`, float `(n, s, s, 3)` in [-1, 1], and
    `noise_level`, `(n,)`; of m windows of each, `rows` and `columns` `(n, m, p)` (input pixels) and `scale`
    `(n, m)`; and the truth, `target`, float `(n, m, p, p, 4)`: red, green, blue on white in [-1, 1], opacity
    in [0, 1].
    """

    def __init__(self, network, edges=0.5, **kwargs):
        super().__init__(network, **kwargs)
        self.edges = edges
        self.psnr = keras.metrics.Mean(dtype="float32", name="psnr")

    def call(self, x, training=False):
        network = self.chosen(training)
        fields = network({name: x[name] for name in ("images", "noise_level")}, training=training)
        fields = {name: values[:, None] for name, values in fields.items()}  # all windows of a picture
        return network.draw(fields, x["rows"], x["columns"], x["scale"])

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        size = x["target"].shape[-2]
        true, drawn = (ops.reshape(v, (-1, size, size, 4)) for v in (x["target"], y_pred))
        self.psnr.update_state(psnr(true[..., :3], drawn[..., :3]))
        error = drawn - true
        across = ops.mean(ops.abs(error[:, :, 1:] - error[:, :, :-1]))
        down = ops.mean(ops.abs(error[:, 1:] - error[:, :-1]))
        return 0.5 * (ops.mean(ops.abs(error)) + self.edges * (across + down))
