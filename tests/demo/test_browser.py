"""The app of the documentation as a process of its own, and a person in a browser: words, a picture, another
seed, a file, and a large picture that is stopped. Needs Gradio; the browser playwright and Chromium."""

import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_t2i.demo.choices import Presets

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
PATIENCE = 300  # seconds; what it waits for takes one where nothing else runs
# Runs an app that reaches nothing but this machine: it prints and refuses what else it tries to reach. It
# prints too when the thread of a drawing begins, and when it ends.
APP = """
import ipaddress, socket, sys, threading
connect = socket.socket.connect

def is_here(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

def refuse(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
        print("asked:", address, flush=True)
        raise OSError("refused")
    return connect(self, address)

socket.socket.connect = refuse
run = threading.Thread.run

def told(self):
    if self.name != "drawing":
        return run(self)
    print("drawing begins", flush=True)
    try:
        run(self)
    finally:
        print("drawing ends", flush=True)

threading.Thread.run = told
exec(compile(sys.argv[1], "app.py", "exec"))
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """`(url, lines)`: where the app of docs/demo.md is served, and the lines that it prints."""
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    text = (ROOT / "docs" / "demo.md").read_text("utf-8")
    (code,) = re.findall(r"^```\n(from keras_t2i\.demo.*?)^```$", text, re.MULTILINE | re.DOTALL)
    folder = tmp_path_factory.mktemp("served")
    places = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_TEMP_DIR": str(folder / "temporary")}
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", APP, code],
            cwd=folder,
            env={**os.environ, **places, **path},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    lines, there = [], threading.Event()

    def read():
        for line in process.stdout:
            lines.append(line)
            if "The page is at" in line:
                there.set()
        there.set()

    threading.Thread(target=read, daemon=True).start()
    try:
        there.wait(10 * PATIENCE)
        found = re.search(r"http://127\.0\.0\.1:\d+", "".join(lines))
        assert found, (folder / "errors").read_text("utf-8", "replace")[-3000:]
        yield found[0], lines
        assert {path.name for path in folder.iterdir()} <= {"errors", "temporary"}
    finally:
        process.kill()
        process.wait()


def test_the_app_of_the_documentation_is_served(app):
    url, lines = app
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        assert b"keras_t2i" in answer.read()
    assert "asked:" not in "".join(lines)


def opened(browser, url):
    """The page, with words in it, and the list of what it asks for."""
    page, requested = browser.new_page(accept_downloads=True), []
    page.set_default_timeout(1000 * PATIENCE)
    page.set_default_navigation_timeout(1000 * PATIENCE)
    page.on("request", lambda request: requested.append(request.url))
    page.goto(url)
    page.fill("#prompt :is(input, textarea)", "a green apple")
    return page, requested


def test_words_a_picture_another_seed_and_a_file(app, browser, tmp_path):
    url, lines = app
    page, requested = opened(browser, url)
    sources, presets = [], Presets()
    generator = presets.open(presets.names[0])  # which the page begins with
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
        download.value.save_as(tmp_path / "apple.png")
        found = np.asarray(Image.open(tmp_path / "apple.png")).astype(int)
        expected = generator.generate("a green apple", seed=seed, size=512)
        assert found.shape == (512, 512, 3) and np.abs(found - expected).max() <= 1
    assert sources[0] != sources[1]
    page.get_by_role("tab", name="Variations").click()
    page.wait_for_selector("#no-variations:has-text('draws from words alone')")
    assert {one for one in requested if not one.startswith((url, "data:", "blob:"))} == set()
    assert "asked:" not in "".join(lines)


def test_a_large_picture_that_is_stopped_ends_and_the_next_is_drawn(app, browser):
    url, lines = app
    page, _ = opened(browser, url)
    before = len(lines)

    def choose(what, option):
        page.click(f"{what} input")
        page.get_by_role("option", name=option, exact=True).click()

    def wait_for(event, times):
        patience = time.monotonic() + PATIENCE
        while sum(event in line for line in lines[before:]) < times:
            assert time.monotonic() < patience, lines
            page.wait_for_timeout(50)

    choose("#preset", "generator_openmoji_32")  # in one step: what takes long is to draw it large
    choose("#size", "4096")
    page.click("#draw")
    wait_for("drawing begins", 1)
    page.wait_for_timeout(2000)
    page.click("#stop")
    wait_for("drawing ends", 1)
    assert "4096 pixels" not in page.inner_text("#told") and page.is_disabled("#png")
    choose("#size", "32")
    page.click("#draw")
    wait_for("drawing begins", 2)
    page.wait_for_function("document.querySelector('#told').innerText.includes(' 32 pixels')")
    wait_for("drawing ends", 2)
    assert "4096 pixels" not in page.inner_text("#told")
