from keras_t2i.layers.convolution import TransposedConvolution
from keras_t2i.layers.convolution import halved
from keras_t2i.layers.convolution import normalised_convolution
from keras_t2i.layers.convolution import residual_block
from keras_t2i.layers.differentiable_augmentation import DifferentiableAugmentation
from keras_t2i.layers.normalization import GroupNormalization
from keras_t2i.layers.normalization import Standardization
from keras_t2i.layers.normalization import Whitening

__all__ = [
    "DifferentiableAugmentation",
    "GroupNormalization",
    "Standardization",
    "TransposedConvolution",
    "Whitening",
    "halved",
    "normalised_convolution",
    "residual_block",
]
