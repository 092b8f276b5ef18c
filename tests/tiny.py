"""A generator small enough for tests: 8 pixels, concepts of 32 numbers, untrained."""

import keras

from keras_t2i.models.generator import Generator
from keras_t2i.models.networks.autoencoder import ImageDecoder
from keras_t2i.models.networks.autoencoder import ImageEncoder
from keras_t2i.models.networks.decoder import ConceptDecoder
from keras_t2i.models.networks.dual_encoder import DualEncoder
from keras_t2i.models.networks.image_encoder import ImageTower
from keras_t2i.models.networks.text_encoder import CNNTextEncoder
from keras_t2i.models.networks.vae import VAE
from keras_t2i.models.stages import OnePassStage
from keras_t2i.models.stages import TextStage
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone

CAPTIONS = ["a red apple", "a green apple", "a red car", "clock face: five-thirty", "clock face: ten-thirty"]


def tiny_preprocessor():
    return TextToImagePreprocessor(CaptionTokenizer.learn(CAPTIONS, 300), sequence_length=8)


def tiny_dual_encoder(vocabulary_size=300, dtype=None, blocks=1):
    text = {"embedding_dim": 8, "filters": 8, "blocks": blocks, "hidden_dim": 16}
    return DualEncoder(
        CNNTextEncoder(vocabulary_size, 8, **text, code_dim=32, dtype=dtype),
        ImageTower(8, filters=(8,), blocks=(blocks,), poolings=1, code_dim=32, dtype=dtype),
    )


def tiny_vae(concept_dim=None, dtype=None):
    """Codes of 4x4x2."""
    picture = {"filters": (8,), "blocks": (1,), "code_dim": 32, "dtype": dtype}
    of_prior = {"concept_dim": concept_dim, "hidden_dim": 16, "whitened_dim": 16}
    return VAE(ImageEncoder(8, **picture), ImageDecoder(8, **picture), **of_prior)


def tiny_generator():
    keras.utils.set_random_seed(0)
    preprocessor = tiny_preprocessor()
    dual_encoder = tiny_dual_encoder(preprocessor.tokenizer.vocabulary_size())
    decoder = ConceptDecoder(8, filters=(8,), blocks=(1,), code_dim=32)
    stages = [TextStage(dual_encoder), OnePassStage(decoder)]
    return Generator(TextToImageBackbone(stages), preprocessor)
