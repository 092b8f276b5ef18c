from keras_t2i.models.backbone import Backbone
from keras_t2i.models.diffusion_backbone import DiffusionBackbone
from keras_t2i.models.diffusion_generator import DiffusionGenerator
from keras_t2i.models.generator import Generator
from keras_t2i.models.generator_backbone import GeneratorBackbone
from keras_t2i.models.networks.autoencoder import ConvAutoencoder
from keras_t2i.models.networks.autoencoder import ImageDecoder
from keras_t2i.models.networks.autoencoder import ImageEncoder
from keras_t2i.models.networks.decoder import ConceptDecoder
from keras_t2i.models.networks.discriminator import Discriminator
from keras_t2i.models.networks.dual_encoder import DualEncoder
from keras_t2i.models.networks.image_encoder import ImageTower
from keras_t2i.models.networks.prior import Prior
from keras_t2i.models.networks.text_encoder import CNNTextEncoder
from keras_t2i.models.networks.text_encoder import token_features
from keras_t2i.models.networks.unet import DiffusionUNet
from keras_t2i.models.networks.vae import VAE
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.models.unclip_backbone import UnCLIPBackbone
from keras_t2i.models.unclip_generator import UnCLIPGenerator

__all__ = [
    "VAE",
    "Backbone",
    "CNNTextEncoder",
    "CaptionTokenizer",
    "ConceptDecoder",
    "ConvAutoencoder",
    "DiffusionBackbone",
    "DiffusionGenerator",
    "DiffusionUNet",
    "Discriminator",
    "DualEncoder",
    "Generator",
    "GeneratorBackbone",
    "ImageDecoder",
    "ImageEncoder",
    "ImageTower",
    "Prior",
    "TextToImagePreprocessor",
    "UnCLIPBackbone",
    "UnCLIPGenerator",
    "token_features",
]
