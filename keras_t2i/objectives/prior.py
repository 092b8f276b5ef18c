"""The concept of a picture with noise on it, and the concept of its caption: what was the picture's?"""

from keras import ops

from keras_t2i.objectives.diffusion import DiffusionObjective
from keras_t2i.objectives.diffusion import check_dropout


class PriorDenoising(DiffusionObjective):
    """A `Prior` learns to draw image concepts (DALL-E 2, arXiv 2204.06125, section 2.2).

    The encoders are trained before; their codes of all pictures and phrasings are computed once. Process and
    prediction (x0) are the network's own; the loss is the plain squared error (equation 2).

    Args:
        network: `Prior`, measured (`Prior.measure`).
        weight, times: as of `DiffusionObjective`.
        caption_dropout: float in [0, 1), how often the text is withheld in training, for guidance.
        Others as of `DiffusionObjective`.

    Batches: `{"text_codes": float (n, d), "image_codes": float (n, d)}`, both of length 1.
    """

    def __init__(self, network, weight="none", times="uniform", caption_dropout=0.1, **kwargs):
        super().__init__(network, network.process, "x0", weight, times, data_std=1.0, **kwargs)
        check_dropout("caption_dropout", caption_dropout)
        self.caption_dropout = caption_dropout

    def call(self, x, training=False):
        """Noise is put on the image concepts, and the network looks: a dict of everything that was there."""
        x0 = ops.stop_gradient(self.network.standardization(x["image_codes"]))
        seen = self.with_noise(x0, training)
        inputs = {
            "codes": seen["scaled"],
            "log_snr": seen["log_snr"],
            "text_code": ops.cast(x["text_codes"], "float32"),
            "condition_mask": self.given(x0, self.caption_dropout, training),
        }
        return {**seen, "output": self.chosen(training)(inputs, training=training)}
