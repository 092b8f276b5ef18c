"""A caption to the code of its picture, or of its plain caption, by regression."""

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


@keras.saving.register_keras_serializable(package="keras_t2i")
class CaptionRegression(Objective):
    """Every caption of a picture learns to have the code that another encoder gave to its plain caption.

    What is drawn should depend on what a caption asks for, not on how it asks. Contrast with pictures leaves
    "a picture of an apple" as far from "apple" as a pear is, in the directions that tell things apart. So the
    codes to be learned are whitened (`layers.Whitening`): all directions count alike.

    Args:
        network: `CNNTextEncoder` of as many numbers; `CNNTextEncoder.projected` takes it back to codes.
        kwargs: `averages` and `seed` of `Objective`.

    Batches: `{"token_ids": int32 (n, l), "codes": float32 (n, code_dim)}`.

    The loss is the mean square of the difference; 1 for a network that says zero.
    """

    def __init__(self, network, **kwargs):
        super().__init__(network, **kwargs)
        self.cosine = keras.metrics.Mean(dtype="float32", name="cosine")

    def call(self, x, training=False):
        return self.chosen(training)(x["token_ids"], training=training)

    def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
        codes = ops.cast(x["codes"], "float32")
        self.cosine.update_state(ops.sum(ops.normalize(codes) * ops.normalize(y_pred), axis=-1))
        return ops.mean(ops.square(codes - y_pred))
