import os
import shutil
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow rounds alike on every processor, in this process and in those that tests start.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Tests run tiny networks once: compiling takes the time, and threads that wait for each other. At level 0 XLA
# loses the gradient of a maximum, which text encoders pool by.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"
    " --xla_cpu_use_fusion_emitters=false",
)
os.environ.setdefault("OMP_NUM_THREADS", "1")
# JAX compiles a program once for all processes of a run; the first of them makes the folder and removes it.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    compiled = tempfile.TemporaryDirectory(prefix="compiled_")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled.name
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import keras
import pytest


@pytest.fixture(autouse=True)
def same_seed():
    keras.utils.set_random_seed(0)


@pytest.fixture
def browser():
    """Chromium, headless, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def pytest_collection_modifyitems(items):
    """Files, command lines and documents, which no backend has a part of its own in, are tested once: where
    nothing is compiled. What JAX compiles for longest out of parts that it is tested with is not."""
    reasons = {"once": "once, on torch, which compiles nothing", "not_on_jax": "its parts are tested on JAX"}
    skipped = {"torch": [], "tensorflow": ["once"], "jax": ["once", "not_on_jax"]}[keras.config.backend()]
    for item in items:
        for name in filter(item.get_closest_marker, skipped):
            item.add_marker(pytest.mark.skip(reason=reasons[name]))
