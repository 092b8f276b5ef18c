"""Every objective, small enough for tests: eight pictures of 8 pixels, each with a caption of its own."""

import itertools

import keras
import numpy as np
from tiny import tiny_dual_encoder
from tiny import tiny_vae

from keras_t2i.data import CaptionedImages
from keras_t2i.data import Pipeline
from keras_t2i.models import CNNTextEncoder
from keras_t2i.models import ConceptDecoder
from keras_t2i.models import ConvAutoencoder
from keras_t2i.models import Discriminator
from keras_t2i.models import ImageDecoder
from keras_t2i.models import ImageEncoder
from keras_t2i.models import ImageTower
from keras_t2i.objectives.consistency import CodeConsistency
from keras_t2i.objectives.contrastive import ContrastiveAlignment
from keras_t2i.objectives.gan import ConditionalGAN
from keras_t2i.objectives.reconstruction import Reconstruction
from keras_t2i.objectives.regression import ConceptRegression
from keras_t2i.objectives.vae import Variational

OBJECTIVES = ("reconstruction", "clip", "siglip", "regression", "naive", "fixed", "variational")
PICTURE = {"filters": (8,), "blocks": (0,), "code_dim": 32}


class Words:
    """In place of a preprocessor: a number for each word."""

    def generate_preprocess(self, captions):
        numbers = {"square": 1, "disc": 2, "dark": 3, "light": 4, "red": 5, "blue": 6}
        return np.array([[numbers[word] for word in c.split()] + [0] * 5 for c in captions], dtype="int32")


def tiny_pipeline(**options):
    words = list(itertools.product(["dark", "light"], ["red", "blue"], ["square", "disc"]))
    pictures = np.full((8, 8, 8, 3), 255, dtype="uint8")
    for picture, (shade, colour, shape) in zip(pictures, words, strict=True):
        rows = slice(1, 7) if shape == "square" else slice(3, 5)
        picture[rows, 2:6] = 0
        picture[rows, 2:6, 0 if colour == "red" else 2] = 120 if shade == "dark" else 250
    captions = [[" ".join(w)] for w in words]
    data = CaptionedImages(pictures, captions, [c[0] for c in captions], np.arange(8))
    return Pipeline(
        data,
        Words(),
        **{"batch_size": 8, "steps_per_epoch": None if not options.get("training", True) else 1, **options},
    )


def tiny_autoencoder(dtype=None):
    return ConvAutoencoder(ImageEncoder(8, **PICTURE, dtype=dtype), ImageDecoder(8, **PICTURE, dtype=dtype))


def tiny_objective(name, dtype=None, optimizer=None, **options):
    """One of `OBJECTIVES`, or a "conditional" VAE's, compiled with `optimizer()`; twice the same for the same
    arguments."""
    keras.utils.set_random_seed(1)
    if name == "reconstruction":
        objective = Reconstruction(tiny_autoencoder(dtype), **options)
    elif name == "variational":
        objective = Variational(tiny_vae(dtype=dtype), **options)
    elif name == "conditional":
        objective = Variational(tiny_vae(32, dtype), tiny_dual_encoder(8, blocks=0), **options)
    elif name in ("clip", "siglip"):
        objective = ContrastiveAlignment(tiny_dual_encoder(8, dtype, blocks=0), name, **options)
    elif name == "regression":
        text_encoder = CNNTextEncoder(
            8, 8, embedding_dim=8, filters=8, blocks=0, hidden_dim=16, code_dim=32, dtype=dtype
        )
        objective = ConceptRegression(text_encoder, tiny_autoencoder().encoder, **options)
    else:
        others = {"critics": [ImageTower(8, **PICTURE, poolings=1)], "outside": ImageEncoder(8, **PICTURE)}
        objective = CodeConsistency(
            ConceptDecoder(8, **PICTURE, dtype=dtype),
            tiny_dual_encoder(8, blocks=0),
            form=name,
            **{**others, **options},
        )
    objective.compile(optimizer=optimizer() if optimizer else keras.optimizers.Adam(3e-3))
    return objective


def tiny_gan(dtype=None, optimizers=None, **options):
    """A `ConditionalGAN`, compiled with `optimizers()`; twice the same for the same arguments."""
    keras.utils.set_random_seed(1)
    objective = ConditionalGAN(
        ConceptDecoder(8, **PICTURE, dtype=dtype),
        Discriminator(8, **PICTURE, dtype=dtype),
        tiny_dual_encoder(8, blocks=0),
        **options,
    )
    names = "generator", "discriminator"
    objective.compile(*(optimizers() if optimizers else (keras.optimizers.Adam(3e-3, name=n) for n in names)))
    return objective
