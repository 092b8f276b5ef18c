"""What every drawing of a call depends on: its chance, and what its words say."""

from typing import Any
from typing import NamedTuple

from keras_t2i.models.stages.sampling import rows_of
from keras_t2i.models.stages.sampling import sample_in_batches
from keras_t2i.models.stages.text import negative_conditions
from keras_t2i.models.stages.text import text_conditions
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8


class Words(NamedTuple):
    """Of n drawings.

    draws: list of n `Draw`; text, negative: conditions as of `Stage`, `{"text": ...}`, with n rows, of
    prompts and of what not to draw, or `None`.
    """

    draws: list
    text: Any
    negative: Any = None

    @classmethod
    def of(cls, generator, prompts, negative_prompts, owner, draws, batch_size):
        """Of prompts, encoded.

        Args:
            generator: `Generator`.
            prompts, negative_prompts: as of `text_conditions` and `negative_conditions`.
            owner: int array `(n,)`, the prompt of each drawing.
            draws: list of n `Draw`.
            batch_size: int, prompts encoded at once.
        """
        encoder = generator.stage("text"), generator.preprocessor
        text = text_conditions(*encoder, prompts, batch_size)
        negative = negative_conditions(*encoder, prompts, negative_prompts, batch_size)
        return cls(draws, rows_of(text, owner), rows_of(negative, owner))

    @classmethod
    def none(cls, generator, draws):
        """Of no words at all."""
        return cls(draws, {"text": generator.stage("text").null_text(len(draws))})

    def take(self, rows):
        """Those of some drawings."""
        draws = [self.draws[row] for row in rows]
        return Words(draws, rows_of(self.text, rows), rows_of(self.negative, rows))


def upsampled(stage, pictures, words, batch_size=4, progress=False, **settings):
    """Small pictures, several times as large.

    Args:
        stage: `UpsamplerStage`.
        pictures: uint8 `(n, h, w, 3)`.
        words: `Words` of n drawings.
        batch_size: int, pictures that the network sees at once.
        progress: bool, whether to show a progress bar, of network evaluations.
        **settings: of `UpsamplerStage.resolve`.

    Returns:
        uint8 `(n, h * factor, w * factor, 3)`.
    """
    settings = stage.resolve(**settings)

    def sample_batch(batch):
        here = {**rows_of(words.text, batch.rows), "image": to_float(pictures[batch.rows])}
        others = rows_of(words.negative, batch.rows)
        return to_uint8(stage.sample_batch(here, batch.draws, others, batch.update, **settings))

    return sample_in_batches(sample_batch, words.draws, batch_size, stage.num_steps_of(settings), progress)
