"""A picture through a code and back: the error in decibels."""

import keras
from keras import ops

from keras_t2i.training.objective import Objective
from keras_t2i.utils.images import psnr
from keras_t2i.utils.images import to_float


@keras.saving.register_keras_serializable(package="keras_t2i")
class Reconstruction(Objective):
    """A picture goes through the code and back; what comes out should be what went in.

    The loss is the mean over pictures of the logarithm of each one's mean square error: that is
    (up to a factor) the mean PSNR, which a picture already good can still raise; a plain mean is ruled
    by the few worst. `floor` keeps a flat picture from dominating.

    Args:
        network: `ConvAutoencoder`.
        floor: float, mean square error (pictures in [-1, 1]) below which a picture counts as perfect.
        kwargs: `averages` and `seed` of `Objective`.

    Batches: `{"images": uint8 (n, s, s, 3)}`.
    """

    def __init__(self, network, floor=1e-4, **kwargs):
        super().__init__(network, **kwargs)
        self.floor = floor
        self.psnr = keras.metrics.Mean(dtype="float32", name="psnr")

    def call(self, x, training=False):
        return self.chosen(training)(to_float(x["images"]), training=training)

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        true = to_float(x["images"])
        self.psnr.update_state(psnr(true, y_pred))
        error = ops.mean(ops.square(true - y_pred), axis=(1, 2, 3))
        return ops.mean(ops.log(error + self.floor))
