"""Latents, the grids that diffusion works on, to pictures and back."""

import keras
import numpy as np

from keras_t2i.models.stages.stage import Stage
from keras_t2i.utils.batching import predict_on_batch


@keras.saving.register_keras_serializable(package="keras_t2i")
class LatentDecoder(Stage):
    """An autoencoder behind a diffusion of its codes (latent diffusion: Rombach et al. 2022, arXiv
    2112.10752).

    Args:
        autoencoder: `ConvAutoencoder`, or `VAE` (its posterior means).

    Call: float `(n, code_dim)` to pictures, float32 `(n, s, s, 3)`, about [-1, 1].
    """

    nested = ("autoencoder",)
    consumes = ("latent",)
    produces = "image"

    def __init__(self, autoencoder, dtype=None, **kwargs):
        # === Functional model ===
        codes = keras.Input((autoencoder.encoder.code_dim,), dtype="float32", name="codes")
        super().__init__(inputs=codes, outputs=autoencoder.decoder(codes), dtype=dtype, **kwargs)

        # === Config ===
        self.autoencoder = autoencoder

    @property
    def image_size(self):
        return self.autoencoder.encoder.image_size

    def check(self, before):
        super().check(before)
        numbers = int(np.prod(before["latent"].noise_shape))
        if self.autoencoder.encoder.code_dim != numbers:
            raise ValueError(
                f"the U-Net works on {numbers} numbers, the autoencoder's codes have "
                f"{self.autoencoder.encoder.code_dim}"
            )
        before["text"].check_image_size(self.image_size)

    def encode(self, images, shape):
        """Pictures, float32 `(n, s, s, 3)` in [-1, 1], to latents, float32 `(n, *shape)`."""
        codes = np.asarray(predict_on_batch(self.autoencoder.encoder, images), dtype="float32")
        return codes.reshape(-1, *shape)

    def sample_batch(self, conditions, draws, unconditional=None, update=None):
        """Pictures, float32 `(n, s, s, 3)`, of latents `(n, side, side, channels)`."""
        latents = conditions["latent"]
        codes = np.reshape(latents, (len(latents), -1))
        images = np.asarray(predict_on_batch(self.autoencoder.decoder, codes), dtype="float32")
        if update is not None:
            update()
        return images
