"""A picture with noise on it, and what it shows in words: the network learns what the picture was."""

from keras import ops

from keras_t2i.models.text_encoder import token_features
from keras_t2i.pictures import to_float
from keras_t2i.training.diffusion_objective import DiffusionObjective
from keras_t2i.training.diffusion_objective import check_dropout
from keras_t2i.training.objective import freeze


class Denoising(DiffusionObjective):
    """A diffusion model of pictures in its many forms, steered by words.

    The network is told the caption beside the noisy picture. The text encoder is trained before and stands
    still. To keep its features of all captions would take gigabytes, and to compute them anew costs about a
    hundredth of a step.

    Args:
        network: `DiffusionUNet`, of pictures or of latents.
        text_encoder: `CNNTextEncoder`.
        caption_dropout: float in [0, 1), how often a caption is withheld in training, so that the network
            can draw without (classifier-free guidance, arXiv 2207.12598).
        data_std: float, root mean square of pictures as the network gets them.
        Others as of `DiffusionObjective`.

    Batches: `{"images": uint8 (n, s, s, 3), "token_ids": int32 (n, l)}`; with `"latents"`, float `(n, ...)`,
    these are diffused instead of the pictures.

    Raises: ValueError for names and options that there are not, and sizes that do not fit.
    """

    def __init__(
        self,
        network,
        text_encoder,
        process="straight",
        prediction="x0",
        weight="velocity",
        times="logit_normal",
        caption_dropout=0.1,
        data_std=0.5,
        **kwargs,
    ):
        super().__init__(network, process, prediction, weight, times, data_std, **kwargs)
        sizes = (text_encoder.code_dim, text_encoder.filters), (network.code_dim, network.token_dim)
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"the text encoder's codes and tokens have {sizes[0]} numbers, the network's {sizes[1]}"
            )
        check_dropout("caption_dropout", caption_dropout)
        self.caption_dropout = caption_dropout
        self.features = token_features(freeze(text_encoder))

    def call(self, x, training=False):
        """Noise is put on the pictures, and the network looks: a dict of everything that was there."""
        x0 = ops.cast(x["latents"], "float32") if "latents" in x else to_float(x["images"])
        seen = self.with_noise(x0, training)
        inputs = {
            "images": seen["scaled"],
            "log_snr": seen["log_snr"],
            "conditioned": self.given(x0, self.caption_dropout, training),
            **self.text(x["token_ids"]),
        }
        return {**seen, "output": self.chosen(training)(inputs, training=training)}

    def text(self, token_ids):
        """What the network hears of captions, int32 `(n, l)`: see `token_features`."""
        features = self.features(token_ids, training=False)
        return {name: ops.stop_gradient(ops.cast(value, "float32")) for name, value in features.items()}
