"""The static page in Chromium: what it draws is what `keras_t2i_runtime` draws, and no request leaves it.

Needs Node, playwright, Chromium, and `npm install` in browser/.
"""

import functools
import http.server
import shutil
import subprocess
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from tiny import tiny_generator
from tiny_diffusion import tiny_unclip_generator
from tiny_renderer import tiny_stage

from keras_t2i.export import export_generator
from keras_t2i_runtime import Runtime

BACKEND = keras.config.backend()
pytestmark = pytest.mark.skipif(BACKEND != "tensorflow", reason="its exporter is the faster one")

PAGE = Path(__file__).parents[2] / "browser"
PATIENCE = 120_000  # milliseconds; what it waits for takes two seconds where nothing else runs
DRAFT = {"draft_features": 30, "draft_components": 8}
OTHER = "(url) => fetch(url).then(() => 'answered', () => 'refused')"


class Server(http.server.ThreadingHTTPServer):
    """A file server as Python has it, that keeps what it was asked for."""

    def __init__(self, folder):
        self.asked = asked = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, form, *arguments):
                asked.append(self.path)

        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}/"


@pytest.fixture
def serve():
    servers = []

    def start(folder):
        servers.append(Server(folder))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def build():
    """A function of a generator and a folder to a `Runtime`, and the folder of its page."""
    for name in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(name)
    if shutil.which("node") is None:
        pytest.skip("Node is not installed")
    if not (PAGE / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("onnxruntime-web is not installed: npm install in browser/")

    def built(generator, folder, renderer=None):
        runtime = Runtime.open(export_generator(generator, folder / "exported", renderer, most_steps=3))
        command = [shutil.which("node"), str(PAGE / "build.js"), folder / "exported", folder / "site"]
        subprocess.run(command, check=True, capture_output=True)
        return runtime, folder / "site"

    return built


def opened(browser, url):
    """A page that is ready, and the addresses that it and its workers ask for."""
    page, requested = browser.new_context(accept_downloads=True).new_page(), []
    page.set_default_timeout(PATIENCE)
    page.context.on("request", lambda request: requested.append(request.url))
    page.goto(url)
    page.wait_for_selector("#told:text('Ready')")
    return page, requested


def drawn(page, file, **settings):
    """The picture that the page saves, int `(n, n, 3)`, and the name that it gives it."""
    for name, value in settings.items():
        page.fill(f"#{name}", str(value))
    page.click("#draw")  # the page's policy lets no string be run: what is waited for is an element
    page.wait_for_selector("#draw:enabled")
    assert page.inner_text("#told").startswith(f"Seed {settings['seed']}, ")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(file)
    return np.asarray(Image.open(file).convert("RGB")).astype(int), download.value.suggested_filename


def test_the_page_draws_what_python_draws_and_asks_no_one(build, browser, serve, tmp_path):
    generator = tiny_unclip_generator(sizes=DRAFT, parameterization="x0")
    generator.base.unet.get_layer("draft_variance").curve.assign([0.05, 0.2, 0.7, 0.1])
    runtime, site = build(generator, tmp_path, tiny_stage())
    (tmp_path / "other").mkdir()
    server, other = serve(site), serve(tmp_path / "other")
    page, requested = opened(browser, server.url)
    for size, seed, scale in ((1024, 3, 3.0), (50, 2**63, 1.0)):
        options = {"seed": seed, "num_steps": 3, "guidance_scale": scale, "size": size}
        found, name = drawn(page, tmp_path / "apple.png", words="A green-apple!", **options)
        wanted = runtime.generate("A green-apple!", **options)
        assert found.shape == wanted.shape and name == f"A-green-apple--{seed}.png"
        assert np.abs(found - wanted).max() <= 2 and wanted.std() > 10
    page.fill("#words", " \t")
    page.click("#draw")
    page.wait_for_selector("#told:text('There are no words')")
    asked = {one.removeprefix(server.url) for one in requested if not one.startswith(("blob:", "data:"))}
    assert {
        "src/page.js",
        "src/worker.js",
        "ort/ort.wasm",
        "model/draft.onnx",
        "model/prior.onnx",
    } <= asked  # workers' too
    assert not any(one.startswith("http") for one in asked)
    assert {path.lstrip("/") for path in server.asked} == asked
    (worker,) = page.workers
    assert [one.evaluate(OTHER, other.url) for one in (page, worker)] == ["refused", "refused"]
    assert other.asked == []


def test_a_page_of_one_pass_and_one_with_a_file_missing(build, browser, serve, tmp_path):
    runtime, site = build(tiny_generator(), tmp_path)
    server = serve(site)
    page, _ = opened(browser, server.url)
    assert page.is_visible("#temperature") and not page.is_visible("#size, #num_steps")
    found, _ = drawn(page, tmp_path / "apple.png", words="a red apple", seed=4, temperature=0.5)
    wanted = runtime.generate("a red apple", seed=4, temperature=0.5)
    assert found.shape == wanted.shape and np.abs(found - wanted).max() <= 2
    (site / "model" / "base.onnx").unlink()
    page = browser.new_page()  # another visitor, whose browser keeps no files of the first one
    page.set_default_timeout(PATIENCE)
    page.goto(server.url)
    page.wait_for_selector("#told:text('model/base.onnx is missing on the server')")
