"""Trained models shipped with the package, one folder each, and how presets are found and written."""

from keras_t2i.presets.errors import PresetError

__all__ = ["PresetError"]
