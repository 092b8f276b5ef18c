"""A diffusion generator small enough for tests: 8 pixels, untrained, its U-Net with weights not zero."""

import keras
import numpy as np
from tiny import tiny_dual_encoder
from tiny import tiny_preprocessor

from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import DiffusionStage
from keras_t2i.models import DiffusionUNet
from keras_t2i.models import Generator
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.models import LatentDecoder
from keras_t2i.models import Prior
from keras_t2i.models import PriorStage
from keras_t2i.models import TextStage
from keras_t2i.models import TextToImageBackbone

CODE = {"filters": (8,), "blocks": (0,), "code_dim": 32}


def tiny_unet(image_size=8, dtype=None, **options):
    sizes = {"filters": (8, 8), "blocks": (1, 1), "attention_size": 4, "head_dim": 8}
    widths = {"condition_dim": 16, "code_dim": 32, "token_dim": 8, "whitened_dim": 8}
    return DiffusionUNet(image_size, **{"patch_size": 1, **sizes, **widths, **options}, dtype=dtype)


def filled(network, seed=1):
    """The network with numbers in all its weights, zero at first in the last layers among others."""
    random = np.random.Generator(np.random.Philox(seed))
    weights = []
    for weight in network.get_weights():
        noise = random.standard_normal(weight.shape) / max(1, np.prod(weight.shape[:-1])) ** 0.5
        weights.append((noise if weight.ndim > 1 else weight + 0.2 * noise).astype("float32"))
    network.set_weights(weights)
    return network


def tiny_unclip_generator(prior=True, sizes=None, **options):
    keras.utils.set_random_seed(0)
    preprocessor = tiny_preprocessor()
    stages = [TextStage(tiny_dual_encoder(preprocessor.tokenizer.vocabulary_size()))]
    if prior:
        widths = {"width": 16, "blocks": 1, "condition_dim": 16, "whitened_dim": 8, "num_steps": 2}
        stages.append(PriorStage(filled(Prior(32, **widths), 3)))
    unet = filled(tiny_unet(image_code=True, **(sizes or {})))
    stages.append(DiffusionStage(unet, **{"num_steps": 3, **options}))
    return Generator(TextToImageBackbone(stages), preprocessor)


def tiny_diffusion_generator(guide=False, latent=False, sizes=None, **options):
    keras.utils.set_random_seed(0)
    preprocessor = tiny_preprocessor()
    dual_encoder = tiny_dual_encoder(preprocessor.tokenizer.vocabulary_size())
    grid = {"image_size": 4, "channels": 2} if latent else {}
    unet = filled(tiny_unet(**grid, **(sizes or {})))
    guide = filled(tiny_unet(**grid), 2) if guide else None
    stages = [
        TextStage(dual_encoder),
        DiffusionStage(unet, guide, latent=latent, **{"num_steps": 3, **options}),
    ]
    if latent:
        stages.append(LatentDecoder(ConvAutoencoder(ImageEncoder(8, **CODE), ImageDecoder(8, **CODE))))
    return Generator(TextToImageBackbone(stages), preprocessor)
