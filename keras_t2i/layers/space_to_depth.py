"""Pixels into channels and back: a picture as a smaller grid with more numbers in each cell."""

import keras
from keras import layers
from keras import ops


class _Blocks(layers.Layer):
    """A layer of blocks of pixels, `block_size` wide and high."""

    def __init__(self, block_size, **kwargs):
        super().__init__(**kwargs)
        if block_size < 1:
            raise ValueError(f"block_size must be 1 or more, got {block_size}")
        self.block_size = block_size

    def get_config(self):
        return {**super().get_config(), "block_size": self.block_size}


@keras.saving.register_keras_serializable(package="keras_t2i")
class SpaceToDepth(_Blocks):
    """Each block of pixels becomes one, its channels side by side (pixel unshuffle).

    Args:
        block_size: int, width and height of a block. 1: nothing changes.

    Call: `(n, h, w, c)`, h and w multiples of `block_size`, to `(n, h / b, w / b, b * b * c)`. A pixel's
    channels stay together, in the order top left, top right, bottom left, bottom right.
    """

    def call(self, x):
        if self.block_size == 1:
            return x
        return ops.space_to_depth(x, self.block_size, data_format="channels_last")

    def compute_output_spec(self, x):
        b = self.block_size
        n, h, w, c = x.shape
        if any(side is not None and side % b for side in (h, w)):
            raise ValueError(f"a grid of {h}x{w} cannot be cut into blocks of {b}x{b}")
        h, w = (None if side is None else side // b for side in (h, w))
        return keras.KerasTensor((n, h, w, b * b * c), dtype=self.compute_dtype)


@keras.saving.register_keras_serializable(package="keras_t2i")
class DepthToSpace(_Blocks):
    """The inverse of `SpaceToDepth`: pixel shuffle (Shi et al. 2016, arXiv 1609.05158).

    Args:
        block_size: int, width and height of the block that each pixel becomes.

    Call: `(n, h, w, b * b * c)` to `(n, b * h, b * w, c)`.
    """

    def call(self, x):
        if self.block_size == 1:
            return x
        return ops.depth_to_space(x, self.block_size, data_format="channels_last")

    def compute_output_spec(self, x):
        b = self.block_size
        n, h, w, c = x.shape
        if c % (b * b):
            raise ValueError(f"{c} channels do not fill blocks of {b}x{b} pixels")
        h, w = (None if side is None else side * b for side in (h, w))
        return keras.KerasTensor((n, h, w, c // (b * b)), dtype=self.compute_dtype)
