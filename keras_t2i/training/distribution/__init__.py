"""A batch shared by several devices, of one process or of many."""

from keras_t2i.training.distribution.starting import KINDS
from keras_t2i.training.distribution.starting import start
from keras_t2i.training.distribution.starting import world
from keras_t2i.training.distribution.world import World

__all__ = ["KINDS", "World", "start", "world"]
