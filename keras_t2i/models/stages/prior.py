"""A text embedding to an image embedding: one of the many that pictures of these words may have."""

import keras
import numpy as np

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import Denoiser
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.models.inputs import check_number
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.stages.stage import inputs_like
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.embeddings import check_embeddings
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.random_streams import random_stream

PURPOSE = "prior"  # of the random stream


@keras.saving.register_keras_serializable(package="keras_t2i")
class PriorStage(Stage):
    """A `Prior` draws image embeddings by diffusion (DALL-E 2: arXiv 2204.06125, section 2.2).

    Args:
        prior: `Prior`, which also says its process and its usual number of steps and guidance scale.

    Call: one evaluation of the prior, see there.
    """

    nested = ("prior",)
    consumes = ("text",)
    produces = "image_embedding"
    sampler = "dpm_solver_pp_2m"
    best_of = 2  # in the paper

    def __init__(self, prior, dtype=None, **kwargs):
        # === Functional model ===
        inputs = inputs_like(prior)
        super().__init__(inputs=inputs, outputs=prior(inputs), dtype=dtype, **kwargs)

        # === Config ===
        self.prior = prior

    def check(self, before):
        super().check(before)
        dual_encoder = before["text"].dual_encoder
        if self.prior.code_dim != dual_encoder.code_dim:
            raise ValueError(
                f"the prior's concepts have {self.prior.code_dim} numbers, the dual encoder's "
                f"{dual_encoder.code_dim}"
            )

    def denoiser(self):
        """The `Denoiser` of the prior, of concepts brought to zero mean and unit variance."""
        return Denoiser(self.prior, self.prior.process, "x0", 1.0, "codes")

    def times(self, num_steps):
        """Falling times of so many steps, float64 `(num_steps + 1,)`."""
        return sampling_times(from_config(self.prior.process), num_steps)

    def resolve(self, num_steps=None, guidance_scale=None, best_of=best_of):
        scale = self.prior.guidance_scale if guidance_scale is None else guidance_scale
        return {
            "num_steps": at_least_one("num_steps", self.prior.num_steps if num_steps is None else num_steps),
            "guidance_scale": check_number("guidance_scale", scale, 0.0),
            "best_of": at_least_one("best_of", best_of),
        }

    def num_steps_of(self, settings):
        return settings["num_steps"]

    def sample_batch(
        self, conditions, draws, unconditional=None, update=None, *, num_steps, guidance_scale, best_of
    ):
        """The condition "image_embedding": "image_code", float32 `(n, code_dim)` of length 1, and
        "image_condition_mask", that of the text.

        Args:
            num_steps: int, steps from noise to embedding.
            guidance_scale: float, 0 or more: how far to go from what is drawn with no text to what is drawn
                with it, and on; 1 is the text alone.
            best_of: int, draws so many and keeps the one nearest to the text, by cosine (two in the paper).
        """
        text = conditions["text"]
        mask = text.get("condition_mask", np.ones(len(draws), "float32"))
        codes = l2_normalize(text["text_code"])
        if mask.any():  # where no text counts any code will do
            codes = self._drawn(codes, draws, num_steps, guidance_scale, best_of, update)
        return {"image_code": codes, "image_condition_mask": mask}

    def sample_codes(self, text_codes, seed=None, batch_size=128, progress=False, **settings):
        """An image embedding for each text embedding: `sample` on plain arrays.

        Args:
            text_codes: float `(n, code_dim)`, brought to length 1.
            seed, batch_size, progress: as of `sample`.
            **settings: num_steps, guidance_scale, best_of; `None` for the preset's.

        Returns:
            float32 `(n, code_dim)` of length 1.

        Raises:
            TypeError: a seed is not an int.
            ValueError: codes of another shape or not finite, another number of seeds, a number out of range.
        """
        text_codes = check_embeddings("text_codes", text_codes, self.prior.code_dim)
        conditions = {"text": {"text_code": text_codes}}
        return self.sample(conditions, seed, batch_size, progress, **settings)["image_code"]

    def _drawn(self, text_codes, draws, num_steps, scale, best_of, update):
        prior, denoiser, times = self.prior, self.denoiser(), self.times(num_steps)
        owner = np.repeat(np.arange(len(draws)), best_of)
        texts = text_codes[owner]
        condition = {"text_code": texts, "condition_mask": np.ones(len(texts), "float32")}
        nothing = {**condition, "condition_mask": np.zeros(len(texts), "float32")}
        noise = np.stack([prior_noise(draw, i, prior.code_dim) for draw in draws for i in range(best_of)])
        x = denoiser.process.start(noise, times[0])
        watch = None if update is None else lambda *state: update()
        guided = denoiser.guided(condition, nothing, scale)
        x = SAMPLERS[self.sampler](guided, x, times, denoiser.process, callback=watch)
        mean, spread = map(keras.ops.convert_to_numpy, prior.standardization.weights)
        codes = l2_normalize(x * spread + mean).reshape(len(draws), best_of, -1)
        nearest = np.einsum("nbd,nd->nb", codes, text_codes).argmax(axis=1)
        return codes[np.arange(len(codes)), nearest]


def prior_noise(draw, number, code_dim):
    """Standard normal noise of one drawing's embedding, float32 `(code_dim,)`."""
    seed = draw.seed
    if draw.candidate:
        seed = int(random_stream(seed, "prior seed", draw.candidate).integers(2**63))
    return random_stream(seed, PURPOSE, number).standard_normal(code_dim, dtype="float32")
