"""The page's JavaScript computes what Python computes: run by Node, where it is installed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_preprocessor
from tiny_diffusion import tiny_diffusion_generator
from tiny_diffusion import tiny_unclip_generator
from tiny_renderer import waves

from keras_t2i.export.folder import prior_settings
from keras_t2i.export.schedules import schedule
from keras_t2i_runtime.captions import Tokenizer
from keras_t2i_runtime.diffusion import diffuse
from keras_t2i_runtime.diffusion import image_codes
from keras_t2i_runtime.drawing import Drawer
from keras_t2i_runtime.random_streams import hash_purpose
from keras_t2i_runtime.random_streams import random_stream
from keras_t2i_runtime.smoothing import smoothed
from keras_t2i_runtime.tiling import blocks
from keras_t2i_runtime.tiling import framed_bands

pytestmark = pytest.mark.once
TESTS = Path(__file__).parents[2] / "browser" / "test" / "numbers.test.js"
STRANGE = [
    "a red apple",
    "A  Red-APPLE, half-past five",
    "\ufeffnaïve\x1f\N{GREEN APPLE} ﬁne\x85ＡＢ İstanbul ΟΔΟΣ",
    "x\N{EN DASH}y e\u0301\N{HYPHEN}e \u0301-e _-1 ½-² $5 it’s (a)'b'",
    "aaaa a aaaaaaa reded appleapple",
    "past b, past y",
    "हिन्दी <pad> \x00",
]
NEAREST = {
    "reded": "car",
    "ΟΔΟΣ".lower(): "five",
    "past": "half past",
    "x": "x mark",
    "y": "x and y",
    "b": "a b",
}
SETTINGS = {"with_text": True, "image_code": False, "threshold": 0.9, "smoothing": 0.2}


def normal(seed, purpose, n, index=0):
    numbers = random_stream(seed, purpose, index).standard_normal(n, dtype="float32")
    told = {"seed": str(seed), "purpose": str(hash_purpose(purpose)), "index": str(index)}
    return {**told, "numbers": numbers.tolist()}


def smoothing():
    image = random_stream(0, "fills").uniform(-1, 1, (1, 20, 20, 3)).astype("float32")
    found = {str(color): smoothed(image, color).ravel().tolist() for color in (0.0, 0.3)}
    return {"image": image.ravel().tolist(), "smoothed": found}


def captions(folder):
    tiny_preprocessor().tokenizer.with_nearest_words(NEAREST).save_assets(str(folder))
    ids = Tokenizer(folder, 64)(STRANGE)
    return [{"caption": c, "ids": row.tolist()} for c, row in zip(STRANGE, ids, strict=True)]


def diffusion():
    def network(inputs):
        waves = np.tanh(inputs["images"]) * np.cos(inputs["log_snr"].clip(-20, 20))[:, None, None, None]
        return waves + (0.3 * inputs["condition_mask"] * inputs["draft"][:, 0])[:, None, None, None]

    steps = schedule(tiny_diffusion_generator().base, 4)
    noise = random_stream(0, "noise").standard_normal((1, 4, 4, 3), dtype="float32")
    text, draft = {"code": np.float32([[0.4]])}, lambda inputs: {"draft": 2 * inputs["code"]}
    drawn = {s: diffuse(network, text, noise, steps, s, SETTINGS, draft).ravel().tolist() for s in (1.0, 2.5)}
    return {"noise": noise.ravel().tolist(), "schedule": steps, "settings": SETTINGS, "drawn": drawn}


def prior(scale):
    def network(inputs):
        waves = np.tanh(inputs["codes"]) * np.cos(inputs["log_snr"].clip(-20, 20))[:, None]
        return waves + 3 * inputs["condition_mask"][:, None] * inputs["text_code"]

    settings = {**prior_settings(tiny_unclip_generator().stage("image_embedding")), "guidance_scale": scale}
    settings |= {"mean": np.linspace(-0.1, 0.2, 32).tolist(), "spread": np.linspace(0.5, 1.5, 32).tolist()}
    code = np.float32([[1 / 32**0.5] * 32])
    noise = np.stack(
        [random_stream(0, "prior", i).standard_normal((1, 32), dtype="float32") for i in range(3)], 1
    )
    drawn = image_codes(network, code, noise, settings)
    told = {"settings": settings, "code": code[0].tolist(), "noises": noise[0].tolist()}
    return {**told, "drawn": drawn[0].tolist()}


def drawing(side, size, slots, nodes, with_fields=True):
    def field(images, level, n, channels):
        near = images[0].repeat(n, axis=0).repeat(n, axis=1)
        rows, columns, _ = near.shape
        place = np.arange(rows * columns).reshape(rows, columns, 1) // 3
        channel = np.arange(channels)
        return np.take_along_axis(near, (channel + place) % 3, axis=2) + np.float32(level) * channel

    def network(inputs):
        sizes = {"logits": slots, "colors": 4 * slots}
        return {
            name: field(inputs["images"], inputs["noise_level"][0], nodes[name], channels)[None]
            for name, channels in sizes.items()
        }

    image, drawer = waves(side, side), Drawer(network, slots, nodes)
    bands, place = drawer.placed_bands(image, size, size, 0.25)
    pixels = np.concatenate(list(framed_bands(bands, place, size, size, (255, 255, 255))))
    told = {"slots": slots, "nodes": nodes, "noise_level": 0.25}
    found = {"side": side, "size": size, "told": told, "image": image.ravel().tolist()}
    if with_fields:  # as they are where the side is no multiple of 4
        found |= {name: values.ravel().tolist() for name, values in drawer.fields(image, 0.25).items()}
    return {**found, "pixels": pixels.ravel().tolist()}


def windows(side):
    pairs = [[[s.start, s.stop] for s in pair] for pair in blocks(side)]
    return {"side": side, "seen": [seen for seen, _ in pairs], "own": [own for _, own in pairs]}


@pytest.fixture(scope="module")
def node():
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(said.lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"Node is {said.strip()}, the page's tests need 20")
    return found


def test_a_page_of_another_format_is_refused(node, tmp_path):
    (tmp_path / "settings.json").write_text('{"format": 1, "files": "litert"}')
    command = [node, str(TESTS.parents[1] / "build.js"), str(tmp_path), str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (
        done.returncode == 2 and "holds litert, a page draws ONNX: export with --format onnx" in done.stderr
    )


def test_javascript_computes_the_same(node, tmp_path):
    drawings = [
        drawing(8, 8, 2, {"logits": 2, "colors": 1}),
        drawing(10, 77, 3, {"logits": 4, "colors": 2}, with_fields=False),
        drawing(132, 140, 1, {"logits": 1, "colors": 1}),
    ]
    numbers = {
        "normal": [
            normal(0, "picture", 100_000),
            normal(7, "picture", 9),
            normal(2**64 - 1, "noise", 50_000, 2**64 - 2),
        ],
        "captions": captions(tmp_path),
        "diffusion": diffusion(),
        "smoothing": smoothing(),
        "priors": [prior(scale) for scale in (1.0, 2.0)],
        "blocks": [windows(side) for side in (8, 112, 116, 192, 256)],
        "drawings": drawings,
    }
    (tmp_path / "numbers.json").write_text(json.dumps(numbers), encoding="utf-8")
    environment = {**os.environ, "KERAS_T2I_NUMBERS": str(tmp_path)}
    command = [node, "--test", "--test-reporter=tap", str(TESTS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "# pass 7" in done.stdout and "# skipped 0" in done.stdout
