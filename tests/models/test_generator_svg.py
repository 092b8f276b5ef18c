"""A generator's drawings as SVGs."""

from xml.etree import ElementTree

import numpy as np
import pytest
from tiny import tiny_generator
from tiny_diffusion import tiny_diffusion_generator
from tiny_renderer import tiny_renderer
from tiny_renderer import tiny_stage
from tiny_renderer import uint8_waves

from keras_t2i.models import Generator
from keras_t2i.models import RendererStage
from keras_t2i.models import generator as module

pytest.importorskip("contourpy")
PROMPT = "a red apple"


@pytest.fixture(scope="module")
def generator():
    return Generator.from_stages(decoder=tiny_generator(), renderer=tiny_stage())


@pytest.fixture
def never_drawn(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("something was drawn before all was checked")

    monkeypatch.setattr(RendererStage, "fields", refuse)
    monkeypatch.setattr(module, "sample_in_batches", refuse)


@pytest.mark.once
def test_documents_of_prompts_and_of_given_pictures(generator):
    one = generator.generate(PROMPT, seed=3, output="svg")
    two = generator.generate([PROMPT, "a red car"], seed=3, output="svg")
    assert isinstance(one, str) and two[0] == one and len(two) == 2 and two[1] != one
    small = generator.generate([PROMPT, "a red car"], seed=3)
    assert generator.render(small, output="svg", noise_level=0.2) == two
    assert generator.render(small[0], output="svg", noise_level=0.2) == one
    assert generator.render(small[0]).shape == (512, 512, 3)


@pytest.mark.once
def test_size_and_background_are_in_the_document(generator):
    document = ElementTree.fromstring(generator.generate(PROMPT, seed=3, output="svg"))
    assert (document.get("width"), document.get("height")) == ("512", "512")
    wide = generator.generate(PROMPT, seed=3, output="svg", size=(300, 400), background="#ffcc00")
    root = ElementTree.fromstring(wide)
    assert (root.get("width"), root.get("height")) == ("400", "300")
    assert root[0].tag.endswith("rect") and root[0].get("fill") == "#ffcc00"
    clear = ElementTree.fromstring(generator.generate(PROMPT, seed=3, output="svg", background=None))
    assert not any(element.tag.endswith("rect") for element in clear.iter())


def test_a_file(generator, tmp_path):
    for source, options in ((PROMPT, {"seed": 3}), (uint8_waves(5, 7), {})):
        file = generator.render_to(tmp_path / "new" / "a.SVG", source, 64, **options)
        assert file == tmp_path / "new" / "a.SVG"
        expected = (generator.generate if options else generator.render)(
            source, size=64, output="svg", **options
        )
        assert file.read_text() == expected


def test_mistakes_are_named_before_anything_is_drawn(generator, never_drawn, tmp_path, monkeypatch):
    for wrong in ("pdf", "SVG", None, 3):
        for draw in (
            lambda wrong=wrong: generator.generate(PROMPT, output=wrong),
            lambda wrong=wrong: generator.render(uint8_waves(4, 4), 8, output=wrong),
        ):
            with pytest.raises(ValueError, match=r"^output must be one of 'array', 'pil', 'svg', got"):
                draw()
    for size, error in ((0, ValueError), ("large", TypeError), (10**9, ValueError), ((1, 2, 3), ValueError)):
        with pytest.raises(error, match="size must be"):
            generator.generate(PROMPT, size=size, output="svg")
        with pytest.raises(error, match="size must be"):
            generator.render_to(tmp_path / "a.svg", PROMPT, size)
    with pytest.raises(ValueError, match="background must be None"):
        generator.generate(PROMPT, background="no color", output="svg")
    with pytest.raises(TypeError, match="render_to has no output="):
        generator.render_to(tmp_path / "a.svg", PROMPT, 8, output="svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(IsADirectoryError):
        generator.render_to(tmp_path / "folder.svg", PROMPT, 8)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for draw in (
        lambda: generator.generate(PROMPT, output="svg"),
        lambda: generator.render(uint8_waves(4, 4), output="svg"),
        lambda: generator.render_to(tmp_path / "a.svg", PROMPT, 8),
    ):
        with pytest.raises(ImportError, match="install contourpy"):
            draw()
    assert [file.name for file in tmp_path.iterdir()] == ["folder.svg"]


@pytest.mark.once
def test_what_has_no_paths_is_refused():
    generator = Generator.from_stages(decoder=tiny_diffusion_generator(), renderer=tiny_renderer())
    picture = uint8_waves(generator.image_size, generator.image_size)
    with pytest.raises(ValueError, match="output='svg' takes no mask"):
        generator.generate(PROMPT, image=picture, mask=np.ones(picture.shape[:2], bool), output="svg")
    with pytest.raises(TypeError, match="it has no output"):
        generator.generate_frames(PROMPT, output="svg")
    near = generator.generate(PROMPT, image=picture[:4], seed=0, output="svg", size=(40, 80))
    assert ElementTree.fromstring(near).get("height") == "40"
