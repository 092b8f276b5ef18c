"""Words to features, in the space that text and pictures share."""

import keras
import numpy as np

from keras_t2i.models.inputs import as_negative_prompts
from keras_t2i.models.networks.text_encoder import token_features
from keras_t2i.models.stages.stage import Stage
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.images import downsample


@keras.saving.register_keras_serializable(package="keras_t2i")
class TextStage(Stage):
    """Token ids to what later stages are conditioned on. No chance in it.

    Args:
        dual_encoder: `DualEncoder`. Its image encoder makes no pictures: it ranks them, and says what is in a
            given one.

    Call: int32 `(n, l)` to `{"text_code": float32 (n, code_dim) of length 1, "text_tokens": float32 (n, l,
    filters), "text_mask": bool (n, l)}`.
    """

    nested = ("dual_encoder",)
    produces = "text"

    def __init__(self, dual_encoder, dtype=None, **kwargs):
        # === Functional model ===
        features = token_features(dual_encoder.text_encoder)
        token_ids = keras.Input(dual_encoder.text_encoder.input_shape[1:], dtype="int32", name="token_ids")
        super().__init__(inputs=token_ids, outputs=features(token_ids), dtype=dtype, **kwargs)

        # === Config ===
        self.dual_encoder = dual_encoder
        self.features = features

    @property
    def sequence_length(self):
        """int, word pieces of a caption."""
        return self.dual_encoder.text_encoder.input_shape[-1]

    def encode(self, token_ids, batch_size=16, mask=None):
        """The condition "text" of captions.

        Args:
            token_ids: int32 `(n, l)`.
            batch_size: int, captions encoded at once.
            mask: float `(n,)`, 0 where a caption counts for nothing; `None`: all ones.

        Returns:
            dict of what a call gives, as arrays, and "condition_mask", float32 `(n,)`.
        """
        features = predict_in_batches(self.features, token_ids, batch_size)
        mask = np.ones(len(token_ids)) if mask is None else mask
        return {**features, "condition_mask": np.asarray(mask, "float32")}

    def null_text(self, n):
        """The condition "text" of no caption at all, for `n` drawings."""
        encoder = self.dual_encoder.text_encoder
        shapes = {
            "text_code": (n, encoder.code_dim),
            "text_tokens": (n, self.sequence_length, encoder.filters),
            "text_mask": (n, self.sequence_length),
            "condition_mask": (n,),
        }
        return {name: np.zeros(shape, "float32") for name, shape in shapes.items()}

    def encode_text(self, token_ids, batch_size=16):
        """Concepts (text embeddings) of captions, float32 `(n, code_dim)` of length 1."""
        return l2_normalize(predict_in_batches(self.dual_encoder.text_encoder, token_ids, batch_size))

    def encode_image(self, images, batch_size=16):
        """Concepts (image embeddings) of pictures, float `(n, s, s, 3)` in [-1, 1]: as of `encode_text`."""
        images = downsample(images, self.dual_encoder.image_size)
        return l2_normalize(predict_in_batches(self.dual_encoder.image_encoder, images, batch_size))

    def sample_batch(self, conditions, draws, unconditional=None, update=None):
        features = self.encode(conditions["token_ids"], len(draws))
        if update is not None:
            update()
        return features

    def check_image_size(self, size):
        """Raise a ValueError where pictures of this size cannot be ranked."""
        if size % self.dual_encoder.image_size:
            raise ValueError(
                f"pictures of {size} pixels cannot be downsampled to the {self.dual_encoder.image_size} that "
                "the dual encoder sees: take a multiple"
            )


def text_conditions(stage, preprocessor, prompts, batch_size):
    """Conditions of prompts, as stages take them: `{"text": ...}`, see `TextStage.encode`, with n rows.

    Args:
        stage: `TextStage`.
        preprocessor: `TextToImagePreprocessor`.
        prompts: list of n `str`.
        batch_size: int, prompts encoded at once.

    Raises: TypeError, ValueError where a prompt is not text or empty.
    """
    return {"text": stage.encode(preprocessor.generate_preprocess(prompts), batch_size)}


def negative_conditions(stage, preprocessor, prompts, negative_prompts, batch_size):
    """The same of negative prompts, masked where there is none; or `None` for none at all.

    Args:
        negative_prompts: `str`, for all, or a list of n `str`, "" for none; or `None`.
    """
    negatives = as_negative_prompts(negative_prompts, len(prompts))
    if not any(negatives):
        return None
    filled = [negative or prompt for negative, prompt in zip(negatives, prompts, strict=True)]
    token_ids = preprocessor.generate_preprocess(filled)
    return {"text": stage.encode(token_ids, batch_size, [bool(one) for one in negatives])}
