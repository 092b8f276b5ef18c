"""Recipes by name, a folder of captioned pictures, and smoke runs that tests share."""

import importlib
import itertools

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def recipe():
    """A function of a recipe's name to its `main`: `recipes/` is on pytest's path, as for a script there."""
    return lambda name: importlib.import_module(name).main


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """24 pictures: a disc, square or bar of two colors and four places, each beside its captions."""
    folder = tmp_path_factory.mktemp("pictures")
    colors, places = {"red": (200, 0, 0), "blue": (0, 0, 200)}, ["top left", "top right", "left", "right"]
    rows, columns = np.mgrid[:16, :16] - 7.5
    shapes = {
        "disc": rows**2 + columns**2 < 40,
        "square": abs(rows) + 0 * columns < 6,
        "bar": abs(columns) < 2,
    }
    for (color, rgb), (shape, inside), place in itertools.product(colors.items(), shapes.items(), places):
        picture = np.full((40, 40, 3), 255, dtype="uint8")
        top, left = (0 if "top" in place else 20), (0 if "left" in place else 20)
        picture[top : top + 16, left : left + 16][inside] = rgb
        name = f"{color} {shape} {place}"
        Image.fromarray(picture).save(folder / f"{name}.png")
        (folder / f"{name}.txt").write_text(f"a {name}\na {shape} that is {color}, {place}\n")
    return folder


@pytest.fixture(scope="session")
def run(recipe, folder, tmp_path_factory):
    """A function that runs a recipe, `--smoke`, once for all tests; the folder of its run."""
    runs, done = tmp_path_factory.mktemp("runs"), {}

    def run(name, *options, **changes):
        key = (name, options, *changes.items())
        output = done.setdefault(key, runs / f"{len(done)} {name}")
        if not output.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("KERAS_T2I_CACHE", str(runs / "cache"))
                command = ["--smoke", "--data", str(folder), "--output", str(output), *options]
                recipe(name)(command, **changes)
        return output

    return run


@pytest.fixture(scope="session")
def presets(run):
    """The presets of lessons 1 and 2."""
    return str(run("train_autoencoder") / "preset"), str(run("train_concepts") / "preset")


@pytest.fixture(scope="session")
def decoder(run, presets):
    """The folder of lesson 3's run."""
    autoencoder, dual_encoder = presets
    return run("train_decoder", "--dual-encoder", dual_encoder, "--outside", autoencoder)
