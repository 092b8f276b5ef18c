"""Generators as files that are drawn without Keras, by `keras_t2i_runtime`."""

from keras_t2i.export.folder import export_generator

__all__ = ["export_generator"]
