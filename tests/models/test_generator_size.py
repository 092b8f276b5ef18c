"""A generator's drawings at any size: by its own renderer, by one that is added, by the packaged one."""

import time

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unclip_generator
from tiny_renderer import tiny_renderer
from tiny_renderer import tiny_stage
from tiny_renderer import uint8_waves

from keras_t2i.models import Generator
from keras_t2i.models import RendererStage
from keras_t2i.models import generator as module
from keras_t2i.models import outputs
from keras_t2i_runtime.tiling import TILE

PROMPT = "a red apple"


@pytest.fixture(scope="module")
def base():
    return tiny_generator()


@pytest.fixture(scope="module")
def generator(base):
    return Generator.from_stages(decoder=base, renderer=tiny_stage())


@pytest.fixture
def never_drawn(monkeypatch):
    """Nothing may be drawn or sampled."""

    def refuse(*args, **options):
        raise AssertionError("something was drawn before all was checked")

    monkeypatch.setattr(RendererStage, "fields", refuse)
    monkeypatch.setattr(module, "sample_in_batches", refuse)


def test_the_renderer_is_a_stage_of_its_own(base, generator):
    assert [stage.produces for stage in generator.stages] == ["text", "image", "rendering"]
    assert generator.base_stages == generator.stages[:2] and base.base_stages == base.stages
    assert generator.renderer is generator.stage("rendering")
    assert generator.base is base.base and generator.image_size == 8 and generator.latent_shape == (None, 32)


def test_without_a_size_nothing_changes(base, generator):
    for words, options in (
        (PROMPT, {}),
        ([PROMPT, "a red car"], {"num_images": 2}),
        (PROMPT, {"temperature": 0.5, "best_of": 3}),
    ):
        expected = base.generate(words, seed=3, **options)
        np.testing.assert_array_equal(generator.generate(words, seed=3, **options), expected)


@pytest.mark.parametrize("options", [{}, {"size": (20, 30)}, {"size": 20, "background": None}])
def test_images_for_a_notebook(generator, options):
    words = [PROMPT, "a red car"]
    images = generator.generate(words, seed=0, output="pil", **options)
    assert isinstance(images, list) and images[0]._repr_png_().startswith(b"\x89PNG")
    np.testing.assert_array_equal(images, generator.generate(words, seed=0, **options))
    alone = generator.generate(PROMPT, seed=0, output="pil", **options)
    assert isinstance(alone, Image.Image) and np.array_equal(alone, images[0])
    if options:
        given = np.asarray(alone.convert("RGB"))
        rendered = generator.render(given, output="pil", **options)
        np.testing.assert_array_equal(rendered, generator.render(given, **options))
        assert len(generator.render(given[None], output="pil", **options)) == 1


def test_sizes_shapes_and_types(generator):
    for size, shape in ((40, (40, 40)), ((30, 70), (30, 70)), (np.array([9, 5]), (9, 5)), (1, (1, 1))):
        picture = generator.generate(PROMPT, seed=0, size=size)
        assert picture.dtype == np.uint8 and picture.shape == (*shape, 3)
    two = generator.generate([PROMPT, "a red car"], seed=0, size=(20, 30), background=None)
    assert two.dtype == np.uint8 and two.shape == (2, 20, 30, 4)
    assert generator.generate([PROMPT], seed=0, size=20).shape == (1, 20, 20, 3)
    assert generator.generate(PROMPT, seed=0, size=20, num_images=3).shape == (3, 20, 20, 3)


def test_a_size_draws_the_small_picture_as_a_generators(generator):
    small = generator.generate([PROMPT, "a red car"], seed=5)
    options = {"size": (40, 56), "background": "#ffcc00"}
    large = generator.generate([PROMPT, "a red car"], seed=5, **options)
    np.testing.assert_array_equal(large, generator.render(small, **options, noise_level=0.2))
    assert (large != generator.render(small, **options)).any()
    one = generator.generate("a red car", seed=6, **options)
    np.testing.assert_array_equal(one, generator.render(small[1], **options, noise_level=0.2))


@pytest.mark.parametrize("shape", [(8, 8), (5, 13), (1, 1), (2, 8, 4)])
def test_given_pictures_of_any_shape(generator, shape):
    pictures = np.resize(uint8_waves(8, 13), (*shape, 3))
    for size, background in (((21, 34), "white"), (17, None)):
        drawn = generator.render(pictures, size, background)
        height, width = (size, size) if isinstance(size, int) else size
        channels = 3 if background else 4
        assert drawn.shape == (*shape[:-2], height, width, channels) and drawn.dtype == np.uint8
    if len(shape) == 3:
        alone = [generator.render(picture, 17) for picture in pictures]
        np.testing.assert_array_equal(generator.render(pictures, 17), alone)


def test_given_pictures_are_checked(generator):
    for wrong in (np.zeros((4, 4, 4), "uint8"), np.zeros((4, 4, 3)), np.zeros((4, 4), "uint8")):
        with pytest.raises(ValueError, match="pictures must be uint8"):
            generator.render(wrong, 8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("background", ["#ffcc00", None])
def test_a_file_holds_what_would_be_drawn(generator, tmp_path, suffix, background):
    options = {"size": (150, 200), "background": background}
    picture = uint8_waves(5, 7)
    for name, source, extra, expected in (
        ("given", picture, {}, generator.render(picture, **options)),
        ("noisy", picture, {"noise_level": 0.1}, generator.render(picture, **options, noise_level=0.1)),
        ("words", PROMPT, {"seed": 3}, generator.generate(PROMPT, seed=3, **options)),
        ("dict", {"prompts": PROMPT}, {"seed": 3}, generator.generate(PROMPT, seed=3, **options)),
    ):
        file = generator.render_to(tmp_path / "new" / f"{name}{suffix}", source, **options, **extra)
        assert file == tmp_path / "new" / f"{name}{suffix}"
        with Image.open(file) as opened:
            assert opened.mode == ("RGB" if background else "RGBA")
            np.testing.assert_array_equal(np.asarray(opened), expected)


def test_an_error_leaves_what_was_there(generator, tmp_path, monkeypatch):
    file = tmp_path / "a.png"
    file.write_bytes(b"old")
    bands = RendererStage.bands

    def broken(*args, **options):
        yield next(bands(*args, **options))
        raise RuntimeError("in the middle")

    monkeypatch.setattr(RendererStage, "bands", broken)
    with pytest.raises(RuntimeError, match="in the middle"):
        generator.render_to(file, uint8_waves(5, 7), 4 * TILE)
    assert file.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("size", "error", "sentence"),
    [
        (0, ValueError, "between 1 and 65536"),
        (10**9, ValueError, "between 1 and 65536"),
        ((3, -1), ValueError, "between 1 and 65536"),
        ((3, 4, 5), ValueError, "a pair of ints"),
        ("512", TypeError, "a pair of ints"),
        (64.0, TypeError, "a pair of ints"),
    ],
)
def test_sizes_are_checked_before_anything_is_drawn(generator, tmp_path, never_drawn, size, error, sentence):
    for draw in (
        lambda: generator.generate(PROMPT, seed=0, size=size),
        lambda: generator.render(uint8_waves(4, 4), size),
        lambda: generator.render_to(tmp_path / "a.png", PROMPT, size),
    ):
        with pytest.raises(error, match=sentence):
            draw()
    assert list(tmp_path.iterdir()) == []


def test_other_mistakes_are_named_before_anything_is_drawn(generator, tmp_path, never_drawn, monkeypatch):
    with pytest.raises(ValueError, match=r"must end in \.png, \.tif, \.tiff"):
        generator.render_to(tmp_path / "a.jpg", PROMPT, 64)
    for draw in (
        lambda: generator.generate(PROMPT, size=8, background="no color"),
        lambda: generator.render_to(tmp_path / "a.png", PROMPT, 8, background="no color"),
    ):
        with pytest.raises(ValueError, match="background must be None"):
            draw()
    with pytest.raises(TypeError, match="a given picture is drawn without num_steps, seed"):
        generator.render_to(tmp_path / "a.png", uint8_waves(4, 4), 8, seed=0, num_steps=3)
    for several, options in (
        ({"prompts": [PROMPT]}, {}),
        (PROMPT, {"num_images": 2}),
        (np.zeros((2, 4, 4, 3), "uint8"), {}),
    ):
        with pytest.raises((TypeError, ValueError), match="render_to draws one picture"):
            generator.render_to(tmp_path / "a.png", several, 8, **options)
    with pytest.raises(ValueError, match="pictures must be uint8"):
        generator.render_to(tmp_path / "a.png", [PROMPT, PROMPT], 8)
    monkeypatch.setattr(outputs, "free_memory", lambda: 2**20)
    for draw in (
        lambda: generator.generate(PROMPT, size=1024),
        lambda: generator.generate(PROMPT, size=512, num_images=2),
        lambda: generator.render(uint8_waves(4, 4), 1024),
    ):
        with pytest.raises(MemoryError, match="render_to"):
            draw()
    assert list(tmp_path.iterdir()) == []


def test_more_drawings_than_memory_holds_are_refused_at_once(generator):
    start = time.monotonic()
    for options in ({"best_of": 10**12}, {"num_images": 10**12}, {"num_images": 10**6, "best_of": 10**6}):
        with pytest.raises(MemoryError, match="memory is too small"):
            generator.generate(PROMPT, **options)
    assert time.monotonic() - start < 5


def test_a_file_needs_no_memory_for_the_picture(generator, tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "free_memory", lambda: 2**10)
    file = generator.render_to(tmp_path / "a.png", uint8_waves(4, 4), (64, 300))
    with Image.open(file) as opened:
        assert opened.size == (300, 64)


def test_frames_have_a_size_too(monkeypatch):
    generator = Generator.from_stages(decoder=tiny_diffusion_generator(), renderer=tiny_renderer())
    options = {"size": (20, 30), "background": None}
    small = generator.generate_frames(PROMPT, seed=0)
    frames = generator.generate_frames(PROMPT, seed=0, **options)
    assert frames.shape == (3, 20, 30, 4) and frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, generator.render(small, **options, noise_level=0.2))
    np.testing.assert_array_equal(frames[-1], generator.generate(PROMPT, seed=0, **options))
    monkeypatch.setattr(module, "sample_in_batches", None)  # nothing can be drawn
    with pytest.raises(ValueError, match="between 1 and 65536"):
        generator.generate_frames(PROMPT, size=0)


@pytest.mark.parametrize("kind", ["one pass", "unclip"])
def test_editing_goes_on_with_a_renderer(base, kind):
    base = base if kind == "one pass" else tiny_unclip_generator()
    both = base, Generator.from_stages(decoder=base, renderer=tiny_stage())
    pictures = uint8_waves(8, 8)[None]
    concepts = base.encode_image(pictures)
    for draw in (
        lambda one: one.decode(concepts, seed=0),
        lambda one: one.variations(pictures[0], n=2, seed=0),
        lambda one: one.rank([pictures[0], pictures[0][::-1]], PROMPT)[1],
    ):
        expected, found = (draw(one) for one in both)
        np.testing.assert_array_equal(found, expected)


def test_a_renderer_comes_as_a_stage_a_network_a_folder_or_a_generator(base, tmp_path):
    network = tiny_renderer()
    RendererStage(network, noise_level=0.1, second_pass=3).save_to_preset(tmp_path / "stage")
    network.save_to_preset(tmp_path / "network")
    whole = Generator.from_stages(decoder=base, renderer=RendererStage(network, noise_level=0.1))
    picture = uint8_waves(5, 7)
    expected = whole.render(picture, 12)
    for source in (network, tmp_path / "network", str(tmp_path / "stage"), whole):
        found = Generator.from_stages(decoder=base, renderer=source)
        assert type(found.renderer) is RendererStage and found.base is base.base
        np.testing.assert_array_equal(found.render(picture, 12), expected)
        own = source is whole or str(source).endswith("stage")
        assert found.renderer.noise_level == (0.1 if own else 0.2)
        assert found.renderer.second_pass == (3 if str(source).endswith("stage") else 0)
    assert Generator.from_stages(decoder=whole).renderer is whole.renderer  # it stays
    swapped = Generator.from_stages(decoder=whole, renderer=tiny_renderer(seed=5))
    assert (swapped.render(picture, 12) != expected).any()
    with pytest.raises(ValueError, match="renderer must be a preset or network that makes rendering, got"):
        Generator.from_stages(decoder=base, renderer=base)


def test_a_saved_generator_draws_the_same_at_any_size(generator, tmp_path):
    generator.save_to_preset(tmp_path / "preset")
    opened = Generator.from_preset(tmp_path / "preset")
    assert [stage.produces for stage in opened.stages] == ["text", "image", "rendering"]
    options = {"seed": 3, "size": (50, 33), "background": None}
    found, expected = (one.generate(PROMPT, **options).astype(int) for one in (opened, generator))
    assert np.abs(found - expected).max() <= 1


def test_a_generator_without_a_renderer_draws_by_the_packaged_one(base, tmp_path):
    assert base.stage("rendering") is None
    packaged = RendererStage.from_preset("renderer_emoji")
    other = Generator.from_stages(decoder=base, renderer=packaged)
    options = {"seed": 3, "size": 24, "background": None}
    np.testing.assert_array_equal(base.generate(PROMPT, **options), other.generate(PROMPT, **options))
    picture = uint8_waves(4, 4)
    np.testing.assert_array_equal(base.render(picture, 20), other.render(picture, 20))
    assert base.renderer is base.renderer and base.stage("rendering") is None  # opened once, and not kept
    base.save_to_preset(tmp_path / "preset")
    assert Generator.from_preset(tmp_path / "preset").stage("rendering") is None
