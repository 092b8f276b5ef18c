"""What the page's events call, the command that serves it, and, where Gradio is installed, its widgets."""

import importlib
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_t2i.demo
from keras_t2i.demo import build
from keras_t2i.demo import drawing
from keras_t2i.demo import page
from keras_t2i.demo.choices import Choice
from keras_t2i.demo.choices import Presets
from keras_t2i.demo.page import Handlers


def chosen(preset, **changes):
    """Values of the widgets."""
    return Choice(preset, **{"seed": 7, "num_steps": 3, "size": 16, "background": "transparent", **changes})


@pytest.fixture
def handlers(tiny_preset, tmp_path):
    return Handlers(Presets([tiny_preset]), tmp_path)


@pytest.mark.filterwarnings("ignore:not in a caption")
def test_words_that_are_read_as_others_are_told(handlers, tiny_preset):
    tokenizer = handlers.presets.open(tiny_preset).preprocessor.tokenizer
    tokenizer.set_nearest_words({"scarlet": "red"})
    *_, (*_, sentence) = handlers.draw("a Scarlet apple", *chosen(tiny_preset))
    assert sentence.endswith(' s. "scarlet" was read as "red", which captions teach')


def test_frames_and_then_a_file_of_the_picture(handlers, tiny_preset, tmp_path):
    *frames, (picture, file, request, sentence) = handlers.draw("a red apple", *chosen(tiny_preset))
    frames = [frame for frame in frames if frame[0] is not None]  # a slow machine has nothing new for a while
    assert [rest for _, *rest in frames] == [[None, None, ""]] * 2
    generator = handlers.presets.open(tiny_preset)
    options = {"num_steps": 3, "guidance_scale": 2.0, "size": 16, "background": None}
    expected = generator.generate("a red apple", seed=7, **options)
    assert picture == file and Path(file).name == "a-red-apple-7.png" and tmp_path in Path(file).parents
    np.testing.assert_array_equal(np.asarray(Image.open(file)), expected)
    assert sentence.startswith(f"{tiny_preset}, seed 7, 3 steps, 16 pixels: ") and sentence.endswith(" s")
    assert request == ("a red apple", chosen(tiny_preset, background=None))


@pytest.mark.once
def test_while_there_is_nothing_new_it_says_so(handlers, tiny_preset, monkeypatch):
    """So that Gradio can stop it."""
    waits = threading.Event()

    def draw(*args, beat, **options):
        picture = np.zeros((16, 16, 3), "uint8")
        return drawing.evolving(lambda show: picture if waits.wait(60) else None, beat)

    monkeypatch.setattr(page, "BEAT", 0.01)
    monkeypatch.setattr(page.drawing, "draw", draw)
    found = handlers.draw("a red apple", *chosen(tiny_preset))
    assert [next(found) for _ in range(2)] == [(None,) * 4] * 2
    waits.set()
    *_, (picture, file, *_) = found
    assert picture == file and not np.asarray(Image.open(file)).any()


@pytest.mark.once
def test_an_svg_of_what_was_drawn_last(handlers, tiny_preset):
    pytest.importorskip("contourpy")
    *_, (_, _, request, _) = handlers.draw("a red apple", *chosen(tiny_preset))
    file = Path(handlers.svg(request))
    assert file.name == "a-red-apple-7.svg" and file.read_text("utf-8").startswith("<svg")


@pytest.mark.once
def test_without_gradio_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"keras-t2i\[demo\]"):
        build()


@pytest.mark.once
def test_the_command_serves_this_machine_alone(monkeypatch, capsys):
    recipe, calls = importlib.import_module("demo"), []
    monkeypatch.setattr(keras_t2i.demo, "launch", lambda *args, **options: calls.append((*args, options)))
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    monkeypatch.delenv("GRADIO_SERVER_PORT", raising=False)
    recipe.main([])
    recipe.main(["--preset", "a", "b", "--renderer", "c", "--host", "0.0.0.0", "--port", "80"])
    here = {"server_name": "127.0.0.1", "server_port": 7860}
    assert calls == [(None, None, here), (["a", "b"], "c", {"server_name": "0.0.0.0", "server_port": 80})]
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")  # as Spaces do
    recipe.main([])
    assert calls[-1] == (None, None, {**here, "server_name": "0.0.0.0"})

    def fail(*args, **options):
        raise ValueError("there is no preset 'a'")

    monkeypatch.setattr(keras_t2i.demo, "launch", fail)
    for arguments, said in ((["--preset", "a"], "no preset 'a'"), (["--port", "0"], "at least 1")):
        with pytest.raises(SystemExit) as stopped:
            recipe.main(arguments)
        last = capsys.readouterr().err.splitlines()[-1]
        assert stopped.value.code == 2 and last.startswith("demo.py: error: ") and said in last


# With Gradio


@pytest.mark.once
def test_an_error_is_shown_as_a_sentence_and_no_html(handlers, tiny_preset):
    gradio = pytest.importorskip("gradio")
    with pytest.raises(gradio.Error) as error:
        list(handlers.draw("a red apple", *chosen(tiny_preset, background="<b>")))
    assert "&lt;b&gt;" in error.value.message and "<" not in error.value.message
    with pytest.raises(gradio.Error, match="no picture"):
        list(handlers.inpaint(None, "a car", *chosen(tiny_preset)))
    with pytest.raises(gradio.Error, match="draws from words alone"):
        handlers.variations(None, 2, *chosen(tiny_preset))


@pytest.mark.once
def test_the_page_counts_nobody_and_calls_one_drawing_at_a_time(tiny_preset):
    pytest.importorskip("gradio")
    blocks = build([tiny_preset])
    config = blocks.get_config_file()
    assert config["analytics_enabled"] is False and blocks.delete_cache is not None
    events = blocks.fns.values()
    assert all(event.api_visibility == "private" for event in events)
    assert {event.concurrency_limit for event in events if event.concurrency_id == "drawing"} == {1}
    assert sum(event.concurrency_id == "drawing" for event in events) == 6
    notes = {c["props"].get("elem_id"): c["props"] for c in config["components"]}
    assert notes["no-variations"]["visible"] and "words alone" in notes["no-variations"]["value"]
    assert not notes["no-inpainting"]["visible"]
