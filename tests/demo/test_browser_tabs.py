"""A person in a browser before the page of a tiny preset, which this process serves: what is brushed over is
drawn anew, and what lies between two prompts. Needs Gradio, playwright and Chromium."""

import io

import numpy as np
import pytest
from PIL import Image
from tiny_diffusion import tiny_unclip_generator
from tiny_renderer import tiny_stage

from keras_t2i.demo import build
from keras_t2i.demo import drawing
from keras_t2i.demo.choices import Choice
from keras_t2i.demo.choices import Presets
from keras_t2i.models import Generator

pytestmark = pytest.mark.once

PATIENCE = 120  # seconds; what it waits for takes one where nothing else runs
SIZE = 64


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """`(url, preset)`: a page, and the name of what it draws by."""
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    folder = tmp_path_factory.mktemp("tabs")
    name = str(folder / "tiny")
    Generator.from_stages(decoder=tiny_unclip_generator(), renderer=tiny_stage()).save_to_preset(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "temporary"))
        blocks = build([name])
        url = blocks.launch(prevent_thread_lock=True, share=False, quiet=True, server_name="127.0.0.1")[1]
        yield url, name
        blocks.close()


@pytest.fixture
def page(served, browser):
    page = browser.new_page(accept_downloads=True)
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(served[0])
    choose_size(page, SIZE)
    return page


def downloaded(page, button):
    """The file that a button downloads, as pixels."""
    page.wait_for_selector(f"{button}:not([disabled])")
    with page.expect_download() as download:
        page.click(button)
    return np.asarray(Image.open(download.value.path()).convert("RGB"))


def choose_size(page, size):
    page.click("#size input")
    page.get_by_role("option", name=str(size), exact=True).click()


def brushed(page):
    """What was drawn and taken to be inpainted, and its middle brushed over: its pixels."""
    page.click("#draw")
    before = downloaded(page, "#png")
    page.get_by_role("tab", name="Inpaint").click()
    page.click("#take-editor")
    canvas = page.locator("#editor canvas").first
    canvas.wait_for()
    page.wait_for_timeout(1000)  # it zooms
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 10, y)
    page.mouse.down()
    page.mouse.move(x + 10, y, steps=5)
    page.mouse.up()
    page.fill("#new-words :is(input, textarea)", "a car")
    return before


def test_what_is_brushed_over_is_drawn_anew_and_the_rest_stays(page):
    before = brushed(page)
    page.click("#inpaint")
    after = downloaded(page, "#inpainted-png")
    changed = (before != after).any(axis=-1)
    assert before.shape == after.shape == (SIZE, SIZE, 3)
    assert changed[SIZE // 2, SIZE // 2] and not changed[[0, -1]].any() and not changed[:, [0, -1]].any()


def test_inpainting_that_is_stopped_ends_and_the_next_is_drawn(page):
    brushed(page)
    choose_size(page, 4096)
    page.click("#inpaint")
    page.wait_for_timeout(1000)
    page.click("#stop-inpainting")
    page.wait_for_timeout(3000)  # until it ends a click does nothing
    choose_size(page, SIZE)
    page.click("#inpaint")
    assert downloaded(page, "#inpainted-png").shape == (SIZE, SIZE, 3)  # not the large one, which ended


def test_between_shows_as_many_pictures_as_are_asked_for(page, served):
    page.get_by_role("tab", name="Between").click()
    page.fill("#first :is(input, textarea)", "a red apple")
    page.fill("#second :is(input, textarea)", "a car")
    page.fill("#points input[type=number]", "3")
    page.press("#points input[type=number]", "Tab")
    page.click("#interpolate")
    shown = page.locator("#between-pictures .grid-container img")
    shown.first.wait_for()
    addresses = [one.get_attribute("src") for one in shown.all()]
    found = [Image.open(io.BytesIO(page.request.get(address).body())).convert("RGB") for address in addresses]
    generator = Presets([served[1]]).open(served[1])
    assert generator.base.num_steps == 3
    choice = Choice(served[1], num_steps=3, size=SIZE)
    expected = drawing.draw_between(Presets([served[1]]), "a red apple", "a car", 3, choice)
    np.testing.assert_array_equal(np.stack(found), expected)
