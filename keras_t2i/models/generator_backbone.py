"""The networks that turn words into a picture, as one."""

import keras
from keras import layers
from keras import ops

from keras_t2i.models.backbone import Backbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class ConceptNoise(layers.Layer):
    """Steps from a concept to a neighbour: other pictures for the same words.

    Concepts are of length 1, and so is what comes out. Standard normal noise makes a step of length
    `scale`, nearly always the same in so many dimensions; a smaller noise a smaller one.

    Args:
        scale: float, 0 or more.

    Call: float32 `(n, d)` of length 1, float32 `(n, d)` noise, to float32 `(n, d)` of length 1.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, concepts, noise):
        return ops.normalize(concepts + noise * (self.scale / concepts.shape[-1] ** 0.5))

    def compute_output_spec(self, concepts, noise):
        return keras.KerasTensor(concepts.shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="keras_t2i")
class GeneratorBackbone(Backbone):
    """Words to a concept by the text encoder, a step of noise, and a picture by the decoder.

    Args:
        dual_encoder: `DualEncoder`. Its image encoder makes no pictures: it ranks them.
        decoder: Backbone, `(n, code_dim)` of length 1 to `(n, s, s, 3)`: `ConceptDecoder`.
        noise_scale: float, length of the step from the concept (of length 1) that noise of
            temperature 1 makes. The decoder is to be trained with the same.

    Call: `{"token_ids": int32 (n, l), "noise": float32 (n, code_dim)}`, the noise standard normal times
    the temperature, to pictures, float32 `(n, s, s, 3)`, about [-1, 1].
    Raises: ValueError where sizes differ.
    """

    nested = ("dual_encoder", "decoder")

    def __init__(self, dual_encoder, decoder, noise_scale=0.3, dtype=None, **kwargs):
        code_dim = decoder.input_shape[-1]
        if dual_encoder.code_dim != code_dim:
            raise ValueError(
                f"the dual encoder's concepts have {dual_encoder.code_dim} numbers, "
                f"the decoder takes {code_dim}"
            )
        if dual_encoder.image_size != decoder.image_size:
            raise ValueError(
                f"the dual encoder sees pictures of {dual_encoder.image_size} pixels, "
                f"the decoder makes {decoder.image_size}"
            )
        if noise_scale < 0:
            raise ValueError(f"noise_scale must be 0 or more, got {noise_scale}")
        # === Functional model ===
        text_encoder = dual_encoder.text_encoder
        token_ids = keras.Input(text_encoder.input_shape[1:], dtype="int32", name="token_ids")
        noise = keras.Input((code_dim,), dtype="float32", name="noise")
        concepts = layers.UnitNormalization(dtype="float32", name="concept")(text_encoder(token_ids))
        concepts = ConceptNoise(noise_scale, dtype="float32", name="concept_noise")(concepts, noise)
        images = layers.Activation("linear", dtype="float32", name="images")(decoder(concepts))
        super().__init__(
            inputs={"token_ids": token_ids, "noise": noise}, outputs=images, dtype=dtype, **kwargs
        )

        # === Config ===
        self.dual_encoder = dual_encoder
        self.decoder = decoder
        self.noise_scale = float(noise_scale)

    @property
    def latent_shape(self):
        """Shape of the noise, `(None, code_dim)`, as KerasHub's `TextToImage` asks for it."""
        return (None, self.decoder.input_shape[-1])

    @property
    def image_size(self):
        return self.decoder.image_size

    def get_config(self):
        return {**super().get_config(), "noise_scale": self.noise_scale}
