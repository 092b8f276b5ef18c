"""Words to a picture: the Task that a person uses."""

import math

import keras
import keras_hub
import numpy as np

from keras_t2i.models.generator_backbone import GeneratorBackbone
from keras_t2i.models.prompts import as_prompts
from keras_t2i.models.prompts import as_seeds
from keras_t2i.models.prompts import unwrap
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.presets.registry import check_options
from keras_t2i.presets.registry import find_preset
from keras_t2i.presets.saving import save_preset
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.batching import predict_in_batches
from keras_t2i.utils.embeddings import check_embeddings
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.images import downsample
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i.utils.random_streams import random_stream


@keras.saving.register_keras_serializable(package="keras_t2i")
class Generator(keras_hub.models.TextToImage):
    """Pictures from words, in one pass through the networks.

    Args:
        backbone: `GeneratorBackbone`.
        preprocessor: `TextToImagePreprocessor` of the text encoder's length.

    Example:

    ```python
    generator = Generator.from_preset("generator_openmoji_32")  # Generator.presets lists the names
    picture = generator.generate("a red apple", seed=0)  # uint8 (32, 32, 3)
    ```
    """

    backbone_cls = GeneratorBackbone
    preprocessor_cls = TextToImagePreprocessor
    # Settings of `generate` that an evaluation draws curves over.
    sweeps = {"temperature": (0.0, 1.0, 2.0, 4.0, 8.0), "best_of": (1, 2, 4, 8)}

    def __init__(self, backbone, preprocessor, **kwargs):
        length = backbone.dual_encoder.text_encoder.input_shape[-1]
        if preprocessor.sequence_length != length:
            raise ValueError(
                f"The preprocessor makes captions of {preprocessor.sequence_length} pieces, "
                f"the text encoder takes {length}."
            )
        self.backbone = backbone
        self.preprocessor = preprocessor
        super().__init__(inputs=backbone.input, outputs=backbone.output, **kwargs)

    def compile(self, *args, **kwargs):
        """Nothing to compile: the parts are trained one by one (`keras_t2i.training`)."""
        if args or kwargs:
            raise NotImplementedError("A Generator is not trained as a whole; see keras_t2i.training.")

    @property
    def support_negative_prompts(self):
        return False

    @property
    def image_size(self):
        """int, width and height of the pictures."""
        return self.backbone.image_size

    @classmethod
    def from_preset(cls, preset, load_weights=True, **options):
        """Open a preset.

        Args:
            preset: a name out of `Generator.presets` (packaged: no network), a folder (`str` or
                `pathlib.Path`), or `"hf://user/model"`, `"kaggle://user/model/keras/variant"`.
            load_weights: `False` leaves the weights as they are initialised.
            **options: `dtype`, of all networks, for example `"bfloat16"`; `name`.

        Raises:
            ValueError: no such preset (the message lists the known ones), or it makes no pictures.
            TypeError: an unknown option.
        """
        check_options(cls, options, allowed={"dtype", "name"})
        return super().from_preset(find_preset(preset, cls), load_weights, **options)

    @classmethod
    def from_stages(cls, *, decoder, text_encoder=None, prior=None, upsampler=None, preprocessor=None):
        """Put a generator together out of stages that were trained apart, or swap one of its stages.

        Each stage is a preset (name, folder, handle), a generator to take it from, or a network. Concepts
        must have as many numbers at each joint; that they mean the same is for you to see to: a decoder
        and a prior draw sense only with the encoders that they were trained with.

        Args:
            decoder: `ConceptDecoder`, or the backbone or preset of any generator.
            text_encoder: `DualEncoder`; or a `CNNTextEncoder`, which then replaces that of the decoder's
                dual encoder; or `None`: the decoder's.
            prior: `Prior`, for a decoder of image concepts (`UnCLIPBackbone`); or `None`: the decoder's.
            upsampler: `None`.
            preprocessor: `TextToImagePreprocessor`, where the text encoder is a network without one.

        Returns:
            The kind of generator that the decoder belongs to.

        Raises: ValueError where sizes do not agree (it names both), or a stage is of another kind.
        """
        from keras_t2i.models.stages import from_stages  # which is made of all generators, this one too

        return from_stages(decoder, text_encoder, prior, upsampler, preprocessor)

    def save_to_preset(self, preset_dir, max_shard_size=10, *, weights_dtype="float32", card=None):
        """Save all networks and the tokenizer in a folder: see `keras_t2i.presets.saving.save_preset`."""
        save_preset(self, preset_dir, weights_dtype, card=card, max_shard_size=max_shard_size)

    def generate(
        self,
        inputs,
        *,
        seed=None,
        num_images=1,
        temperature=1.0,
        best_of=1,
        batch_size=16,
        progress=False,
        num_steps=None,
    ):
        """Make pictures.

        A picture depends on its words, its seed, `temperature` and `best_of` alone: not on the others
        of the call, and, but for rounding, not on the backend.

        Args:
            inputs: a prompt, a list of prompts, or `{"prompts": ...}` with one of the two.
            seed: int, the first picture's; picture i has `seed + i`. Or one int per picture.
                `None`: new ones each time.
            num_images: pictures of each prompt.
            temperature: float, 0 or more: how far pictures of a prompt differ. 0: no chance at all.
            best_of: makes so many for each picture and keeps the one that `rank` puts first.
            batch_size: pictures that the networks see at once.
            progress: whether to show a progress bar.
            num_steps: as KerasHub's `TextToImage` has it; there is one step here, so `None` or 1.

        Returns:
            uint8 array: `(s, s, 3)` for one prompt and `num_images=1`, else `(n, s, s, 3)`, n the
            prompts times `num_images`, all of the first prompt first.

        Raises:
            TypeError: a prompt isn't text, a seed not an int.
            ValueError: an empty prompt (its position is named), another number of seeds than
                pictures, an unknown key, a number out of range.
        """
        if num_steps not in (None, 1):
            raise ValueError(
                f"This generator makes a picture in one step: num_steps must be 1, got {num_steps}"
            )
        if not (math.isfinite(temperature) and temperature >= 0):
            raise ValueError(f"temperature must be 0 or more, got {temperature}")
        num_images, best_of = at_least_one("num_images", num_images), at_least_one("best_of", best_of)
        inputs = unwrap(inputs)
        prompts = as_prompts(inputs["prompts"])
        token_ids = self.preprocessor.generate_preprocess(prompts)
        seeds = as_seeds(seed, len(prompts) * num_images)

        owner = np.repeat(np.arange(len(prompts)), num_images * best_of)  # prompt of each candidate
        noise = np.stack([self._noise(s, candidate) for s in seeds for candidate in range(best_of)])
        inputs_of_all = {"token_ids": token_ids[owner], "noise": noise * np.float32(temperature)}
        pictures = to_uint8(predict_in_batches(self.backbone, inputs_of_all, batch_size, progress))
        pictures = self._best(pictures, prompts, owner, best_of, batch_size)
        return pictures[0] if len(pictures) == 1 and isinstance(inputs["prompts"], str) else pictures

    def _best(self, pictures, prompts, owner, best_of, batch_size):
        """Of each `best_of` candidates in a row the one that `rank` would put first."""
        if best_of == 1:
            return pictures
        seen, asked = self.encode_image(pictures, batch_size), self.encode_text(prompts, batch_size)[owner]
        best = np.sum(seen * asked, axis=-1).reshape(-1, best_of).argmax(axis=-1)
        return pictures[np.arange(len(best)) * best_of + best]

    def rank(self, pictures, prompt, batch_size=16):
        """Sort pictures by how well they fit a prompt, as the dual encoder sees it.

        Args:
            pictures: uint8 `(n, s, s, 3)`, or a list of such pictures.
            prompt: `str`.

        Returns:
            `(order, scores)`, best first: int array, `pictures[order[0]]` fits best, and float32
            array, the cosine between picture and prompt in [-1, 1], `scores[0]` the highest.
        """
        if not isinstance(prompt, str):
            raise TypeError(f"rank takes one prompt, a str, got {type(prompt).__name__}")
        scores = self.encode_image(pictures, batch_size) @ self.encode_text(prompt, batch_size)[0]
        order = np.argsort(-scores, kind="stable")
        return order, scores[order]

    def encode_text(self, prompts, batch_size=16):
        """Concepts of prompts (a `str` or a list): float32 `(n, code_dim)` of length 1."""
        token_ids = self.preprocessor.generate_preprocess(as_prompts(unwrap(prompts)["prompts"]))
        return l2_normalize(
            predict_in_batches(self.backbone.dual_encoder.text_encoder, token_ids, batch_size)
        )

    def encode_image(self, pictures, batch_size=16):
        """Concepts of pictures, uint8 `(n, s, s, 3)`: float32 `(n, code_dim)` of length 1.

        Raises: ValueError for another shape or dtype.
        """
        pictures, size = np.asarray(pictures), self.image_size
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (size, size, 3):
            raise ValueError(
                f"pictures must be uint8 (n, {size}, {size}, 3), got {pictures.dtype} {pictures.shape}"
            )
        images = downsample(to_float(pictures), self.backbone.dual_encoder.image_size)
        return l2_normalize(predict_in_batches(self.backbone.dual_encoder.image_encoder, images, batch_size))

    def decode(self, concepts, batch_size=16):
        """Pictures of concepts, float `(n, code_dim)` brought to length 1: uint8 `(n, s, s, 3)`.

        Raises: ValueError for another shape, or a number that is not finite.
        """
        concepts = check_embeddings("concepts", concepts, self.backbone.latent_shape[-1])
        return to_uint8(predict_in_batches(self.backbone.decoder, l2_normalize(concepts), batch_size))

    def _noise(self, seed, candidate, draw=0):
        shape = self.backbone.latent_shape[1:]
        return random_stream(seed, "picture", candidate, draw).standard_normal(shape, dtype="float32")
