"""One of every objective, small, with numbers in all its weights."""

import numpy as np
import record
from tiny import tiny_dual_encoder
from tiny_diffusion import filled
from tiny_renderer import tiny_renderer
from tiny_upsampler import tiny_upsampler

from keras_t2i.objectives.distillation import ConsistencyTuning
from keras_t2i.objectives.regression import CaptionRegression
from keras_t2i.objectives.rendering import Rendering
from keras_t2i.objectives.upsampling import Upsampling


def tuning():
    unet = filled(record.tinier_unet(draft_features=20, draft_components=4, data_std=0.5))
    return ConsistencyTuning(unet, record.text_tower(), run_steps=8)


def upsampling():
    return Upsampling(tiny_upsampler(factor=4), tiny_dual_encoder(8, blocks=0).text_encoder)


OF_RECORD = (
    "reconstruction",
    "conditional VAE",
    "clip in micro-batches",
    "siglip",
    "concept regression",
    "code consistency, fixed",
    "GAN",
    "denoising with image concepts",
    "prior",
)
# Name -> function that makes one. Each learns of a batch of `tiny_objectives.tiny_pipeline`, and `BESIDE`.
TRAININGS = {
    **{name: record.TRAININGS[name] for name in OF_RECORD},
    "caption regression": lambda: CaptionRegression(record.text_tower()),
    "consistency tuning over a draft": tuning,
}
# These two have pipelines of their own, of windows of larger pictures.
OF_WINDOWS = {"rendering": lambda: Rendering(tiny_renderer(blocks=(0, 0, 0, 0))), "upsampling": upsampling}
LEFT_OUT = {
    "left_out_components": record.codes_of(16, 4, 9).reshape(8, 2, 4),
    "left_out_doubt": np.full((8, 2), 0.3, "float32"),
}
BESIDE = {
    **record.BESIDE,
    "caption regression": {"image_features": {"codes": record.codes_of(8, 32, 7)}},
    "consistency tuning over a draft": {"image_features": LEFT_OUT},
}
