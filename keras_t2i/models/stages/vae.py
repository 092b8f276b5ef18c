"""A draw from a variational autoencoder's prior, and a picture by its decoder."""

import keras
import numpy as np

from keras_t2i.models.stages.one_pass import check_temperature
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.models.stages.stage import Stage
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.batching import predict_on_batch
from keras_t2i.utils.embeddings import check_embeddings
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.images import to_uint8


@keras.saving.register_keras_serializable(package="keras_t2i")
class VAEStage(Stage):
    """New pictures by a `VAE`; of a conditional one, pictures of a caption's concept.

    Args:
        vae: `VAE`.

    Call: float latents `(n, side, side, channels)` to pictures, float32 `(n, s, s, 3)`, about [-1, 1].
    """

    nested = ("vae",)
    produces = "image"
    settings = ("temperature", "num_steps")
    sweeps = {"temperature": (0.0, 0.5, 1.0), "best_of": (1, 2, 4, 8)}

    def __init__(self, vae, dtype=None, **kwargs):
        # === Functional model ===
        side, channels = vae.latent_grid
        latents = keras.Input((side, side, channels), dtype="float32", name="latents")
        super().__init__(inputs=latents, outputs=vae.drawers[side](latents), dtype=dtype, **kwargs)

        # === Config ===
        self.vae = vae

    @property
    def consumes(self):
        return () if self.vae.prior is None else ("text",)

    @property
    def noise_shape(self):
        """Shape of one drawing's noise, `(code_dim,)`."""
        return (self.vae.encoder.code_dim,)

    @property
    def image_size(self):
        return self.vae.encoder.image_size

    def check(self, before):
        super().check(before)
        if "text" not in before:
            return
        dual_encoder = before["text"].dual_encoder
        if self.vae.concept_dim not in (None, dual_encoder.code_dim):
            raise ValueError(
                f"the dual encoder's concepts have {dual_encoder.code_dim} numbers, the VAE's prior takes "
                f"{self.vae.concept_dim}"
            )
        before["text"].check_image_size(self.image_size)

    def resolve(self, temperature=None, num_steps=None):
        return check_temperature(temperature, num_steps)

    def sample_batch(self, conditions, draws, unconditional=None, update=None, temperature=1.0):
        """Pictures, float32 `(n, s, s, 3)`.

        Args:
            conditions: "text", whose "text_code" is the concept; of an unconditional VAE nothing.
            temperature: float, 0 or more, factor of the prior's standard deviations.

        Raises: ValueError where concepts have another shape, or a number is not finite.
        """
        mean, deviation = np.float32(0), np.float32(1)
        if self.vae.prior is not None:
            concepts = check_embeddings("concepts", conditions["text"]["text_code"], self.vae.concept_dim)
            said = predict_on_batch(self.vae.prior, l2_normalize(concepts))
            mean, log_variance = (np.asarray(said[name], "float32") for name in ("mean", "log_variance"))
            deviation = np.exp(log_variance / 2)
        latents = mean + np.float32(temperature) * deviation * noise_of(draws, self.noise_shape)
        side, channels = self.vae.latent_grid
        drawn = predict_on_batch(self.vae.drawers[side], latents.reshape(-1, side, side, channels))
        if update is not None:
            update()
        return np.asarray(drawn, dtype="float32")

    def sample_images(self, wanted, seed=None, temperature=1.0, batch_size=16):
        """New pictures, on plain arrays: uint8 `(n, s, s, 3)`.

        Args:
            wanted: int, how many; of a conditional VAE float `(n, concept_dim)`, a concept for each, brought
                to length 1.
            seed, batch_size: as of `sample`.
            temperature: as of `sample_batch`.

        Raises:
            TypeError: a number or a seed is not an int.
            ValueError: concepts of another shape or not finite, another number of seeds than pictures, a
                number out of range.
        """
        if self.vae.prior is not None:
            concepts = check_embeddings("concepts", wanted, self.vae.concept_dim)
            conditions = {"text": {"text_code": concepts}}
        elif np.ndim(wanted):
            raise ValueError("This VAE is not conditional: give the number of pictures, not concepts.")
        else:
            conditions = {"rows": np.zeros(at_least_one("the number of pictures", wanted))}
        return to_uint8(self.sample(conditions, seed, batch_size, temperature=temperature))
