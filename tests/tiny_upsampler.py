"""An upsampler small enough for tests, with numbers in all its weights; it fits to `tiny_dual_encoder`."""

from tiny_diffusion import filled

from keras_t2i.models import Upsampler
from keras_t2i.models import UpsamplerStage

SIZES = {"factor": 2, "patch_size": 1, "filters": (8, 8), "blocks": (1, 1), "head_dim": 8}
WIDTHS = {"condition_dim": 16, "code_dim": 32, "token_dim": 8, "whitened_dim": 8}


def tiny_upsampler(seed=4, **options):
    """A pixel depends on those at most 12 away; windows begin at even ones."""
    return filled(new_upsampler(**options), seed)


def new_upsampler(**options):
    """The same as it is before training: it enlarges."""
    return Upsampler(**{**SIZES, **WIDTHS, **options})


def tiny_upsampler_stage(network=None, **options):
    return UpsamplerStage(network or tiny_upsampler(), **{"num_steps": 3, **options})
