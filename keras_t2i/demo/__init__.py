"""A page to play with, in a browser: words, a seed and settings to pictures. Needs the extra "demo"."""

from keras_t2i.demo.page import build
from keras_t2i.demo.page import launch

__all__ = ["build", "launch"]
