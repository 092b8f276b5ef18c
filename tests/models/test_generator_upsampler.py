"""A generator's drawings at size: by an upsampler, then by a renderer."""

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unclip_generator
from tiny_renderer import tiny_stage as tiny_renderer_stage
from tiny_renderer import uint8_waves
from tiny_upsampler import tiny_upsampler
from tiny_upsampler import tiny_upsampler_stage

from keras_t2i.models import Generator
from keras_t2i.models import UpsamplerStage
from keras_t2i.models import generator as module

PROMPT, OTHER = "a red apple", "a red car"


@pytest.fixture(scope="module")
def base():
    return tiny_diffusion_generator()


@pytest.fixture(scope="module")
def generator(base):
    parts = {"upsampler": tiny_upsampler_stage(guidance_scale=2.0), "renderer": tiny_renderer_stage()}
    return Generator.from_stages(decoder=base, **parts)


def nearly(found, expected, most=1):
    assert found.shape == expected.shape and found.dtype == expected.dtype
    assert np.abs(found.astype(int) - expected).max() <= most


def test_the_upsampler_is_a_stage_of_its_own(base, generator):
    kinds = [stage.produces for stage in generator.stages]
    assert kinds == ["text", "image", "large_image", "rendering"]
    assert generator.base_stages == generator.stages[:2] and generator.base is base.base
    assert (generator.image_size, generator.upsampled_size, base.upsampled_size) == (8, 16, None)
    expected = base.generate([PROMPT, OTHER], seed=3, best_of=2)
    np.testing.assert_array_equal(generator.generate([PROMPT, OTHER], seed=3, best_of=2), expected)


def test_a_size_goes_from_base_to_upsampler_to_renderer(generator):
    small = generator.generate([PROMPT, OTHER], seed=5)
    level = generator.stage("large_image").noise_level
    larger = generator.upsample(small, [PROMPT, OTHER], seed=5, noise_level=level)
    assert larger.shape == (2, 16, 16, 3) and larger.dtype == np.uint8
    nearly(generator.generate([PROMPT, OTHER], seed=5, size=16), larger)
    for options in ({"size": (40, 56)}, {"size": 33, "background": None}, {"size": 12}):
        expected = generator.render(larger, **options, noise_level=0.2)
        nearly(generator.generate([PROMPT, OTHER], seed=5, **options), expected, 3)
    one = generator.generate(OTHER, seed=6, size=16)
    nearly(one, larger[1])
    assert np.abs(generator.generate(PROMPT, seed=6, size=16).astype(int) - one).max() > 5
    # What is not larger than the base is its own drawing, shrunk.
    tiny = {"size": (8, 5)}
    nearly(generator.generate(OTHER, seed=6, **tiny), generator.render(small[1], **tiny, noise_level=0.2))


def test_the_kept_of_several_is_enlarged_by_its_own_noise(generator):
    options = {"seed": 2, "num_steps": 2}
    pictures = generator.generate([PROMPT, OTHER], best_of=3, num_images=2, size=16, **options)
    alone = [
        generator.generate(prompt, best_of=3, size=16, **{**options, "seed": 2 + i})
        for i, prompt in enumerate((PROMPT, PROMPT, OTHER, OTHER))
    ]
    nearly(pictures, np.stack(alone))


def test_negative_prompts_steer_it_too(generator):
    small = uint8_waves(8, 8)[None]
    words = {"prompts": PROMPT, "negative_prompts": OTHER}
    with pytest.MonkeyPatch.context() as patch:  # the base draws the same, whatever it is told
        patch.setattr(module, "sample_stages", lambda *args: small)
        plain, negative = (generator.generate(one, seed=0, size=16) for one in (PROMPT, words))
    assert np.abs(plain.astype(int) - negative).max() > 2


def test_files_and_frames(generator, tmp_path):
    for size in (16, 50):
        expected = generator.generate(PROMPT, seed=3, size=size)
        file = generator.render_to(tmp_path / "a.png", PROMPT, size, seed=3)
        if size == 50:  # the file of 16 pixels is drawn by the renderer, as every file is
            nearly(np.asarray(Image.open(file)), expected)
        frames = generator.generate_frames(PROMPT, seed=3, size=size)
        assert frames.shape == (3, size, size, 3)
        nearly(frames[-1], expected, 3)
    seeded = generator.generate_frames(PROMPT, num_steps=2, size=16)
    assert seeded.shape == (2, 16, 16, 3)


def test_a_given_picture_is_kept_and_keeps_its_aspect(generator):
    photo, mask = uint8_waves(20, 30), np.zeros((20, 30), bool)
    mask[5:15, 5:25] = True
    drawn = generator.generate(PROMPT, seed=0, image=photo, mask=mask, size=(20, 30))
    np.testing.assert_array_equal(drawn[~mask], photo[~mask])
    assert (drawn[mask] != photo[mask]).any()


def test_at_its_own_size_an_upsampler_needs_no_renderer(base, monkeypatch):
    generator = Generator.from_stages(decoder=base, upsampler=tiny_upsampler_stage())
    drawn = generator.generate(PROMPT, seed=0, size=16, background=None)  # by the packaged renderer
    assert drawn.shape == (16, 16, 4)
    monkeypatch.setattr(type(generator), "renderer", property(lambda self: pytest.fail("a renderer")))
    assert generator.generate(PROMPT, seed=0, size=16).shape == (16, 16, 3)


def test_every_kind_of_base_and_concepts(generator):
    parts = {"upsampler": generator, "renderer": generator}
    for base in (tiny_generator(), tiny_unclip_generator(), tiny_diffusion_generator(latent=True)):
        whole = Generator.from_stages(decoder=base, **parts)
        assert whole.generate(PROMPT, seed=0, size=20).shape == (20, 20, 3)
    unclip = Generator.from_stages(decoder=tiny_unclip_generator(), **parts)
    codes = unclip.encode_text([PROMPT, OTHER])
    drawn = unclip.decode(codes, seed=1, size=16)
    expected = unclip.upsample(unclip.decode(codes, seed=1), seed=1, noise_level=0.1)
    nearly(drawn, expected)
    assert tiny_generator().generate(PROMPT, seed=0).shape == (8, 8, 3)


def test_preset(generator, tmp_path):
    generator.save_to_preset(tmp_path / "whole")
    again = Generator.from_preset(tmp_path / "whole")
    expected = generator.generate(PROMPT, seed=0, size=16)
    nearly(again.generate(PROMPT, seed=0, size=16), expected)
    generator.stage("large_image").save_to_preset(tmp_path / "upsampler")
    parts = {"decoder": tiny_diffusion_generator(), "upsampler": tmp_path / "upsampler"}
    nearly(Generator.from_stages(**parts).generate(PROMPT, seed=0, size=16), expected)


def test_given_pictures_of_any_height_and_width(generator):
    pictures = uint8_waves(5, 9)
    drawn = generator.upsample(pictures, PROMPT, seed=1)
    assert drawn.shape == (10, 18, 3)
    both = generator.upsample(np.stack([pictures] * 2), [PROMPT, OTHER], seed=1)
    nearly(both[0], drawn)
    assert np.abs(both[1].astype(int) - both[0]).max() > 5
    without = generator.upsample(pictures, seed=1, num_steps=2)
    assert without.shape == drawn.shape and (without != drawn).any()


def test_mistakes_are_named(base, generator):
    with pytest.raises(ValueError, match="this generator has no upsampler: train one by"):
        base.upsample(uint8_waves(8, 8))
    with pytest.raises(ValueError, match="there are 3 prompts for 2 pictures"):
        generator.upsample(np.zeros((2, 8, 8, 3), "uint8"), ["a", "b", "c"])
    with pytest.raises(ValueError, match="pictures must be uint8"):
        generator.upsample(np.zeros((8, 8, 3)))
    other = UpsamplerStage(tiny_upsampler(code_dim=16, whitened_dim=8))
    with pytest.raises(ValueError, match=r"\(32, 8\) numbers, those that the upsampler takes \(16, 8\)"):
        Generator.from_stages(decoder=base, upsampler=other)
    wide = UpsamplerStage(tiny_upsampler(patch_size=2, filters=(8,) * 5, blocks=(1,) * 5))
    with pytest.raises(ValueError, match="a picture of 8 pixels, 2 times as large, cannot be cut into"):
        Generator.from_stages(decoder=base, upsampler=wide)
