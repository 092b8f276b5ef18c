"""The example in the format of keras.io: it needs Keras and NumPy alone, runs at smoke size, and draws."""

import ast
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "keras_io" / "text_to_image_from_scratch.py"
SMOKE = {
    **{"NUM_PICTURES": 64, "BATCH_SIZE": 16, "NUM_STEPS": 3, "LARGE_SIZE": 40},
    **{"CONCEPT_EPOCHS": 3, "DIFFUSION_EPOCHS": 2, "RENDERER_EPOCHS": 2},
}


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The names that the example leaves behind, run with smaller constants."""
    text = EXAMPLE.read_text("utf-8")
    for name, value in SMOKE.items():
        text, count = re.subn(rf"^{name} = \d+", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1
    small = tmp_path_factory.mktemp("example") / EXAMPLE.name
    small.write_text(text, "utf-8")
    return runpy.run_path(str(small))


def test_it_draws_and_learns(example):
    for pictures, size in ((example["drawings"], 32), (example["final"], 40)):
        assert pictures.shape[1:] == (size, size, 3)
        assert np.isfinite(pictures).all()
    assert len(example["drawings"]) == len(example["HELD_OUT"])
    assert not {*example["kinds"]} & {*example["HELD_OUT"]}
    for name in ("dual_encoder", "diffusion", "renderer"):
        first, *_, last = example[name].history.history["loss"]
        assert last < first, name


def test_concepts_and_drawings_are_of_their_captions(example):
    concepts = example["concepts"]
    np.testing.assert_allclose(np.linalg.norm(concepts, axis=-1), 1, atol=1e-5)
    one, other = example["diffusion"].generate(concepts[[0, -1]]), example["diffusion"].generate(concepts[:1])
    np.testing.assert_allclose(one[:1], other, atol=1e-4)  # a picture does not depend on its batch
    assert example["nearest"](np.stack([example["draw"](kind) for kind in (3, 77)]), np.array([3, 77])) == 1


def test_true_pictures_are_the_same_at_every_size(example):
    for kind in range(0, 240, 7):
        large = example["draw"](kind, scale=4.0).reshape(32, 4, 32, 4, 3).mean((1, 3))
        assert np.sqrt(np.mean((large - example["draw"](kind)) ** 2)) < 0.05  # the range is 2


def test_splines_keep_lines(example):
    """Nodes on a line: what is read between them lies on it; cubic B-splines reproduce it exactly."""
    places = np.linspace(2.5, 29.5, 50).astype("float32")
    weights = example["ops"].convert_to_numpy(example["spline"](places[None]))[0]
    np.testing.assert_allclose(weights @ (np.arange(32) + 0.5), places, atol=1e-4)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


@pytest.mark.once
def test_it_has_the_format_of_keras_io():
    text = EXAMPLE.read_text("utf-8")
    tree = ast.parse(text)
    keys = [line.split(":")[0] for line in ast.get_docstring(tree).splitlines()]
    assert keys == ["Title", "Author", "Date created", "Last modified", "Description", "Accelerator"]
    assert len(text.splitlines()) < 300
    names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert names == {"itertools", "keras", "numpy"}
