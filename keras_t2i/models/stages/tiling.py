"""Large pictures in parts: it lies in `keras_t2i_runtime.tiling`, which draws the same without Keras."""

from keras_t2i_runtime.tiling import BLOCK
from keras_t2i_runtime.tiling import MARGIN
from keras_t2i_runtime.tiling import TILE
from keras_t2i_runtime.tiling import Placement
from keras_t2i_runtime.tiling import blocks
from keras_t2i_runtime.tiling import draw_bands
from keras_t2i_runtime.tiling import framed_bands
from keras_t2i_runtime.tiling import to_pixels

__all__ = ["BLOCK", "MARGIN", "TILE", "Placement", "blocks", "draw_bands", "framed_bands", "to_pixels"]
