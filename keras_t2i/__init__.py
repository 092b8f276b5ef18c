"""Pictures from words, learned from scratch, in Keras 3 on TensorFlow, JAX or torch."""

import os

# TensorFlow leaves its faster convolutions off on processors without AVX-512, where they halve the time of a
# training step. It reads this when it is imported: after `import keras` it is too late.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras

from keras_t2i.utils.deferred import import_without

if keras.config.backend() != "tensorflow":
    import_without("keras_hub", ("tensorflow", "tensorflow_text"))

from keras_t2i import layers
from keras_t2i import models
from keras_t2i._version import __version__
from keras_t2i.models import Generator
from keras_t2i.presets.registry import register_packaged_presets
from keras_t2i.utils.caches import keep_compiled

__all__ = ["Generator", "__version__", "layers", "models"]

register_packaged_presets()
keep_compiled()
