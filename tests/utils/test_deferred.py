"""A library and a large package that it imports, both made here, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = """
try:
    import large as big
    from large.part import tool
except ImportError:
    big = tool = None
try:
    base = big.Base
except AttributeError:
    base = object
def ask():
    return big.NUMBER, tool.NAME, big.part.tool.NAME
"""
HEAD = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("deferred", {str(ROOT / "keras_t2i/utils/deferred.py")!r})
deferred = importlib.util.module_from_spec(spec)
spec.loader.exec_module(deferred)  # alone: the package imports KerasHub, which takes seconds
Deferred, import_without = deferred.Deferred, deferred.import_without
"""


def run(folder, code, backend="torch"):
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": backend}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    """`large`, a package with a module `part` in it, and `library`, which imports both."""
    (tmp_path / "large" / "part").mkdir(parents=True)
    (tmp_path / "large" / "__init__.py").write_text("print('large')\nfrom large import part\nNUMBER = 7\n")
    (tmp_path / "large" / "part" / "__init__.py").write_text("from large.part import tool\n")
    (tmp_path / "large" / "part" / "tool.py").write_text("NAME = 'tool'\n")
    (tmp_path / "library.py").write_text(LIBRARY)
    return tmp_path


@pytest.mark.once
def test_what_a_library_imports_is_imported_when_something_of_it_is_asked_for(folder):
    code = """
import_without("library", ("large",))
import library
assert library.base is object and isinstance(library.big, Deferred)
assert not {"large", "large.part", "large.part.tool"} & set(sys.modules)
assert not hasattr(library.big, "__wrapped__")  # what looks at all modules does not import one
print("asked")
assert library.ask() == (7, "tool", "tool")
import large
assert large.NUMBER == 7 and not isinstance(large, Deferred)
"""
    assert run(folder, HEAD + code).split() == ["asked", "large"]


@pytest.mark.once
def test_a_package_that_is_missing_or_there_is_left_to_the_import(folder):
    assert run(folder, HEAD + 'import_without("library", ("large", "other"))\nimport library') == ""
    code = 'import large\nimport_without("library", ("large",))\nimport library\nassert library.big is large'
    assert run(folder, HEAD + code).split() == ["large"]
    code = (
        'import library\nimport_without("library", ("large",))\nassert library.ask() == (7, "tool", "tool")'
    )
    assert run(folder, HEAD + code).split() == ["large"]
    (folder / "large").rename(folder / "elsewhere")
    code = 'import_without("library", ("large",))\nimport library\nassert library.big is None'
    assert run(folder, HEAD + code) == ""


@pytest.mark.once
def test_a_library_that_fails_leaves_imports_as_they_were(folder):
    (folder / "library.py").write_text("import large\nraise RuntimeError\n")
    code = """
finders = list(sys.meta_path)
try:
    import_without("library", ("large",))
except RuntimeError:
    assert sys.meta_path == finders and not {"library", "large"} & set(sys.modules)
    import large
"""
    assert run(folder, HEAD + code).split() == ["large"]


@pytest.mark.skipif(keras.config.backend() == "tensorflow", reason="it is TensorFlow")
def test_opening_and_drawing_import_no_tensorflow_and_kerashub_still_finds_it(tmp_path):
    pytest.importorskip("tensorflow_text")
    code = """
import sys
import keras_t2i
generator = keras_t2i.Generator.from_preset("generator_openmoji_32")
assert generator.generate("a red apple", seed=0, size=48).shape == (48, 48, 3)
assert not {"tensorflow", "tensorflow_text"} & set(sys.modules)
from keras_hub.src.utils import preset_utils, tensor_utils
assert "gs" in preset_utils.tf_registered_schemes()  # elsewhere it asks as ever
import tensorflow as tf
assert not tensor_utils.in_tf_function()
@tf.function
def traced():
    assert tensor_utils.in_tf_function()
traced()
import keras_hub
tokens = keras_hub.tokenizers.ByteTokenizer(sequence_length=4, _allow_python_workflow=False)("ab")
print(list(map(int, tokens)))
"""
    assert run(tmp_path, code, keras.config.backend()).strip() == "[97, 98, 0, 0]"
