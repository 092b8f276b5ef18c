"""`generate` of several threads at once: each draws what it draws alone."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator

from keras_t2i.models import Generator

THREADS, CALLS = 4, 5


@pytest.mark.parametrize("build", [tiny_generator, tiny_diffusion_generator])
def test_threads_draw_what_they_draw_alone(build):
    generator = build()
    before = [keras.ops.convert_to_numpy(weight) for weight in generator.backbone.weights]

    def draw(seed):
        pictures = generator.generate(["a red apple", "a green apple"], seed=seed)
        return pictures, generator.rank(pictures, "a red apple")[1], generator.encode_text("a red car")

    seeds = range(THREADS * CALLS)
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(draw, seeds))
    for alone, found in zip(map(draw, seeds), together, strict=True):
        for one, other in zip(alone, found, strict=True):
            np.testing.assert_array_equal(one, other)
    for old, weight in zip(before, generator.backbone.weights, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(weight))


def test_float16_draws_nearly_what_float32_does(tmp_path):
    """JAX has no product of float16 matrices that sums in float32 on a CPU, as attention asks for."""
    generator = tiny_diffusion_generator()
    generator.save_to_preset(tmp_path)
    half = Generator.from_preset(tmp_path, dtype="float16")
    assert half.stage("image").unet.compute_dtype == "float16"
    pictures = [one.generate("a red apple", seed=0).astype(int) for one in (generator, half)]
    assert np.abs(pictures[0] - pictures[1]).max() < 16
