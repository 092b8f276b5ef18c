"""A concept and a step of noise to a picture, in one pass through a decoder."""

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_t2i.models.inputs import check_number
from keras_t2i.models.stages.sampling import noise_of
from keras_t2i.models.stages.stage import Stage
from keras_t2i.utils.batching import predict_on_batch


@keras.saving.register_keras_serializable(package="keras_t2i")
class ConceptNoise(layers.Layer):
    """Steps from a concept to a neighbor: other pictures for the same words.

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
class OnePassStage(Stage):
    """The text's concept, a step of noise, and a picture by the decoder.

    Args:
        decoder: Backbone, `(n, code_dim)` of length 1 to `(n, s, s, 3)`: `ConceptDecoder`.
        noise_scale: float, length of the step from the concept (of length 1) that noise of temperature 1
            makes. The decoder is to be trained with the same.

    Call: `{"text_code": float32 (n, code_dim) of length 1, "noise": float32 (n, code_dim)}`, the noise
    standard normal times the temperature, to pictures, float32 `(n, s, s, 3)`, about [-1, 1].
    Raises: ValueError where noise_scale is below 0.
    """

    nested = ("decoder",)
    consumes = ("text",)
    produces = "image"
    settings = ("temperature", "num_steps")
    sweeps = {"temperature": (0.0, 1.0, 2.0, 4.0, 8.0), "best_of": (1, 2, 4, 8)}

    def __init__(self, decoder, noise_scale=0.3, dtype=None, **kwargs):
        if noise_scale < 0:
            raise ValueError(f"noise_scale must be 0 or more, got {noise_scale}")
        # === Functional model ===
        code_dim = decoder.input_shape[-1]
        concepts = keras.Input((code_dim,), dtype="float32", name="text_code")
        noise = keras.Input((code_dim,), dtype="float32", name="noise")
        moved = ConceptNoise(noise_scale, dtype="float32", name="concept_noise")(concepts, noise)
        images = layers.Activation("linear", dtype="float32", name="images")(decoder(moved))
        super().__init__(
            inputs={"text_code": concepts, "noise": noise}, outputs=images, dtype=dtype, **kwargs
        )

        # === Config ===
        self.decoder = decoder
        self.noise_scale = float(noise_scale)

    @property
    def noise_shape(self):
        """Shape of one drawing's noise, `(code_dim,)`."""
        return tuple(self.decoder.input_shape[1:])

    @property
    def image_size(self):
        return self.decoder.image_size

    def check(self, before):
        super().check(before)
        dual_encoder = before["text"].dual_encoder
        code_dim = self.decoder.input_shape[-1]
        if dual_encoder.code_dim != code_dim:
            raise ValueError(
                f"the dual encoder's concepts have {dual_encoder.code_dim} numbers, "
                f"the decoder takes {code_dim}"
            )
        if dual_encoder.image_size != self.image_size:
            raise ValueError(
                f"the dual encoder sees pictures of {dual_encoder.image_size} pixels, "
                f"the decoder makes {self.image_size}"
            )

    def resolve(self, temperature=None, num_steps=None):
        return check_temperature(temperature, num_steps)

    def sample_batch(self, conditions, draws, unconditional=None, update=None, temperature=1.0):
        """Pictures, float32 `(n, s, s, 3)`, of the texts' concepts."""
        inputs = {
            "text_code": conditions["text"]["text_code"],
            "noise": noise_of(draws, self.noise_shape) * np.float32(temperature),
        }
        images = np.asarray(predict_on_batch(self, inputs), dtype="float32")
        if update is not None:
            update()
        return images

    def get_config(self):
        return {**super().get_config(), "noise_scale": self.noise_scale}


def check_temperature(temperature, num_steps):
    """The settings of a stage that draws in one pass. Raises: ValueError."""
    if num_steps not in (None, 1):
        raise ValueError(f"This generator makes a picture in one step: num_steps must be 1, got {num_steps}")
    return {"temperature": 1.0 if temperature is None else check_number("temperature", temperature, 0.0)}
