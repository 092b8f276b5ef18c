import keras
from keras import layers

from keras_t2i.models.backbone import Backbone


@keras.saving.register_keras_serializable(package="keras_t2i")
class DualEncoder(Backbone):
    """A text tower and an image tower that end in one concept space (CLIP, arXiv 2103.00020).

    Args:
        text_encoder: Backbone, int32 `(n, l)` to `(n, code_dim)`: `CNNTextEncoder`.
        image_encoder: Backbone, `(n, s, s, 3)` in [-1, 1] to `(n, code_dim)`: `ImageTower`, or the
            `ImageEncoder` of an autoencoder, to which the text is then trained to match.

    Call: `{"images", "token_ids"}` to `{"image_codes", "text_codes"}`, float32 of length 1: the concept
    is a direction, and the cosine of two is their product.
    Raises: ValueError where the towers' code sizes differ.
    """

    nested = ("text_encoder", "image_encoder")

    def __init__(self, text_encoder, image_encoder, dtype=None, **kwargs):
        if text_encoder.code_dim != image_encoder.code_dim:
            raise ValueError(
                f"the text encoder ends in {text_encoder.code_dim} numbers, the image encoder in "
                f"{image_encoder.code_dim}: give both the same code_dim"
            )
        # === Functional model ===
        images = keras.Input(image_encoder.input_shape[1:], dtype="float32", name="images")
        token_ids = keras.Input(text_encoder.input_shape[1:], dtype="int32", name="token_ids")
        # Codes are compared: their lengths and products are float32.
        unit = layers.UnitNormalization(dtype="float32", name="unit")
        super().__init__(
            inputs={"images": images, "token_ids": token_ids},
            outputs={"image_codes": unit(image_encoder(images)), "text_codes": unit(text_encoder(token_ids))},
            dtype=dtype,
            **kwargs,
        )

        # === Config ===
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.code_dim = text_encoder.code_dim
        self.image_size = image_encoder.image_size

    def encode_text(self, token_ids, training=False):
        """int32 `(n, l)` to the concepts, float32 `(n, code_dim)` of length 1."""
        return keras.ops.normalize(self.text_encoder(token_ids, training=training))

    def encode_image(self, images, training=False):
        """`(n, s, s, 3)` in [-1, 1] to the concepts, float32 `(n, code_dim)` of length 1."""
        return keras.ops.normalize(self.image_encoder(images, training=training))
