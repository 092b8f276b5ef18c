"""The command keras-t2i: every recipe is in it, and what it says of them is what they say."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_generator

import keras_t2i_cli as cli
from keras_t2i.models import Generator

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def same_command_line(monkeypatch):
    """A recipe is run with another sys.argv and sys.path."""
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_every_recipe_is_a_command(capsys):
    assert cli.main([]) == 0
    text = capsys.readouterr().out
    pages = {file.name for file in (ROOT / "recipes").glob("*.py")}
    shared = {"common.py", "command_line.py", "opening.py"}
    assert {*cli.COMMANDS.values(), *cli.lessons().values()} == pages - shared
    for name, file in {**cli.COMMANDS, **cli.lessons()}.items():
        assert name in text and cli.summary(file) in text


def test_the_list_of_commands_needs_no_keras():
    code = (
        "import sys, keras_t2i_cli; keras_t2i_cli.main(['--help']); keras_t2i_cli.main(['presets']); "
        "assert not {'keras', 'keras_t2i', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in Generator.presets:
        assert name in done.stdout


def test_generate_draws_what_the_generator_draws(tmp_path, capsys):
    generator = tiny_generator()
    generator.save_to_preset(tmp_path / "preset")
    file = tmp_path / "a.png"
    options = ["--preset", str(tmp_path / "preset"), "--seed", "3", "--scale", "1", "--output", str(file)]
    assert cli.main(["generate", "a red apple", *options]) == 0
    np.testing.assert_array_equal(np.asarray(Image.open(file)), generator.generate("a red apple", seed=3))
    with pytest.raises(SystemExit) as stopped:
        cli.main(["generate", "  ", *options])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("keras-t2i generate: error: ")


def test_a_lesson_is_trained_by_its_name(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", "latent-diffusion", "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: keras-t2i train latent-diffusion") and "--minutes" in text


def test_a_folder_is_trained_on(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", str(tmp_path), "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: keras-t2i train ") and "--image-size" in text
    assert "  train FOLDER  " in cli.usage()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["draw"], "there is no command 'draw': there are generate"),
        (["train"], "which lesson, or folder? There are autoencoder"),
        (["train", "--log", "csv", "gan"], "the lesson, or your folder, comes first, then --log: There are"),
        (["train", "gam"], "there is no lesson and no folder 'gam': There are autoencoder"),
    ],
)
def test_what_is_not_known_is_said(arguments, said, capsys):
    assert cli.main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["{}"],
        ["train", "{}"],
        ["train", "~{}"],
        ["presets", "{}"],
        ["doctor", "--backends", "{}"],
        ["generate"],
    ],
)
def test_a_mistake_is_one_short_line_however_long_it_is(arguments, capsys):
    words = [word.format("a \x1b[31m" * 10_000) for word in arguments]
    try:
        assert cli.main(words) == 2
    except SystemExit as stopped:
        assert stopped.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("keras-t2i") and len(last) < 800 and "\x1b" not in last


def test_doctor_says_what_is_missing_and_what_does_not_work(monkeypatch, capsys):
    find, fixed = cli.importlib.util.find_spec, {"jax": None, "torch": True}
    monkeypatch.setattr(
        cli.importlib.util, "find_spec", lambda name: fixed[name] if name in fixed else find(name)
    )
    monkeypatch.setattr(cli, "PROBE", "import sys; sys.exit('no such device')")
    assert cli.main(["doctor", "--backends", "jax", "torch"]) == 1
    text = capsys.readouterr().out
    assert 'jax: not installed: pip install "keras-t2i[jax]"' in text
    assert "torch: does not work: no such device" in text
    monkeypatch.setattr(cli, "PROBE", """print('{"opened": 4.4, "drawn": 0.52, "devices": ["cpu:0"]}')""")
    assert cli.main(["doctor", "--backends", "torch"]) == 0
    assert "torch: works, on cpu:0; 4 s to open a preset, 0.5 s a picture" in capsys.readouterr().out


def test_the_wheel_has_the_command_and_the_recipes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"keras-t2i": "keras_t2i_cli:main"}
    assert set(cli.BACKENDS) - {"tensorflow"} <= set(project["project"]["optional-dependencies"])
    assert '"keras_t2i.recipes": "recipes"' in (ROOT / "setup.py").read_text(encoding="utf-8")
