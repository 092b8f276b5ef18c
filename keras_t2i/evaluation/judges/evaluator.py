"""The judges: encoders of text and picture that no generator was trained, guided, ranked or chosen with.

There are two, of two architectures. Each learned from one half of the pictures, so that a picture that is
asked for can be judged by the one that has never seen it (`unseen_by`).
"""

import keras
import numpy as np
from keras import layers

from keras_t2i.evaluation.judges.towers import PatchTransformer
from keras_t2i.evaluation.judges.towers import PlainTower
from keras_t2i.evaluation.judges.towers import RecurrentTextEncoder
from keras_t2i.evaluation.judges.towers import TransformerTextEncoder
from keras_t2i.models.backbone import Backbone
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.presets.registry import register_packaged_presets
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.hashing import bucket
from keras_t2i.utils.images import to_float

HALVES = 2
TOWERS = {
    "convolutional": (RecurrentTextEncoder, PlainTower),
    "attentive": (TransformerTextEncoder, PatchTransformer),
}
PACKAGED_JUDGES = ("evaluator_convolutional_32", "evaluator_attentive_32")  # of half 0, of half 1


@keras.saving.register_keras_serializable(package="keras_t2i")
class Evaluator(Backbone):
    """A text tower and an image tower that judge. Not a `DualEncoder`: no recipe takes one for training.

    Args:
        text_encoder, image_encoder: Backbones out of `TOWERS`, with the same `code_dim`.
        half: 0 or 1, of the pictures that it learned from; see `half_of`.

    Call: `{"images", "token_ids"}` to `{"image_codes", "text_codes"}`, float32 of length 1.
    """

    nested = ("text_encoder", "image_encoder")

    def __init__(self, text_encoder, image_encoder, half, dtype=None, **kwargs):
        if text_encoder.code_dim != image_encoder.code_dim:
            raise ValueError(
                f"the text encoder ends in {text_encoder.code_dim} numbers, the image encoder in "
                f"{image_encoder.code_dim}: give both the same code_dim"
            )
        images = keras.Input(image_encoder.input_shape[1:], dtype="float32", name="images")
        token_ids = keras.Input(text_encoder.input_shape[1:], dtype="int32", name="token_ids")
        unit = layers.UnitNormalization(dtype="float32", name="unit")
        super().__init__(
            inputs={"images": images, "token_ids": token_ids},
            outputs={"image_codes": unit(image_encoder(images)), "text_codes": unit(text_encoder(token_ids))},
            dtype=dtype,
            **kwargs,
        )
        self.text_encoder = text_encoder
        self.image_encoder = image_encoder
        self.half = half
        self.code_dim = text_encoder.code_dim
        self.image_size = image_encoder.image_size

    def get_config(self):
        return {**super().get_config(), "half": self.half}


class Judge:
    """An `Evaluator` with its text preparation: pictures and captions in, concepts out.

    Args:
        network: `Evaluator`, or any network with its two towers.
        preprocessor: `TextToImagePreprocessor`.
        name: str, for reports.
    """

    def __init__(self, network, preprocessor, name="judge"):
        self.network, self.preprocessor, self.name = network, preprocessor, name
        self.half = getattr(network, "half", None)

    @classmethod
    def from_preset(cls, preset):
        """Open a preset: one of `PACKAGED_JUDGES`, or a folder that `train_evaluator.py` has written."""
        return cls(
            Evaluator.from_preset(preset), TextToImagePreprocessor.from_preset(preset), name=str(preset)
        )

    def encode_image(self, pictures, batch_size=256):
        """uint8 `(n, s, s, 3)` to float32 `(n, code_dim)` of length 1.

        Raises: ValueError for another dtype, or pictures of another size than the network takes.
        """
        pictures, size = np.asarray(pictures), self.network.image_size
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (size, size, 3):
            raise ValueError(
                f"{self.name} judges uint8 (n, {size}, {size}, 3), got {pictures.dtype} {pictures.shape}"
            )
        return _codes(self.network.image_encoder, to_float(pictures), batch_size)

    def encode_text(self, captions, batch_size=256):
        """A list of n str to float32 `(n, code_dim)` of length 1."""
        token_ids = self.preprocessor.generate_preprocess(captions)
        return _codes(self.network.text_encoder, token_ids, batch_size)


def half_of(data):
    """Which half each picture belongs to: int `(n,)`, 0 or 1.

    By name, so that every machine and every data set that holds the picture agrees; equal pictures are in
    one half, that of the alphabetically first.
    """
    first = {}
    for name, group in zip(data.names, data.groups.tolist(), strict=True):
        first[group] = min(name, first.get(group, name))
    return np.array([bucket("evaluator half", first[group], HALVES) for group in data.groups.tolist()])


class Judges:
    """Judges as one, so that no picture is judged by one that learned from it.

    The codes of all judges stand side by side. Of a picture's code only the part of its own judge is kept,
    the rest is 0, so that its product with a caption's code is the cosine that this judge sees.

    Args:
        judges: list of `Judge`, each of one half; both halves must occur.

    Raises: ValueError where every judge learned from one and the same half.
    """

    def __init__(self, judges):
        self.judges = list(judges)
        self.name = " and ".join(judge.name for judge in self.judges)
        self._of_half = {}
        for half in range(HALVES):
            others = [i for i, judge in enumerate(self.judges) if judge.half != half]
            if not others:
                raise ValueError(
                    f"All judges learned from half {half}: give one of each, such as {PACKAGED_JUDGES}"
                )
            self._of_half[half] = others[0]

    @classmethod
    def from_presets(cls, presets=PACKAGED_JUDGES):
        """Open them: names or folders, see `Judge.from_preset`."""
        return cls([Judge.from_preset(preset) for preset in presets])

    def unseen_by(self, data):
        """Which judge has not seen each picture of `CaptionedImages`: int `(n,)`, positions."""
        return np.array([self._of_half[half] for half in half_of(data).tolist()])

    def encode_text(self, captions):
        """A list of n str to float32 `(n, sum of the code sizes)`, of length 1 in each judge's part."""
        return np.concatenate([judge.encode_text(captions) for judge in self.judges], axis=1)

    def encode_image(self, pictures, judge=None):
        """uint8 `(n, s, s, 3)` to float32 `(n, sum of the code sizes)`.

        Args:
            pictures: to be judged.
            judge: int `(n,)` of `unseen_by`; `None` keeps every judge's part, each of length 1.
        """
        parts = [judge.encode_image(pictures) for judge in self.judges]
        if judge is not None:
            parts = [part * (np.asarray(judge) == i)[:, None] for i, part in enumerate(parts)]
        return np.concatenate(parts, axis=1)


def _codes(network, inputs, batch_size):
    codes = predict_in_batches(network, inputs, batch_size)
    return codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12)


register_packaged_presets()  # now that their classes are known
