"""The embedding of a picture with noise on it, and the embedding of its caption: what was the picture's?"""

import keras
from keras import ops

from keras_t2i.objectives.diffusion import DiffusionObjective
from keras_t2i.objectives.diffusion import check_dropout


@keras.saving.register_keras_serializable(package="keras_t2i")
class PriorDenoising(DiffusionObjective):
    """A `Prior` learns to draw concepts (image embeddings; DALL-E 2, arXiv 2204.06125, section 2.2).

    The encoders are trained before; their embeddings of all pictures and captions are computed once. Process
    and parameterization (x0) are the network's own; the loss is the plain squared error (equation 2).

    Args:
        network: `Prior`, adapted (`Prior.adapt`).
        weight, times: as of `DiffusionObjective`.
        caption_dropout: float in [0, 1), how often the text is withheld in training, for guidance.
        kwargs: `averages` and `seed` of `Objective`.

    Batches: `{"text_codes": float (n, d), "image_codes": float (n, d)}`, both of length 1.
    """

    x_name = "codes"

    def __init__(self, network, weight="none", times="uniform", caption_dropout=0.1, **kwargs):
        super().__init__(network, network.process, "x0", weight, times, data_std=1.0, **kwargs)
        check_dropout("caption_dropout", caption_dropout)
        self.caption_dropout = caption_dropout

    def clean(self, x):
        """Image embeddings of mean 0 and variance 1, number by number."""
        return ops.stop_gradient(self.network.standardization(x["image_codes"]))

    def condition(self, x, training):
        text = ops.cast(x["text_codes"], "float32")
        mask = self.condition_mask(ops.shape(text)[0], self.caption_dropout, training)
        return {"text_code": text, "condition_mask": mask}
