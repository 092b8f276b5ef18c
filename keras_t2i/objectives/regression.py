"""A caption to the code of its picture, by regression."""

import keras
from keras import ops

from keras_t2i.training.objective import Objective
from keras_t2i.training.objective import freeze
from keras_t2i.utils.images import to_float


@keras.saving.register_keras_serializable(package="keras_t2i")
class ConceptRegression(Objective):
    """The text encoder's two-layer dense head learns to predict the picture's code.

    The image encoder is frozen (an autoencoder's, standardized), so the codes are a fixed target:
    the loss is one minus the cosine plus the mean square error of the codes.

    Args:
        network: `CNNTextEncoder`.
        image_encoder: Backbone, `(n, s, s, 3)` to `(n, code_dim)`; frozen here.
        kwargs: `averages` and `seed` of `Objective`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l)}`.
    """

    def __init__(self, network, image_encoder, **kwargs):
        super().__init__(network, **kwargs)
        if network.code_dim != image_encoder.code_dim:
            raise ValueError(
                f"code_dim: {network.code_dim} of the text, {image_encoder.code_dim} of the image encoder"
            )
        self.image_encoder = freeze(image_encoder)
        self.cosine = keras.metrics.Mean(dtype="float32", name="cosine")

    def call(self, x, training=False):
        return self.chosen(training)(x["token_ids"], training=training)

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        true = ops.stop_gradient(self.image_encoder(to_float(x["images"]), training=False))
        cosine = ops.sum(ops.normalize(true) * ops.normalize(y_pred), axis=-1)
        self.cosine.update_state(cosine)
        return ops.mean(1.0 - cosine) + ops.mean(ops.square(true - y_pred))
