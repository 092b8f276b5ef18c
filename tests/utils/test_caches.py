import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_t2i.utils import caches

PROGRAM = """
import keras_t2i, keras
from jax import monitoring
found = []
monitoring.register_event_listener(lambda name, **_: found.append(name))
x = keras.ops.convert_to_tensor([[1.0, 2.0]])
print(float(keras.ops.sum(keras.ops.matmul(x, keras.ops.transpose(x)))))
print(*(sum(name.endswith(kind) for name in found) for kind in ("cache_hits", "cache_misses")))
"""


def run(folder, **changes):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"KERAS_T2I_CACHE": str(folder), **changes}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result, counts = done.stdout.splitlines()
    assert float(result) == 5.0
    return [int(count) for count in counts.split()]


@pytest.mark.skipif(keras.config.backend() != "jax", reason="JAX compiles at run time")
def test_what_jax_compiled_is_kept_for_the_next_process(tmp_path):
    hits, misses = run(tmp_path)
    assert hits == 0 and misses > 0
    assert list((tmp_path / "compiled" / caches.processor()).glob("*-cache"))
    hits, again = run(tmp_path)
    assert hits == misses and again == 0


@pytest.mark.skipif(keras.config.backend() != "jax", reason="JAX compiles at run time")
def test_another_folder_stays_and_one_that_cannot_be_made_stops_nothing(tmp_path):
    run(tmp_path / "ours", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"))
    assert not (tmp_path / "ours").exists()
    (tmp_path / "file").write_text("no folder")
    assert run(tmp_path / "file" / "cache")[0] == 0


def test_the_folder_of_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path))
    assert caches.cache_dir() == tmp_path
    monkeypatch.delenv("KERAS_T2I_CACHE")
    monkeypatch.setattr(os.path, "expanduser", lambda path: str(path).replace("~", str(tmp_path)))
    assert caches.cache_dir() == tmp_path / ".cache" / "keras_t2i"


def test_a_processor_has_one_name(monkeypatch):
    name = caches.processor()
    assert name == caches.processor() and len(name) == 16
    monkeypatch.setattr(Path, "read_text", lambda *args, **kwargs: "flags : sse2 of another\n")
    assert caches.processor() != name
