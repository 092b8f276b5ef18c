"""A person in a browser: words, a picture, another seed, a file. Needs Gradio, playwright and Chromium."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_t2i.demo import launch
from keras_t2i.models import Generator

pytestmark = pytest.mark.once

PATIENCE = 120_000  # milliseconds; what it waits for takes a second where nothing else runs


@pytest.fixture
def browser():
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_words_a_picture_another_seed_and_a_file(browser, serve, tiny_preset, asked, tmp_path):
    url = serve(lambda: launch([tiny_preset]))
    page, requested = browser.new_page(accept_downloads=True), []
    page.set_default_timeout(PATIENCE)
    page.on("request", lambda request: requested.append(request.url))
    page.goto(url)
    page.fill("#prompt :is(input, textarea)", "a green apple")
    sources = []
    for seed in (0, 1):
        if seed == 0:
            page.click("#draw")
        else:
            page.press("#seed input[type=range]", "ArrowRight")
        page.wait_for_function(f"document.querySelector('#told').innerText.includes('seed {seed},')")
        sources.append(page.get_attribute("#picture img", "src"))
        with page.expect_download() as download:
            page.click("#png")
        assert download.value.suggested_filename == f"a-green-apple-{seed}.png"
        found = np.asarray(Image.open(io.BytesIO(download.value.path().read_bytes())))
        expected = Generator.from_preset(tiny_preset).generate("a green apple", seed=seed, size=512)
        assert found.shape == (512, 512, 3) and np.abs(found - expected.astype(int)).max() <= 1
    assert sources[0] != sources[1]
    page.get_by_role("tab", name="Variations").click()
    page.wait_for_selector("#no-variations:has-text('draws from words alone')")
    assert {one for one in requested if not one.startswith((url, "data:", "blob:"))} == set() and asked == []
