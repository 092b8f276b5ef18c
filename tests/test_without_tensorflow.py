"""On JAX and torch nothing needs TensorFlow, tensorflow-text or TensorFlow Datasets."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[1]
# The finder of modules is one that does not find these, as if they were not installed. Who asks is kept:
# keras-hub and others do, and go on without.
HIDE = """
import sys
from importlib.machinery import PathFinder
HIDDEN, askers = {"tensorflow", "tensorflow_text", "tensorflow_datasets"}, set()
class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] not in HIDDEN:
            return super().find_spec(name, path, target)
        frame = sys._getframe(1)
        while "importlib" in frame.f_code.co_filename or "importlib" in frame.f_globals.get("__name__", ""):
            frame = frame.f_back
        askers.add(frame.f_code.co_filename)
        return None
sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
try:
    import tensorflow
except ImportError:
    assert askers == {"<string>"}, askers
    askers.clear()
else:
    raise SystemExit("tensorflow was not hidden")
"""
USE = """
from pathlib import Path
import numpy as np
import keras_t2i
from keras_t2i.data.emoji.designs import load_emoji
from keras_t2i.data.emoji.designs_builder import EmojiDesigns
from keras_t2i.data.emoji.rasterize import encode_png
from keras_t2i.data.emoji.tfds_cache import prepare
from keras_t2i.training.event_files import last_step
class Few(EmojiDesigns):
    "One picture, which nothing draws."
    def examples(self):
        image = encode_png(np.full((8, 8, 3), 7, "uint8"))
        few = {"image": image, "captions": ["a few"], "name": "few", "group": 0, "attributes": {}}
        return {"train": [few]}
prepare(Few(8))
emoji = load_emoji("train", size=8)
assert emoji.pictures.shape == (1, 8, 8, 3) and emoji.pictures.max() == 7 and emoji.captions == [["a few"]]
generator = keras_t2i.Generator.from_preset("diffusion_emoji_32")
first = generator.generate("a red apple", seed=0, num_steps=2)
generator.save_to_preset("again")
again = keras_t2i.Generator.from_preset("again").generate("a red apple", seed=0, num_steps=2)
np.testing.assert_array_equal(first, again)
import train_autoencoder
train_autoencoder.main(["--smoke", "--output", "run", "--log", "tensorboard"])
assert last_step(Path("run/logs/train")) == 1
assert not HIDDEN & {name.split(".")[0] for name in sys.modules}
for file in map(Path, askers):
    assert not any(file.is_relative_to(folder) for folder in sys.argv[1:]), f"{file} asks for TensorFlow"
assert askers  # else the frames are looked for in the wrong place
print("done")
"""


@pytest.mark.skipif(keras.config.backend() == "tensorflow", reason="it is TensorFlow")
def test_presets_drawing_training_and_logs(tmp_path):
    environment = {
        **os.environ,
        "TFDS_DATA_DIR": str(tmp_path / "data"),
        "KERAS_T2I_CACHE": str(tmp_path / "data"),
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "recipes"), *sys.path])
    command = [sys.executable, "-c", HIDE + USE, str(ROOT / "keras_t2i"), str(ROOT / "recipes")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
