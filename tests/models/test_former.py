"""Presets in the format of version 0.5 open, draw the same, and are saved again in today's format."""

import json

import keras_hub
import numpy as np
import pytest
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unclip_generator

from keras_t2i.models import DiffusionBackbone
from keras_t2i.models import DiffusionGenerator
from keras_t2i.models import Generator
from keras_t2i.models import GeneratorBackbone
from keras_t2i.models import TextToImageBackbone
from keras_t2i.models import UnCLIPBackbone
from keras_t2i.models import UnCLIPGenerator
from keras_t2i.models.former import OnePassGenerator

pytestmark = pytest.mark.once

PROMPT = "a red apple"


def former(generator):
    """The same networks in a Task of 0.5."""
    base, dual_encoder = generator.base, generator.backbone.dual_encoder
    if not base.guided:
        return OnePassGenerator(GeneratorBackbone(dual_encoder, base.decoder, 0.3), generator.preprocessor)
    settings = {"process": {"name": "straight"}, "prediction": "x0", "num_steps": base.num_steps}
    if generator.stage("image_embedding"):
        prior = generator.stage("image_embedding").prior
        backbone = UnCLIPBackbone(dual_encoder, base.unet, prior=prior, with_text=False, **settings)
        return UnCLIPGenerator(backbone, generator.preprocessor)
    decoder = generator.stage("image") if base.latent else None
    autoencoder = decoder.autoencoder if decoder else None
    backbone = DiffusionBackbone(dual_encoder, base.unet, base.guide, autoencoder, **settings)
    return DiffusionGenerator(backbone, generator.preprocessor)


@pytest.mark.parametrize(
    "make",
    [
        tiny_generator,
        lambda: tiny_diffusion_generator(guide=True, latent=True),
        lambda: tiny_unclip_generator(with_text=False),
    ],
    ids=["one pass", "latent diffusion with a guide", "unCLIP"],
)
def test_a_preset_of_0_5(make, tmp_path):
    generator = make()
    expected = generator.generate(PROMPT, seed=0)
    task = former(generator)
    np.testing.assert_array_equal(task.generate(PROMPT, seed=0), expected)
    task.save_to_preset(tmp_path / "former")
    held = json.loads((tmp_path / "former" / "config.json").read_text())["class_name"]
    assert held in ("GeneratorBackbone", "DiffusionBackbone", "UnCLIPBackbone")

    opened = Generator.from_preset(tmp_path / "former")
    assert type(opened) is Generator and type(opened.backbone) is TextToImageBackbone
    assert [type(s) for s in opened.stages] == [type(s) for s in generator.stages]
    assert np.abs(opened.generate(PROMPT, seed=0).astype(int) - expected).max() <= 1
    by_hub = keras_hub.models.TextToImage.from_preset(str(tmp_path / "former"))
    assert np.abs(by_hub.generate(PROMPT, seed=0).astype(int) - expected).max() <= 1

    opened.save_to_preset(tmp_path / "today")
    held = json.loads((tmp_path / "today" / "config.json").read_text())["class_name"]
    assert held == "TextToImageBackbone"
    again = Generator.from_preset(tmp_path / "today")
    assert np.abs(again.generate(PROMPT, seed=0).astype(int) - expected).max() <= 1
    for mine, its in zip(opened.backbone.weights, again.backbone.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(its))


def test_former_tasks_say_what_took_their_place(tmp_path):
    former(tiny_diffusion_generator()).save_to_preset(tmp_path / "former")
    with pytest.warns(DeprecationWarning, match=r"use Generator\.from_preset"):
        assert type(DiffusionGenerator.from_preset(tmp_path / "former")) is Generator
    names = {"generator_openmoji_32", "gan_openmoji_32", "diffusion_emoji_32", "unclip_emoji_32"}
    assert names <= set(Generator.presets)
