"""Pictures without a grid: it lies in `keras_t2i_runtime.fields`, which reads the same without Keras."""

from keras_t2i_runtime.fields import STEEPNESS_ONE
from keras_t2i_runtime.fields import draw_fields
from keras_t2i_runtime.fields import mix_slots
from keras_t2i_runtime.fields import read_field
from keras_t2i_runtime.fields import softmax
from keras_t2i_runtime.fields import spline_matrix

__all__ = ["STEEPNESS_ONE", "draw_fields", "mix_slots", "read_field", "softmax", "spline_matrix"]
