"""Networks, the stages that draw with them, and the Task that a person uses."""

from keras_t2i.models.backbone import Backbone
from keras_t2i.models.former import DiffusionBackbone
from keras_t2i.models.former import DiffusionGenerator
from keras_t2i.models.former import GeneratorBackbone
from keras_t2i.models.former import UnCLIPBackbone
from keras_t2i.models.former import UnCLIPGenerator
from keras_t2i.models.generator import Generator
from keras_t2i.models.networks.autoencoder import ConvAutoencoder
from keras_t2i.models.networks.autoencoder import ImageDecoder
from keras_t2i.models.networks.autoencoder import ImageEncoder
from keras_t2i.models.networks.decoder import ConceptDecoder
from keras_t2i.models.networks.discriminator import Discriminator
from keras_t2i.models.networks.dual_encoder import DualEncoder
from keras_t2i.models.networks.image_encoder import ImageTower
from keras_t2i.models.networks.prior import Prior
from keras_t2i.models.networks.renderer import Renderer
from keras_t2i.models.networks.text_encoder import CNNTextEncoder
from keras_t2i.models.networks.text_encoder import token_features
from keras_t2i.models.networks.unet import DiffusionUNet
from keras_t2i.models.networks.upsampler import Upsampler
from keras_t2i.models.networks.vae import VAE
from keras_t2i.models.stages import DiffusionStage
from keras_t2i.models.stages import LatentDecoder
from keras_t2i.models.stages import OnePassStage
from keras_t2i.models.stages import PriorStage
from keras_t2i.models.stages import RendererStage
from keras_t2i.models.stages import Stage
from keras_t2i.models.stages import TextStage
from keras_t2i.models.stages import UpsamplerStage
from keras_t2i.models.stages import VAEStage
from keras_t2i.models.text.preprocessor import TextToImagePreprocessor
from keras_t2i.models.text.tokenizer import CaptionTokenizer
from keras_t2i.models.text_to_image_backbone import TextToImageBackbone
from keras_t2i.presets.errors import PresetError

__all__ = [
    "VAE",
    "Backbone",
    "CNNTextEncoder",
    "CaptionTokenizer",
    "ConceptDecoder",
    "ConvAutoencoder",
    "DiffusionBackbone",
    "DiffusionGenerator",
    "DiffusionStage",
    "DiffusionUNet",
    "Discriminator",
    "DualEncoder",
    "Generator",
    "GeneratorBackbone",
    "ImageDecoder",
    "ImageEncoder",
    "ImageTower",
    "LatentDecoder",
    "OnePassStage",
    "PresetError",
    "Prior",
    "PriorStage",
    "Renderer",
    "RendererStage",
    "Stage",
    "TextStage",
    "TextToImageBackbone",
    "TextToImagePreprocessor",
    "UnCLIPBackbone",
    "UnCLIPGenerator",
    "Upsampler",
    "UpsamplerStage",
    "VAEStage",
    "token_features",
]
