import itertools
import tracemalloc

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_renderer import tiny_renderer
from tiny_renderer import tiny_stage
from tiny_renderer import uint8_waves
from tiny_renderer import waves

from keras_t2i.models import RendererStage
from keras_t2i.models import outputs
from keras_t2i.models.stages.renderer import Canvas
from keras_t2i.utils.images import to_float
from keras_t2i.utils.images import to_uint8
from keras_t2i_runtime.tiling import BLOCK
from keras_t2i_runtime.tiling import MARGIN
from keras_t2i_runtime.tiling import TILE
from keras_t2i_runtime.tiling import blocks


@pytest.fixture(scope="module")
def stage():
    return tiny_stage()


def largest_difference(a, b):
    assert a.shape == b.shape
    return np.abs(a.astype(int) - b).max()


def drawn(stage, image, size, background="white", **options):
    return np.concatenate(list(stage.bands(image, Canvas.of(size, background), **options)))


def whole_fields(stage, image, noise_level=0.0):
    """By one evaluation of the network on the whole picture."""
    fields = stage.renderer({"images": image[None], "noise_level": np.full(1, noise_level, "float32")})
    return {name: keras.ops.convert_to_numpy(values)[0] for name, values in fields.items()}


@pytest.mark.parametrize("side", [1, 4, 60, 64, 111, 112, 113, 128, 176, 500, 4096])
def test_blocks_cover_a_side_once_and_see_a_margin(side):
    found = blocks(side)
    assert len({seen.stop - seen.start for seen, _ in found}) == 1  # compiled once
    own = [one for _, one in found]
    assert own[0].start == 0 and own[-1].stop == side
    assert all(a.stop == b.start for a, b in itertools.pairwise(own))
    for seen, one in found:
        assert 0 <= seen.start <= max(0, one.start - MARGIN)
        assert side >= seen.stop >= min(side, one.stop + MARGIN)
        assert seen.start % 4 == 0 or side % 4  # what the network halves twice
        assert seen.stop - seen.start <= BLOCK + 2 * MARGIN


@pytest.mark.parametrize("shape", [(8, 12), (128, 116), (180, 8)])
def test_fields_in_blocks_are_those_of_the_whole_picture(stage, shape):
    image = waves(*shape)
    expected = whole_fields(stage, image, 0.1)
    for name, values in stage.fields(image, 0.1).items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[name], atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (7, 10), (66, 113)])
def test_a_picture_of_any_size_has_fields(stage, shape):
    """Its border goes on, to a multiple of 4, and what is not of the picture is cut off."""
    image = waves(*shape)
    h, w = shape
    padded = np.pad(image, ((0, -h % 4), (0, -w % 4), (0, 0)), "edge")
    expected = whole_fields(stage, padded)
    for name, values in stage.fields(image).items():
        n = stage.renderer.nodes[name]
        assert values.shape[:2] == (n * h, n * w)
        np.testing.assert_allclose(values, expected[name][: n * h, : n * w], atol=1e-4)


@pytest.mark.parametrize("size", [333, (150, 271)])
def test_tiles_of_any_size_make_one_picture(stage, size):
    image = waves(8, 12)
    pictures = [drawn(stage, image, size, tile=tile) for tile in (32, 64, 200)]
    assert pictures[0].std() > 20
    assert all(largest_difference(picture, pictures[0]) <= 1 for picture in pictures[1:])


@pytest.mark.parametrize(("size", "covered"), [((60, 200), np.s_[:, 70:130]), ((90, 31), np.s_[29:60, :])])
def test_any_shape_is_background_where_the_picture_does_not_reach(stage, size, covered):
    image = waves(8, 8)
    picture = drawn(stage, image, size, "#123456")
    assert picture.shape == (*size, 3)
    alone = drawn(stage, image, min(size), "#123456")
    assert largest_difference(picture[covered], alone) == 0
    picture[covered] = (0x12, 0x34, 0x56)
    assert (picture == (0x12, 0x34, 0x56)).all()


@pytest.mark.parametrize("background", ["white", "black", (10, 200, 120)])
def test_a_transparent_picture_put_on_a_color_is_the_picture_on_it(stage, background):
    image = waves(8, 8)
    straight = drawn(stage, image, (50, 70), None)
    assert straight.shape == (50, 70, 4) and (straight[:, :9] == 0).all()
    whole = Image.new("RGBA", (70, 50), background)
    whole.alpha_composite(Image.fromarray(straight))
    on_color = drawn(stage, image, (50, 70), background)
    # A color is in [0, 1], and the network here is untrained: where it says more, or less than its opacity
    # lets through, a composite cannot follow.
    light = on_color.astype(float) - (255 - straight[..., 3:].astype(float)) * (
        np.array(Image.new("RGB", (1, 1), background).getpixel((0, 0))) / 255
    )
    possible = (light >= 1) & (light <= straight[..., 3:] - 1.0)
    assert possible.mean() > 0.2
    difference = np.abs(on_color.astype(int) - np.asarray(whole.convert("RGB")))
    assert difference[possible].max() <= 2


def test_the_shown_noise_level_counts(stage):
    image = waves(8, 8)
    assert largest_difference(drawn(stage, image, 40), drawn(stage, image, 40, noise_level=0.2)) > 2


def test_a_second_pass_sees_the_first_drawing():
    twice = tiny_stage(second_pass=8, between=2)
    once = RendererStage(twice.renderer)
    image = waves(4, 6)
    for size in (31, (100, 47)):  # 5 and 7 times as large as the picture
        small = [drawn(one, image, size, noise_level=0.1) for one in (twice, once)]
        assert largest_difference(*small) == 0
    first = drawn(once, image, (8, 12), noise_level=0.1)
    for size in (80, (64, 49), (33, 300)):
        found = drawn(twice, image, size, noise_level=0.1)
        expected = drawn(once, to_float(first), size)
        assert np.abs(found.astype(int) - expected).mean() < 1  # `first` has been rounded to 8 bits here
        assert np.abs(found.astype(int) - drawn(once, image, size, noise_level=0.1)).mean() > 5


def test_render_gives_what_bands_give(stage):
    pictures = np.stack([uint8_waves(5, 7, seed) for seed in range(2)])
    for background, channels in (((1, 2, 3), 3), (None, 4)):
        canvas = Canvas(40, 300, background)
        found = stage.render(pictures, canvas, 0.2)
        assert found.dtype == np.uint8 and found.shape == (2, 40, 300, channels)
        for one, picture in zip(found, pictures, strict=True):
            bands = np.concatenate(list(stage.bands(to_float(picture), canvas, 0.2)))
            np.testing.assert_array_equal(one, bands)


def test_a_picture_of_one_color_stays_of_it():
    """Untrained, but without residuals: at every size, and by way of two passes."""
    stage = RendererStage(tiny_renderer(), second_pass=4)
    dense = stage.renderer.get_layer("colors_dense")
    dense.set_weights([0 * weight for weight in dense.get_weights()])
    image = np.broadcast_to(to_float(np.array([200, 30, 90], "uint8")), (6, 5, 3))
    for size in ((1, 1), (6, 5), (300, 250)):
        picture = drawn(stage, image, size)
        assert np.abs(picture.astype(int) - [200, 30, 90]).max() <= 1


def test_a_large_drawing_takes_the_memory_of_a_band(stage):
    """4096 pixels a side are 50 MB, and 268 MB before they are rounded."""
    image, canvas = waves(8, 8), Canvas(4096, 4096)
    list(stage.bands(image, canvas._replace(height=64, width=64)))  # the network is compiled
    rows = 0
    tracemalloc.start()
    try:
        for band in stage.bands(image, canvas):
            assert band.shape[0] <= TILE and band.shape[1:] == (4096, 3) and band.dtype == np.uint8
            rows += len(band)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows == 4096 and peak < 5 * (4 * 4 * 4096 * TILE)  # of float32, a few times: 42 MB


def test_a_canvas_is_checked(monkeypatch):
    assert Canvas.of(None, "no color") is None
    assert Canvas.of(64, "white") == (64, 64, (255, 255, 255))
    assert Canvas.of((3, 5), None).shape == (3, 5, 4) and Canvas.of((3, 5), "#000").shape == (3, 5, 3)
    with pytest.raises(TypeError, match="size must be an int or a pair of ints"):
        Canvas.of("64", "white")
    for size in (0, 10**9, (5, 0)):
        with pytest.raises(ValueError, match="size must be between 1 and 65536"):
            Canvas.of(size, "white")
    with pytest.raises(ValueError, match="background must be None"):
        Canvas.of(64, "no color")
    monkeypatch.setattr(outputs, "free_memory", lambda: 2**20)
    Canvas.of(1024, "white")  # of no drawing that is held
    Canvas.of(512, None, 1)
    with pytest.raises(MemoryError, match="render_to"):
        Canvas.of(512, None, 2)


def test_a_stage_is_saved_and_opened(tmp_path):
    stage = tiny_stage(noise_level=0.1, second_pass=7, between=3)
    stage.save_to_preset(tmp_path / "preset")
    opened = RendererStage.from_preset(tmp_path / "preset")
    assert (opened.noise_level, opened.second_pass, opened.between) == (0.1, 7.0, 3)
    assert opened.get_config() == stage.get_config()
    picture = uint8_waves(8, 8)[None]
    np.testing.assert_array_equal(
        opened.render(picture, Canvas(60, 60)), stage.render(picture, Canvas(60, 60))
    )


def test_it_samples_as_every_stage_does():
    stage = tiny_stage()
    images = np.stack([waves(8, 8, seed) for seed in range(3)])
    found = stage.sample({"image": images}, seed=0, batch_size=2, size=(20, 30), background=None)
    pictures = to_uint8(images)
    expected = stage.render(pictures, Canvas.of((20, 30), None), stage.noise_level)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="size must be between 1"):
        stage.sample({"image": images}, size=0)


def test_a_drawing_smaller_than_the_picture_is_drawn_of_its_means():
    stage = tiny_stage()
    picture = np.random.default_rng(0).uniform(-1, 1, (16, 32, 3)).astype("float32")
    means = picture.reshape(4, 4, 8, 4, 3).mean(axis=(1, 3))
    small = Canvas(4, 8)
    (found,), (expected,) = (list(stage.bands(image, small)) for image in (picture, means))
    assert np.abs(found.astype(int) - expected).max() <= 1
    of_a_part = np.concatenate(list(stage.bands(picture, Canvas(4, 4), window=(0, 16, 16, 16))))
    (expected,) = stage.bands(np.ascontiguousarray(means[:, 4:]), Canvas(4, 4))
    assert np.abs(of_a_part.astype(int) - expected).max() <= 1
