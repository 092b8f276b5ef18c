from keras_t2i.layers.attention import TextAttention
from keras_t2i.layers.attention import WordAttention
from keras_t2i.layers.conditioning import AppendTokens
from keras_t2i.layers.conditioning import NullCode
from keras_t2i.layers.conditioning import NullTokens
from keras_t2i.layers.conditioning import TokenWhitening
from keras_t2i.layers.conditioning import code_condition
from keras_t2i.layers.conditioning import concept_map
from keras_t2i.layers.conditioning import condition_of
from keras_t2i.layers.conditioning import conditions
from keras_t2i.layers.conditioning import guess_condition
from keras_t2i.layers.conditioning import time_condition
from keras_t2i.layers.convolution import Conv2D
from keras_t2i.layers.convolution import TransposedConvolution
from keras_t2i.layers.convolution import doubling_levels
from keras_t2i.layers.convolution import downsampled_size
from keras_t2i.layers.convolution import halving_levels
from keras_t2i.layers.convolution import learned_pooling
from keras_t2i.layers.convolution import normalised_convolution
from keras_t2i.layers.convolution import residual_block
from keras_t2i.layers.differentiable_augmentation import DifferentiableAugmentation
from keras_t2i.layers.mlp_regression import MLPRegression
from keras_t2i.layers.modulation import ModulatedGroupNormalization
from keras_t2i.layers.modulation import ModulatedPixelNormalization
from keras_t2i.layers.modulation import modulated_block
from keras_t2i.layers.modulation import modulated_dense_block
from keras_t2i.layers.modulation import modulated_pixel_block
from keras_t2i.layers.modulation import pixel_detail
from keras_t2i.layers.normalization import GroupNormalization
from keras_t2i.layers.normalization import Standardization
from keras_t2i.layers.normalization import Whitening
from keras_t2i.layers.precision import float32
from keras_t2i.layers.refinement import GuessVariance
from keras_t2i.layers.refinement import Refinement
from keras_t2i.layers.regression import KernelRegression
from keras_t2i.layers.space_to_depth import DepthToSpace
from keras_t2i.layers.space_to_depth import SpaceToDepth
from keras_t2i.layers.time_embedding import FourierFeatures

__all__ = [
    "AppendTokens",
    "Conv2D",
    "DepthToSpace",
    "DifferentiableAugmentation",
    "FourierFeatures",
    "GroupNormalization",
    "GuessVariance",
    "KernelRegression",
    "MLPRegression",
    "ModulatedGroupNormalization",
    "ModulatedPixelNormalization",
    "NullCode",
    "NullTokens",
    "Refinement",
    "SpaceToDepth",
    "Standardization",
    "TextAttention",
    "TokenWhitening",
    "TransposedConvolution",
    "Whitening",
    "WordAttention",
    "code_condition",
    "concept_map",
    "condition_of",
    "conditions",
    "doubling_levels",
    "downsampled_size",
    "float32",
    "guess_condition",
    "halving_levels",
    "learned_pooling",
    "modulated_block",
    "modulated_dense_block",
    "modulated_pixel_block",
    "normalised_convolution",
    "pixel_detail",
    "residual_block",
    "time_condition",
]
