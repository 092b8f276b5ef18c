"""Random numbers that are a function of what they are for, and of nothing that was drawn before."""

from keras_t2i_runtime.random_streams import random_stream  # which draws the same without Keras

__all__ = ["random_stream"]
