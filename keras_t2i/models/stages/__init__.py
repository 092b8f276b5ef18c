"""Conditions and a seed to an array: the steps of the way from words to a picture."""

from keras_t2i.models.stages.diffusion import DiffusionStage
from keras_t2i.models.stages.latent_decoder import LatentDecoder
from keras_t2i.models.stages.one_pass import OnePassStage
from keras_t2i.models.stages.prior import PriorStage
from keras_t2i.models.stages.renderer import RendererStage
from keras_t2i.models.stages.sampling import Draw
from keras_t2i.models.stages.sampling import StepState
from keras_t2i.models.stages.stage import Stage
from keras_t2i.models.stages.text import TextStage
from keras_t2i.models.stages.upsampler import UpsamplerStage
from keras_t2i.models.stages.vae import VAEStage

__all__ = [
    "DiffusionStage",
    "Draw",
    "LatentDecoder",
    "OnePassStage",
    "PriorStage",
    "RendererStage",
    "Stage",
    "StepState",
    "TextStage",
    "UpsamplerStage",
    "VAEStage",
]
