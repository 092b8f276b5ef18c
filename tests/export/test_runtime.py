"""What draws without Keras: it imports none, and reads captions as Keras' side does."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_generator
from tiny import tiny_preprocessor

from keras_t2i.export import export_generator
from keras_t2i_runtime import Runtime
from keras_t2i_runtime.captions import Tokenizer

pytestmark = pytest.mark.once
STRANGE = [
    "a red apple",
    "A  Red-APPLE, half-past five",
    "<pad> clockface\x00 naïve \N{GREEN APPLE} ﬁne",
    "aaaa a aaaaaaa reded appleapple",
    "हिन्दी",
]


def test_it_imports_no_keras():
    code = (
        "import sys, keras_t2i_runtime.__main__, keras_t2i_runtime.drawing; "
        "assert not {'keras', 'keras_t2i', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:.*cut")
def test_captions_become_the_same_ids(tmp_path):
    preprocessor = tiny_preprocessor()
    preprocessor.tokenizer.save_assets(str(tmp_path))
    tokenizer = Tokenizer(tmp_path, preprocessor.sequence_length)
    np.testing.assert_array_equal(tokenizer(STRANGE), preprocessor.generate_preprocess(STRANGE))
    with pytest.warns(UserWarning, match="Caption 1 has .* is cut after 8"):
        tokenizer(["a red apple", "a " * 9])
    preprocessor.tokenizer.set_nearest_words({"scarlet": "red"})
    preprocessor.tokenizer.save_assets(str(tmp_path))
    with pytest.warns(UserWarning, match='"scarlet" as "red"'):
        found = Tokenizer(tmp_path, preprocessor.sequence_length)(["a Scarlet apple"])
    np.testing.assert_array_equal(found, tokenizer(["a red apple"]))
    with pytest.raises(ValueError, match="Caption 1 is empty"):
        tokenizer(["a red apple", " \n"])
    with pytest.raises(TypeError, match="Caption 0 is not text but int"):
        tokenizer([3])


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"not written by keras-t2i export: no settings\.json"):
        Runtime.open(tmp_path)
    (tmp_path / "settings.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ValueError, match="has format 99, this reads 1"):
        Runtime.open(tmp_path)
    (tmp_path / "settings.json").write_text(json.dumps({"format": 0}))
    with pytest.raises(ValueError, match="was not finished"):
        Runtime.open(tmp_path)


def test_an_export_replaces_nothing_of_a_persons(tmp_path):
    (tmp_path / "settings.json").write_text('{"format": "mine"}')
    with pytest.raises(FileExistsError, match=r"not empty and was not written .*settings\.json"):
        export_generator(tiny_generator(), tmp_path)
    assert (tmp_path / "settings.json").read_text() == '{"format": "mine"}'
