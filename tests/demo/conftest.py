"""A tiny preset that takes steps, on disk."""

import pytest
from tiny_diffusion import tiny_diffusion_generator
from tiny_renderer import tiny_stage

from keras_t2i.models import Generator


@pytest.fixture(scope="session")
def tiny_preset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "tiny"
    generator = Generator.from_stages(decoder=tiny_diffusion_generator(), renderer=tiny_stage())
    generator.save_to_preset(folder)
    return str(folder)
