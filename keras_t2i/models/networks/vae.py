"""An autoencoder whose code is a distribution, so that new pictures can be drawn from it."""

import keras
from keras import layers
from keras import ops

from keras_t2i.layers import Conv2D
from keras_t2i.layers import Whitening
from keras_t2i.layers import float32
from keras_t2i.models.networks.autoencoder import ConvAutoencoder
from keras_t2i.models.networks.autoencoder import code_grid

LOG_VARIANCES = (-12.0, 6.0)  # standard deviations of 1/400 to 20: further out exponentials only break
DOWNSAMPLINGS = (1, 2, 4)  # latents are also drawn at these parts of their grid's side


@keras.saving.register_keras_serializable(package="keras_t2i")
class VAE(ConvAutoencoder):
    """A variational autoencoder (Kingma and Welling 2014, arXiv 1312.6114).

    The encoder of a `ConvAutoencoder` says the mean of a Gaussian, and one more convolution beside its last
    one the logarithm of its variance, number by number: the posterior q(z|x). Latents z drawn from the prior
    p(z), a standard normal, become new pictures by the decoder.

    With `concept_dim` the VAE is conditional (Sohn et al. 2015, "Learning structured output representation
    using deep conditional generative models"): the prior p(z|c) is a Gaussian whose means and variances a
    small network says of a caption's concept c. Encoder and decoder need no caption, so latents of a
    conditional VAE serve diffusion like those of another.

    As a `ConvAutoencoder` its codes are the posterior's means. `standardize`, which brings codes to unit
    variance for what is trained on them, leaves latents, prior and samples as they are.

    Args:
        encoder: `ImageEncoder`.
        decoder: `ImageDecoder` of the same picture and code size.
        concept_dim: int, numbers of a concept; `None`: not conditional.
        hidden_dim: int, width of the network from concept to prior.
        whitened_dim: int, in how many directions concepts differ (`adapt`).

    Call: float `(n, s, s, 3)` in [-1, 1] to float32 of the same shape, through the posterior's mean.
    Raises: ValueError where sizes do not fit.

    Attributes:
        posterior: network, pictures to `{"mean", "log_variance"}`, float32 `(n, code_dim)` each, the latter
            clipped to `LOG_VARIANCES`.
        prior: network, float concepts `(n, concept_dim)` of length 1 to the same; `None`: not conditional.
        drawers: dict of networks by the side of the latents' grid, `(n, side, side, channels)` to pictures.
            The largest draws latents as they are; the others, with the same weights, smaller ones.
    """

    def __init__(
        self, encoder, decoder, concept_dim=None, hidden_dim=512, whitened_dim=256, dtype=None, **kwargs
    ):
        super().__init__(encoder, decoder, dtype=dtype, **kwargs)
        self.latent_grid = code_grid(encoder.image_size, encoder.filters, encoder.code_dim)
        side, channels = self.latent_grid
        self.posterior = posterior_of(encoder, channels)
        sides = [side // part for part in DOWNSAMPLINGS if side % part == 0]
        self.drawers = {side: drawer_of(decoder, side, channels) for side in sides}
        self.prior = None
        if concept_dim is not None:
            self.prior = prior_of(encoder.code_dim, concept_dim, hidden_dim, whitened_dim, dtype)

        # === Config ===
        self.concept_dim = concept_dim
        self.hidden_dim = hidden_dim
        self.whitened_dim = whitened_dim

    def get_config(self):
        return {
            **super().get_config(),
            "concept_dim": self.concept_dim,
            "hidden_dim": self.hidden_dim,
            "whitened_dim": self.whitened_dim,
        }

    def adapt(self, concepts, noise_scale=0.1):
        """Before training, of a conditional VAE: see `ConceptDecoder.adapt`."""
        self.prior.get_layer("whitening").adapt(concepts, noise_scale**2 / self.concept_dim)

    def grids(self, latents):
        """Latents `(n, code_dim)` as the grids that they are: `(n, side, side, channels)`."""
        side, channels = self.latent_grid
        return ops.reshape(latents, (-1, side, side, channels))


def posterior_of(encoder, channels):
    """Pictures to the posterior: the encoder's own layers, and a convolution for the log variances.

    It starts at zero, so every variance starts at one. Variances are exponentials: float32 at any dtype.
    """
    features = encoder.get_layer("code_silu").output
    x = Conv2D(channels, 3, padding="same", kernel_initializer="zeros", dtype="float32", name="log_variance")(
        features
    )
    x = layers.Flatten(data_format="channels_last", dtype="float32", name="log_variance_flatten")(x)
    mean = layers.Activation("linear", dtype="float32", name="mean")(encoder.get_layer("flatten").output)
    outputs = {"mean": mean, "log_variance": ops.clip(x, *LOG_VARIANCES)}
    return keras.Model(encoder.input, outputs, name="posterior")


def prior_of(code_dim, concept_dim, hidden_dim, whitened_dim, dtype=None):
    """Concepts to the prior, which starts as a standard normal for all of them. `dtype`: of the network.

    It is float32 at any dtype: variances are exponentials of what it says, and it is small."""
    wide = {"dtype": float32(dtype)}
    concepts = keras.Input((concept_dim,), dtype="float32", name="concepts")
    x = Whitening(min(whitened_dim, concept_dim), dtype="float32", name="whitening")(concepts)
    x = layers.Dense(hidden_dim, activation="silu", **wide, name="hidden")(x)
    mean = layers.Dense(code_dim, kernel_initializer="zeros", **wide, name="mean")(x)
    log_variance = layers.Dense(code_dim, kernel_initializer="zeros", **wide, name="log_variance")(x)
    outputs = {"mean": mean, "log_variance": ops.clip(log_variance, *LOG_VARIANCES)}
    return keras.Model(concepts, outputs, name="prior")


def drawer_of(decoder, side, channels):
    """The decoder's layers from the grid on, over a grid of any side: it is made of convolutions alone."""
    of_grids = keras.Model(decoder.get_layer("widen").input, decoder.output)
    grids = keras.Input((side, side, channels), dtype="float32", name="latents")
    return keras.models.clone_model(of_grids, input_tensors=grids, clone_function=lambda layer: layer)
