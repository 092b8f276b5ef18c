"""The stronger, the further from the given picture."""

import numpy as np
import pytest
from record import FACE
from tiny_diffusion import tiny_diffusion_generator

from keras_t2i.models import Generator


def changes(generator, image, strengths, **options):
    """Mean square changes of a picture, of all pixels."""
    drawn = (generator.generate("a red apple", image=image, strength=s, seed=1, **options) for s in strengths)
    return [np.square(one.astype("float64") - image).mean() for one in drawn]


@pytest.mark.parametrize(
    ("name", "times"), [("diffusion_emoji_32", 1), ("unclip_emoji_32", 1), ("diffusion_emoji", 2)]
)
def test_packaged_presets(name, times):
    strengths, image = (0.01, 0.03, 0.1, 0.16, 0.2, 0.3, 0.5, 0.7), FACE.repeat(times, 0).repeat(times, 1)
    found = changes(Generator.from_preset(name), image, strengths, num_steps=4)
    assert found == sorted(found) and found[0] < 1.5 and found[-1] > 20 * found[2]


@pytest.mark.parametrize("options", [{}, {"threshold": 0.8}, {"process": "cosine"}])
def test_what_is_next_to_no_noise_changes_next_to_nothing(options):
    """Of an untrained network, too, which draws another picture: the change is a share of that one."""
    generator = tiny_diffusion_generator(**options)
    image = np.random.Generator(np.random.Philox(2)).integers(60, 190, (8, 8, 3)).astype("uint8")
    strengths = 1e-3, 0.02, 0.05, 0.08, 0.12
    found = changes(generator, image, strengths)
    assert found == sorted(found) and found[0] < 10 < found[-1]
