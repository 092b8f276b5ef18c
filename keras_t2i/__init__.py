"""Pictures from words, learned from scratch, in Keras 3 on TensorFlow, JAX or torch."""

from keras_t2i import layers
from keras_t2i import models
from keras_t2i._version import __version__

__all__ = ["__version__", "layers", "models"]
