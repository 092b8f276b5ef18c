import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow rounds alike on every processor, in this process and in those that tests start.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Tests run tiny networks once: compiling takes the time, and threads that wait for each other. At level 0 XLA
# loses the gradient of a maximum, which text encoders pool by.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import pytest


@pytest.fixture(autouse=True)
def same_seed():
    keras.utils.set_random_seed(0)


def pytest_collection_modifyitems(items):
    """Files, command lines and documents, which no backend has a part of its own in, are tested once: where
    nothing is compiled."""
    if keras.config.backend() == "torch":
        return
    elsewhere = pytest.mark.skip(reason="once, on torch, which compiles nothing")
    for item in items:
        if item.get_closest_marker("once"):
            item.add_marker(elsewhere)
