"""Pictures from words, learned from scratch, in Keras 3 on TensorFlow, JAX or torch."""

from keras_t2i import layers
from keras_t2i import models
from keras_t2i._version import __version__
from keras_t2i.models import Generator
from keras_t2i.presets.registry import register_packaged_presets

__all__ = ["Generator", "__version__", "layers", "models"]

register_packaged_presets()
