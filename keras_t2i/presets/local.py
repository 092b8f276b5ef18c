"""KerasHub asks TensorFlow where a preset may lie, whenever it reads a file of one."""

import contextlib
import contextvars

from keras_hub.src.utils import preset_utils

_LOCAL = contextvars.ContextVar("local", default=False)
_registered_schemes = preset_utils.tf_registered_schemes


@contextlib.contextmanager
def local_files():
    """In this block presets are folders of this machine, so that TensorFlow is not imported to ask for its
    file systems."""
    token = _LOCAL.set(True)
    try:
        yield
    finally:
        _LOCAL.reset(token)


def _schemes():
    return () if _LOCAL.get() else _registered_schemes()


preset_utils.tf_registered_schemes = _schemes
