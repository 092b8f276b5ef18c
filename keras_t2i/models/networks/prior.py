"""Text concept to image concept: what a picture of these words may be, before there is a picture."""

import keras
import numpy as np
from keras import layers

from keras_t2i.diffusion import from_config
from keras_t2i.layers import Standardization
from keras_t2i.layers import code_condition
from keras_t2i.layers import condition_of
from keras_t2i.layers import float32
from keras_t2i.layers import modulated_dense_block
from keras_t2i.layers import time_condition
from keras_t2i.models.backbone import Backbone
from keras_t2i.utils.batching import at_least_one


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
        whitened_dim: int, in how many directions text concepts differ (`adapt`).
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
            "codes": keras.Input((code_dim,), dtype="float32", name="codes"),
            "log_snr": keras.Input((), dtype="float32", name="log_snr"),
            "text_code": keras.Input((code_dim,), dtype="float32", name="text_code"),
            "condition_mask": keras.Input((), dtype="float32", name="condition_mask"),
        }
        text, given = inputs["text_code"], inputs["condition_mask"]
        condition = condition_of(
            [
                time_condition(inputs["log_snr"], condition_dim, dtype),
                code_condition(text, given, condition_dim, whitened_dim, "text_code", dtype)[0],
            ]
        )
        x = layers.Dense(width, dtype=dtype, name="widen")(inputs["codes"])
        for i in range(blocks):
            x = modulated_dense_block(x, condition, 2 * width, dropout, dtype, f"block{i}")
        x = layers.LayerNormalization(dtype=dtype, name="head_norm")(x)
        # What is said is summed up over steps: it stays float32.
        last = {"kernel_initializer": "zeros", "dtype": float32(dtype), "name": "head"}
        x = layers.Dense(code_dim, **last)(x)
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

    def adapt(self, text_codes, image_codes, noise_scale=0.3):
        """Before training: find the mean and size of each number of image concepts, and the directions in
        which text concepts differ.

        Args:
            text_codes, image_codes: float arrays `(n, code_dim)`, `(m, code_dim)` of length 1, of training.
            noise_scale: float; differences of texts smaller than this share of their spread stay small.
        """
        text_codes, image_codes = (np.asarray(codes, "float64") for codes in (text_codes, image_codes))
        spread = np.square(text_codes - text_codes.mean(axis=0)).mean()
        self.get_layer("text_code_whitening").adapt(text_codes, noise_scale**2 * spread)
        scale = image_codes.std(axis=0)
        self.standardization.mean.assign(image_codes.mean(axis=0))
        self.standardization.scale.assign(np.maximum(scale, 1e-3 * scale.mean() + 1e-9))

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
