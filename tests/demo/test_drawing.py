"""What the page draws is what the generator draws, for tiny generators of every kind."""

import threading

import numpy as np
import pytest
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unclip_generator
from tiny_renderer import tiny_stage
from tiny_renderer import uint8_waves

from keras_t2i.demo import choices
from keras_t2i.demo import drawing
from keras_t2i.demo.choices import Choice
from keras_t2i.demo.choices import Presets
from keras_t2i.models import Generator
from keras_t2i.models import RendererStage
from keras_t2i.utils.embeddings import slerp
from keras_t2i.utils.images import make_grid
from keras_t2i_runtime.tiling import TILE

STEPS = {"num_steps": 4, "guidance_scale": 1.5}


@pytest.fixture(scope="module")
def presets():
    """Of each kind one, with a tiny renderer, as if they were opened."""
    found = Presets([])
    kinds = {
        "one_pass": tiny_generator(),
        "words": tiny_diffusion_generator(),
        "embeddings": tiny_unclip_generator(),
    }
    for name, generator in kinds.items():
        found.names.append(name)
        found._opened[name] = Generator.from_stages(decoder=generator, renderer=tiny_stage())
    return found


def choice(preset, **changes):
    return Choice(preset, **{"seed": 7, "size": 20, **STEPS, **changes})


@pytest.mark.parametrize("name", ["words", "embeddings"])
def test_a_picture_evolves_and_ends_as_generate_draws_it(presets, name):
    generator, (*frames, picture) = presets.open(name), drawing.draw(presets, "a red apple", choice(name))
    expected = generator.generate("a red apple", seed=7, size=20, **STEPS)
    np.testing.assert_array_equal(picture, expected)
    small = generator.generate_frames("a red apple", seed=7, **STEPS)
    assert len(frames) == len(small) - 1 == 3
    for frame, one in zip(frames, small, strict=False):
        np.testing.assert_array_equal(frame, make_grid(one[None], scale=drawing.FRAME // 8))


@pytest.mark.parametrize("name", ["one_pass", "words", "embeddings"])
def test_as_the_page_opens_a_preset_it_draws_as_generate_does_untold(presets, name):
    generator = presets.open(name)
    own = choices.settings_of(generator)
    assert own == ({"temperature": 1.0} if name == "one_pass" else {"num_steps": 3, "guidance_scale": 2.0})
    *_, picture = drawing.draw(presets, "a red apple", choice(name, **own))
    np.testing.assert_array_equal(picture, generator.generate("a red apple", seed=7, size=20))


def test_one_step_has_no_frames_and_its_own_setting(presets):
    (picture,) = drawing.draw(presets, "a red apple", choice("one_pass", temperature=0.5))
    expected = presets.open("one_pass").generate("a red apple", seed=7, size=20, temperature=0.5)
    np.testing.assert_array_equal(picture, expected)


def test_another_seed_is_another_picture_and_a_background_may_be_none(presets):
    *_, one = drawing.draw(presets, "a red apple", choice("words"))
    *_, other = drawing.draw(presets, "a red apple", choice("words", seed=8))
    assert (one != other).any()
    *_, clear = drawing.draw(presets, "a red apple", choice("words", background=None))
    assert clear.shape == (20, 20, 4)


def test_an_svg_is_that_of_the_same_words_and_choice(presets):
    pytest.importorskip("contourpy")
    found = drawing.draw_svg(presets, "a red apple", choice("words"))
    expected = presets.open("words").generate("a red apple", seed=7, size=20, output="svg", **STEPS)
    assert found == expected and found.startswith("<svg")


def test_what_is_not_painted_over_stays(presets):
    image = uint8_waves(20, 20)
    layer = np.zeros((20, 20, 4), "uint8")
    layer[5:9, 5:12] = 230, 0, 120, 40
    found, mask = choices.painted({"background": image, "layers": [layer, layer * 0], "composite": None})
    assert mask.sum() == 4 * 7 and mask[5:9, 5:12].all()
    *frames, picture = drawing.draw(presets, "a car", choice("words"), found, mask)
    expected = presets.open("words").generate("a car", seed=7, size=20, image=image, mask=mask, **STEPS)
    np.testing.assert_array_equal(picture, expected)
    assert len(frames) == 3 and (picture != image)[mask].any()
    np.testing.assert_array_equal(picture[~mask], image[~mask])


def test_variations(presets):
    image = uint8_waves(8, 8)
    clear = np.concatenate([image, np.full((8, 8, 1), 255, "uint8")], axis=-1)
    found = drawing.draw_variations(presets, clear, 3, choice("embeddings"))
    np.testing.assert_array_equal(
        found, presets.open("embeddings").variations(image, 3, seed=7, size=20, **STEPS)
    )


def test_between_two_prompts(presets):
    generator = presets.open("embeddings")
    found = drawing.draw_between(presets, "a red apple", "a car", 3, choice("embeddings"))
    ends = generator.generate(["a red apple", "a car"], seed=[7, 7], **STEPS)
    np.testing.assert_array_equal(found, generator.interpolate(*ends, 3, size=20))
    generator = presets.open("one_pass")
    found = drawing.draw_between(presets, "a red apple", "a car", 3, choice("one_pass"))
    codes = slerp(*generator.encode_text(["a red apple", "a car"]), np.linspace(0, 1, 3))
    np.testing.assert_array_equal(found, generator.decode(codes, size=20))


# What is refused

CALLS = {
    "variations": lambda presets, c: drawing.draw_variations(presets, uint8_waves(8, 8), 2, c),
    "interpolation": lambda presets, c: drawing.draw_between(presets, "a car", "a red apple", 2, c),
    "inpainting": lambda presets, c: list(
        drawing.draw(presets, "a car", c, uint8_waves(8, 8), np.ones((8, 8), bool))
    ),
}


@pytest.mark.parametrize(
    "name, able",
    [("one_pass", {"interpolation"}), ("words", {"inpainting"}), ("embeddings", {*CALLS})],
)
def test_what_a_generator_cannot_do_is_said_and_refused(presets, name, able):
    said = choices.refusals(presets.open(name), name)
    assert {what for what, sentence in said.items() if not sentence} == able
    for what, call in CALLS.items():
        if what in able:
            assert len(call(presets, choice(name)))
        else:
            assert said[what].startswith(f"{name} draws ") and "choose one that" in said[what]
            with pytest.raises(NotImplementedError) as refused:
                call(presets, choice(name))
            assert str(refused.value) == said[what]


def test_the_library_refuses_the_same(presets):
    words, one_pass = presets.open("words"), presets.open("one_pass")
    image = uint8_waves(8, 8)
    for call in (lambda: words.variations(image), lambda: words.interpolate(image, image)):
        with pytest.raises(NotImplementedError):
            call()
    with pytest.raises(TypeError):
        one_pass.generate("a car", image=image)
    one, other = one_pass.variations(image, 2)
    np.testing.assert_array_equal(one, other)  # hence it is said that there are none


@pytest.mark.once
@pytest.mark.parametrize(
    "changes, message",
    [
        ({"preset": "/etc"}, "there is no preset '/etc' here: choose one of one_pass, words"),
        ({"seed": -1}, "seed must be a whole number from 0 to 2147483647, got -1"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": None}, "seed must be a whole number"),
        ({"num_steps": 65}, "steps must be a whole number from 1 to 64, got 65"),
        ({"size": 4097}, "size must be a whole number from 1 to 4096"),
        ({"size": True}, "size must be a whole number"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be"),
        ({"background": "no color"}, "background must be"),
    ],
)
def test_a_choice_out_of_range_is_a_sentence(presets, changes, message):
    with pytest.raises(choices.REFUSALS) as refused:
        list(drawing.draw(presets, "a car", choice(**{"preset": "words", **changes})))
    assert message in str(refused.value)


@pytest.mark.once
def test_words_pictures_and_masks_that_are_none(presets):
    c, image = choice("embeddings"), uint8_waves(8, 8)
    for prompt, message in (("", "no words"), (" \n", "no words"), (None, "no words"), ("a" * 501, "501")):
        with pytest.raises(ValueError, match=message):
            list(drawing.draw(presets, prompt, c))
        with pytest.raises(ValueError, match=message):
            drawing.draw_between(presets, "a car", prompt, 2, c)
    with pytest.raises(ValueError, match="no picture"):
        drawing.draw_variations(presets, None, 2, c)
    with pytest.raises(ValueError, match="nothing is painted over"):
        list(drawing.draw(presets, "a car", c, image, np.zeros((8, 8), bool)))
    with pytest.raises(ValueError, match="more than 4096"):
        drawing.draw_variations(presets, np.zeros((1, 4097, 3), "uint8"), 2, c)
    with pytest.raises(ValueError, match="variations must be a whole number from 1 to 16"):
        drawing.draw_variations(presets, image, 17, c)
    with pytest.raises(ValueError, match=r"4 pictures of 4096 pixels are too large: .* at most 2048"):
        drawing.draw_variations(presets, image, 4, c._replace(size=4096))
    assert choices.painted(None) == choices.painted({"background": None, "layers": []}) == (None, None)


@pytest.mark.once
def test_transparency_becomes_white():
    image = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], "uint8")
    np.testing.assert_array_equal(choices.opaque(image), [[[10, 20, 30], [255, 255, 255], [204, 204, 204]]])


@pytest.mark.once
def test_names_of_files():
    assert choices.file_name("../A red  apple!", 7, ".png") == "a-red-apple-7.png"
    assert choices.file_name("?!", 7, ".svg") == "picture-7.svg"
    assert len(choices.file_name("猫" * 500, 7, ".png").encode()) < 200


# As it evolves


class State:
    num_steps, pictures = 50, np.zeros((1, 8, 8, 3), "uint8")

    def __init__(self, step):
        self.step = step


@pytest.mark.once
def test_a_drawing_that_nobody_waits_for_ends():
    began, go_on, steps = threading.Event(), threading.Event(), []

    def generate(show):
        for step in range(50):
            steps.append(step)
            show(State(step))
            if step == 1:
                began.set()
                assert go_on.wait(60)

    frames = drawing.evolving(generate)
    assert next(frames).shape == (512, 512, 3)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "drawing"]
    assert began.wait(60)
    frames.close()
    go_on.set()
    thread.join(60)
    assert not thread.is_alive() and steps == [0, 1, 2]


@pytest.mark.parametrize("name", ["one_pass", "words"])
def test_who_closes_it_stops_a_large_picture_between_its_bands(presets, name, monkeypatch):
    """After the last step, where no callback is called."""
    began, go_on, seen, bands = threading.Event(), threading.Event(), [], RendererStage.bands

    def watched(*args, **options):
        for band in bands(*args, **options):
            seen.append(len(band))
            began.set()
            assert go_on.wait(60)
            yield band

    monkeypatch.setattr(RendererStage, "bands", watched)
    pictures = drawing.draw(presets, "a red apple", choice(name, size=300), beat=0.01)
    next(found for found in pictures if began.is_set() and found is None)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "drawing"]
    pictures.close()
    go_on.set()
    thread.join(60)
    assert not thread.is_alive() and seen == [TILE]  # of three


@pytest.mark.once
def test_an_error_of_a_drawing_is_raised_where_it_is_waited_for():
    def generate(show):
        show(State(0))
        raise MemoryError("too large")

    frames = drawing.evolving(generate)
    next(frames)
    with pytest.raises(MemoryError, match="too large"):
        next(frames)


@pytest.mark.once
def test_presets_are_opened_once_and_draw_by_the_renderer_that_is_given(tmp_path):
    tiny_generator().save_to_preset(tmp_path / "tiny")
    tiny_stage().save_to_preset(tmp_path / "renderer")
    name = str(tmp_path / "tiny")
    found = Presets([name], renderer=str(tmp_path / "renderer"))
    assert found.open(name) is found.open(name)
    assert found.open(name).stage("rendering").renderer.slots == tiny_stage().renderer.slots
    assert Presets().names[0] == "diffusion_emoji" and {*Presets().names} == {*Generator.presets}
