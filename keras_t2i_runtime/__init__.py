"""Pictures from words without Keras: NumPy, onnxruntime and Pillow draw what `keras-t2i export` wrote.

It stands beside keras_t2i, for to import that takes seconds. What both need lies here: keras_t2i imports it.
"""

from keras_t2i_runtime.runtime import Runtime

__all__ = ["Runtime"]
