"""Networks small enough for tests, by the name of their class (and what else they have), and what is done
with them."""

import keras
import numpy as np
from keras import ops
from tiny import tiny_dual_encoder
from tiny import tiny_vae
from tiny_diffusion import filled
from tiny_diffusion import tiny_unclip_generator
from tiny_diffusion import tiny_unet
from tiny_objectives import PICTURE
from tiny_objectives import tiny_autoencoder
from tiny_renderer import tiny_renderer
from tiny_upsampler import tiny_upsampler

from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import Discriminator
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.models import ImageTower
from keras_t2i.models import Prior

TEXT = {"embedding_dim": 8, "filters": 8, "blocks": 1, "hidden_dim": 16, "code_dim": 32}
NETWORKS = {
    "CNNTextEncoder": lambda: CNNTextEncoder(50, 8, **TEXT),
    "ConceptDecoder": lambda: ConceptDecoder(8, **PICTURE),
    "ConvAutoencoder": tiny_autoencoder,
    "DiffusionUNet": lambda: tiny_unet(image_code=True),
    "DiffusionUNet, a draft": lambda: tiny_unet(draft_features=20, draft_components=4, detail_filters=6),
    "Discriminator": lambda: Discriminator(8, **PICTURE),
    "DualEncoder": lambda: tiny_dual_encoder(50),
    "ImageDecoder": lambda: ImageDecoder(8, **PICTURE),
    "ImageEncoder": lambda: ImageEncoder(8, **PICTURE),
    "ImageTower": lambda: ImageTower(8, **PICTURE, poolings=1),
    "Prior": lambda: Prior(32, width=16, blocks=1, condition_dim=16, whitened_dim=8),
    "Renderer": tiny_renderer,
    "Upsampler": tiny_upsampler,
    "VAE": lambda: tiny_vae(32),
}


def made(name):
    """A network, or the `Generator` of five of them, with numbers in all its weights."""
    return tiny_unclip_generator() if name == "Generator" else filled(NETWORKS[name]())


def example(network):
    """Two inputs of a network, the same each time."""

    def one(kind):
        shape = tuple(side or 8 for side in (2, *kind.shape[1:]))
        if kind.dtype == "int32":
            return (np.arange(np.prod(shape)).reshape(shape) % 7).astype("int32")
        return np.cos(np.arange(np.prod(shape)) ** 2 * 0.37).reshape(shape).astype("float32")

    return keras.tree.map_structure(one, network.input)


def said(network):
    """What a network makes of them: a list of arrays."""
    return [ops.convert_to_numpy(one) for one in keras.tree.flatten(network(example(network)))]


def difference(some, others):
    """The largest."""
    return max(float(np.abs(a - 1.0 * b).max()) for a, b in zip(some, others, strict=True))
