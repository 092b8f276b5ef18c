"""Text concept to image concept: what a picture of these words may be, before there is a picture."""

import keras
import numpy as np
from keras import layers

from keras_t2i.diffusion import SAMPLERS
from keras_t2i.diffusion import from_config
from keras_t2i.diffusion import sampling_times
from keras_t2i.diffusion.guidance import classifier_free
from keras_t2i.layers import Standardization
from keras_t2i.layers import code_condition
from keras_t2i.layers import condition_of
from keras_t2i.layers import modulated_dense_block
from keras_t2i.layers import time_condition
from keras_t2i.models.backbone import Backbone
from keras_t2i.models.prompts import as_seeds
from keras_t2i.utils.batching import at_least_one
from keras_t2i.utils.batching import batches_of_one_size
from keras_t2i.utils.batching import fitting_batch_size
from keras_t2i.utils.embeddings import check_embeddings
from keras_t2i.utils.embeddings import l2_normalize
from keras_t2i.utils.random_streams import random_stream


@keras.saving.register_keras_serializable(package="keras_t2i")
class Prior(Backbone):
    """The diffusion prior of DALL-E 2 (arXiv 2204.06125, section 2.2), small.

    Text and pictures share one space but not one place in it: a caption's concept is not the concept of a
    picture that it describes, of which there are many. The prior draws one: it takes noise off an image
    concept, told the text concept. Residual perceptrons, where the paper has a transformer over the caption's
    tokens. What is diffused are image concepts brought to zero mean and unit variance, number by number, and
    what the network says is the clean one (x0), as in the paper.

    Args:
        code_dim: int, numbers of a concept.
        width: int, of the network; hidden layers have twice as many.
        blocks: int, residual blocks.
        condition_dim: int, width of the vector that steers the blocks.
        whitened_dim: int, in how many directions text concepts differ (`measure`).
        dropout: float in [0, 1), in the blocks.
        process: a name out of `diffusion.PROCESSES`, or what a process's `get_config` gives.
        num_steps, guidance_scale: of `sample` where it is not told.

    Call: one look. `{"codes": float (n, code_dim), noisy and scaled to unit variance, "log_snr": float (n,),
    "text_code": float (n, code_dim) of length 1, "condition_mask": float (n,), 0 where the text is ignored}`
    to the estimate of the clean standardised code, float32 `(n, code_dim)`.
    Raises: ValueError for a process that there is not, or that does not end in noise.
    """

    def __init__(
        self,
        code_dim=512,
        width=384,
        blocks=3,
        condition_dim=192,
        whitened_dim=256,
        dropout=0.0,
        process="rectified_flow",
        num_steps=16,
        guidance_scale=1.0,
        dtype=None,
        **kwargs,
    ):
        process = from_config(process)
        if not process.gaussian:
            raise ValueError(f"concepts are drawn from noise, in which {process.name!r} does not end")
        # === Layers and functional model ===
        inputs = {
            "codes": keras.Input((code_dim,), name="codes"),
            "log_snr": keras.Input((), name="log_snr"),
            "text_code": keras.Input((code_dim,), name="text_code"),
            "condition_mask": keras.Input((), name="condition_mask"),
        }
        text, given = inputs["text_code"], inputs["condition_mask"]
        condition = condition_of(
            [
                time_condition(inputs["log_snr"], condition_dim),
                code_condition(text, given, condition_dim, whitened_dim, "text_code")[0],
            ]
        )
        x = layers.Dense(width, dtype=dtype, name="widen")(inputs["codes"])
        for i in range(blocks):
            x = modulated_dense_block(x, condition, 2 * width, dropout, dtype, f"block{i}")
        x = layers.LayerNormalization(dtype=dtype, name="head_norm")(x)
        x = layers.Dense(code_dim, kernel_initializer="zeros", dtype="float32", name="head")(x)
        super().__init__(inputs=inputs, outputs=x, dtype=dtype, **kwargs)
        self.standardization = Standardization(dtype="float32", name="standardization")
        self.standardization.build((None, code_dim))

        # === Config ===
        self.code_dim = code_dim
        self.width = width
        self.blocks = blocks
        self.condition_dim = condition_dim
        self.whitened_dim = whitened_dim
        self.dropout = dropout
        self.process = process.get_config()
        self.num_steps = at_least_one("num_steps", num_steps)
        self.guidance_scale = float(guidance_scale)

    def measure(self, text_codes, image_codes, noise_scale=0.3):
        """Before training: find the mean and size of each number of image concepts, and the directions in
        which text concepts differ.

        Args:
            text_codes, image_codes: float arrays `(n, code_dim)`, `(m, code_dim)` of length 1, of training.
            noise_scale: float; differences of texts smaller than this share of their spread stay small.
        """
        text_codes, image_codes = (np.asarray(codes, "float64") for codes in (text_codes, image_codes))
        spread = np.square(text_codes - text_codes.mean(axis=0)).mean()
        self.get_layer("text_code_whitening").measure(text_codes, noise_scale**2 * spread)
        scale = image_codes.std(axis=0)
        self.standardization.mean.assign(image_codes.mean(axis=0))
        self.standardization.scale.assign(np.maximum(scale, 1e-3 * scale.mean() + 1e-9))

    def sample(self, text_codes, seed=None, num_steps=None, guidance_scale=None, best_of=2, batch_size=256):
        """Draw an image concept for each text concept.

        A code depends on its text, its seed and these settings alone: not on the others of the call, and, but
        for rounding, not on the backend.

        Args:
            text_codes: float `(n, code_dim)`, brought to length 1.
            seed: int, the first code's; code i has `seed + i`. Or one int per code. `None`: new ones.
            num_steps: int, steps from noise to code. This and the next are the preset's for `None`.
            guidance_scale: float, 0 or more: how far to go from what is drawn with no text to what is drawn
                with it, and on; 1 is the text alone.
            best_of: int, draws so many and keeps the one nearest to the text, by cosine (two in the paper).
            batch_size: int, codes that the network sees at once.

        Returns:
            float32 `(n, code_dim)` of length 1.

        Raises:
            TypeError: a seed is not an int.
            ValueError: codes of another shape or not finite, another number of seeds, a number out of range.
        """
        text_codes = l2_normalize(check_embeddings("text_codes", text_codes, self.code_dim))
        seeds, best_of = as_seeds(seed, len(text_codes)), at_least_one("best_of", best_of)
        num_steps = at_least_one("num_steps", self.num_steps if num_steps is None else num_steps)
        scale = self.guidance_scale if guidance_scale is None else float(guidance_scale)
        if not (np.isfinite(scale) and scale >= 0):
            raise ValueError(f"guidance_scale must be 0 or more, got {guidance_scale}")
        total = len(seeds) * best_of
        size = fitting_batch_size(total, batch_size)
        process = from_config(self.process)
        times = sampling_times(process, num_steps)
        codes = np.zeros((total, self.code_dim), "float32")
        for rows, count in batches_of_one_size(total, size):
            noise = np.stack([self._noise(seeds[r // best_of], r % best_of) for r in rows])
            denoiser = self._denoiser(text_codes[rows // best_of], scale)
            x = SAMPLERS["dpm_solver_pp_2m"](denoiser, process.start(noise, times[0]), times, process)
            codes[rows[:count]] = x[:count]
        mean, spread = map(keras.ops.convert_to_numpy, self.standardization.weights)
        codes = l2_normalize(codes * spread + mean).reshape(len(seeds), best_of, -1)
        nearest = np.einsum("nbd,nd->nb", codes, text_codes).argmax(axis=1)
        return codes[np.arange(len(codes)), nearest]

    def _denoiser(self, text_codes, scale):
        """x_t and t to the guided estimate of x_0, on NumPy arrays, as samplers want it."""
        process = from_config(self.process)
        given = [np.ones(len(text_codes), "float32"), np.zeros(len(text_codes), "float32")]
        parts = 1 if scale == 1.0 else 2
        text_code, conditioned = np.concatenate([text_codes] * parts), np.concatenate(given[:parts])

        def denoise(x, t):
            x = np.asarray(x, "float32")
            inputs = {
                "codes": np.concatenate([x * np.float32(process.c_in(t, 1.0))] * parts),
                "log_snr": np.full(len(conditioned), process.log_snr(t), "float32"),
                "text_code": text_code,
                "condition_mask": conditioned,
            }
            estimates = np.split(np.asarray(self.predict_on_batch(inputs), "float32"), parts)
            return estimates[0] if parts == 1 else classifier_free(*estimates, scale)

        return denoise

    def _noise(self, seed, candidate):
        return random_stream(seed, "prior", candidate).standard_normal(self.code_dim, dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "code_dim": self.code_dim,
            "width": self.width,
            "blocks": self.blocks,
            "condition_dim": self.condition_dim,
            "whitened_dim": self.whitened_dim,
            "dropout": self.dropout,
            "process": dict(self.process),
            "num_steps": self.num_steps,
            "guidance_scale": self.guidance_scale,
        }
