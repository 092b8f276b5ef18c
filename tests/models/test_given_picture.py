"""Pictures of any size come in, and what is kept of them is kept at full resolution."""

import numpy as np
import pytest
from PIL import Image
from tiny_diffusion import tiny_diffusion_generator
from tiny_renderer import tiny_stage

from keras_t2i.models import Generator
from keras_t2i.models.given_picture import fit_masks
from keras_t2i.models.inputs import check_images
from keras_t2i.utils.images import fit_square

SIZE = 8  # of the base


@pytest.fixture(scope="module")
def generator():
    return Generator.from_stages(decoder=tiny_diffusion_generator(), renderer=tiny_stage())


def noisy(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")


def test_fit_square_is_the_picture_itself_or_means_on_white():
    picture = noisy(1, SIZE, SIZE, 3)
    assert fit_square(picture, SIZE) is picture
    large = noisy(2, 4 * SIZE, 4 * SIZE, 3)
    means = large.reshape(2, SIZE, 4, SIZE, 4, 3).mean(axis=(2, 4))
    assert np.abs(fit_square(large, SIZE) - means).max() <= 1
    wide = fit_square(np.zeros((1, 10, 20, 3), "uint8"), 20)[0]
    assert (wide[:5] == 255).all() and (wide[15:] == 255).all() and (wide[5:15] == 0).all()
    assert fit_square(np.zeros((1, 3, 3, 3), "uint8"), SIZE).shape == (1, SIZE, SIZE, 3)


def test_one_pixel_to_draw_anew_is_never_lost():
    masks = np.zeros((1, 500, 300), bool)
    masks[0, 250, 299] = True  # of the square: row 250, column 399
    small = fit_masks(masks, SIZE)
    assert small.shape == (1, SIZE, SIZE, 1)
    assert np.argwhere(small[0, ..., 0]).tolist() == [[250 * SIZE // 500, 399 * SIZE // 500]]
    assert (fit_masks(np.ones((1, 3, 3), bool), SIZE)).all()
    same = noisy(2, SIZE, SIZE) > 99
    np.testing.assert_array_equal(fit_masks(same, SIZE)[..., 0], same)


def test_a_picture_of_any_size_is_drawn_from_as_its_small_self(generator):
    large = noisy(40, 24, 3)
    small = fit_square(large[None], SIZE)[0]
    options = {"seed": 3, "strength": 0.5, "num_steps": 2}
    found, expected = (generator.generate("a dog", image=image, **options) for image in (large, small))
    np.testing.assert_array_equal(found, expected)
    several = check_images(np.stack([large, large]), SIZE, 2)
    np.testing.assert_array_equal(several, np.stack([small, small]))


def test_a_drawing_has_the_aspect_of_the_given_picture(generator):
    options = {"seed": 3, "strength": 0.3, "num_steps": 2, "background": "red"}
    drawn = generator.generate("a dog", image=np.full((32, 16, 3), 90, "uint8"), size=(64, 32), **options)
    assert drawn.shape == (64, 32, 3)
    assert not (drawn == (255, 0, 0)).all(axis=-1).any()  # it fills the canvas
    beside = generator.generate("a dog", image=np.full((32, 16, 3), 90, "uint8"), size=64, **options)
    assert (beside[:, :16] == (255, 0, 0)).all() and (beside[:, 48:] == (255, 0, 0)).all()


@pytest.mark.parametrize("background", ["white", None])
def test_what_is_kept_is_kept_at_full_resolution(generator, background):
    picture = noisy(48, 64, 3)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:50] = True
    options = {"seed": 1, "num_steps": 2, "image": picture, "mask": mask, "background": background}
    drawn = generator.generate("a dog", size=(48, 64), **options)
    np.testing.assert_array_equal(drawn[~mask][:, :3], picture[~mask])
    assert (drawn[mask][:, :3] != picture[mask]).mean() > 0.5
    if background is None:
        assert (drawn[~mask][:, 3] == 255).all()
    double = generator.generate("a dog", size=(96, 128), **options)
    enlarged = np.asarray(Image.fromarray(picture).resize((128, 96), Image.Resampling.LANCZOS))
    known = ~mask.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_array_equal(double[known][:, :3], enlarged[known])
    frames = generator.generate_frames("a dog", size=(48, 64), **options)
    np.testing.assert_array_equal(frames[-1], drawn)


def test_wrong_ones_are_named(generator):
    for image in (np.zeros((8, 8), "uint8"), np.zeros((8, 8, 3)), np.zeros((3, 8, 8, 3), "uint8")):
        with pytest.raises(ValueError, match=r"image must be uint8 \(h, w, 3\)"):
            generator.generate("a dog", image=image)
    with pytest.raises(ValueError, match=r"mask must be bool \(or 0 and 1\) \(16, 24\), as the picture"):
        generator.generate("a dog", image=noisy(16, 24, 3), mask=np.ones((8, 8)))
    with pytest.raises(TypeError, match="render_to streams no given picture"):
        generator.render_to("a.png", "a dog", size=16, image=noisy(16, 24, 3))
