"""What a type checker knows of the public functions. It is checked, and never run:

mypy --config-file pyproject.toml tests/typing/typed_use.py
"""

from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from keras_t2i.data import CaptionedImages
from keras_t2i.data import Pipeline
from keras_t2i.data import load
from keras_t2i.data import load_captioned_folder
from keras_t2i.evaluation.prompt_sets import PromptSet
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.models import Generator
from keras_t2i.models import TextToImagePreprocessor


def draw(generator: Generator) -> None:
    assert_type(generator.generate("a red apple", seed=0, size=(64, 32)), NDArray[np.uint8])
    assert_type(generator.generate(["a", "b"], output="pil", num_steps=4), Image | list[Image])
    assert_type(generator.generate({"prompts": "a"}, output="svg"), str | list[str])
    picture = generator.generate("a red apple", guidance_scale=(2.0, -1.0, 3.0), background=None)
    assert_type(generator.render(picture, 512), NDArray[np.uint8])
    assert_type(generator.render_to("a.png", "a red apple", 4096, seed=1), Path)
    assert_type(generator.generate_frames("a red apple", num_steps=8), NDArray[np.uint8])
    assert_type(generator.image_size, int)
    generator.generate(3)  # type: ignore[call-overload]
    generator.generate("a red apple", steps=4)  # type: ignore[call-overload]
    generator.generate("a red apple", output="jpeg")  # type: ignore[call-overload]
    generator.render_to("a.png", "a red apple", 4096, callback=print)  # type: ignore[call-arg]


def presets(folder: Path) -> None:
    generator = Generator.from_preset("diffusion_emoji_32", dtype="bfloat16")
    assert_type(generator, Generator)
    assert_type(Generator.from_stages(decoder=generator, text_encoder=folder), Generator)
    generator.save_to_preset(folder, weights_dtype="float16", card="# Mine")
    assert_type(generator.push_to_hub("user/name", license="mit", private=True), str)
    generator.save_to_preset(folder, weights_dtype="float64")  # type: ignore[arg-type]
    generator.push_to_hub("user/name", licence="mit")  # type: ignore[call-arg]


def data(folder: Path) -> None:
    assert_type(load("openmoji", "train"), CaptionedImages)
    pictures = load_captioned_folder(folder, size=64)
    assert_type(pictures.plain_captions, list[str])
    preprocessor = TextToImagePreprocessor.from_preset("diffusion_emoji_32")
    assert_type(preprocessor.generate_preprocess(["a red apple"]), NDArray[np.int32])
    assert_type(len(Pipeline(pictures, preprocessor, batch_size=8)), int)
    assert_type(load_prompt_sets(smoke=True), tuple[list[PromptSet], CaptionedImages])
    load("openmoji", 3)  # type: ignore[arg-type]
