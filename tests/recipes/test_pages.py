"""A recipe is a page: short, with few options of its own, and each option explained."""

import argparse
import re
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"
SHARED = {"common", "command_line", "opening"}  # by the pages
PAGES = sorted(file.stem for file in RECIPES.glob("*.py") if file.stem not in SHARED)
TRAINING = [name for name in PAGES if name.startswith("train_")]
COMMON = {
    *("data", "output", "minutes", "epochs", "batch-size", "learning-rate", "precision", "accumulate"),
    *("seed", "log", "restart", "smoke", "help", "distribute"),
}


def options(recipe, name, monkeypatch):
    """The options of a recipe that `--help` shows, those of `COMMON` too."""

    class FoundError(Exception):
        pass

    def stop(parser, *args):
        raise FoundError(parser)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
    with pytest.raises(FoundError) as found:
        recipe(name)([])
    actions = found.value.args[0]._actions
    return {a.option_strings[-1][2:] for a in actions if a.option_strings and a.help != argparse.SUPPRESS}


@pytest.mark.parametrize("name", PAGES)
def test_a_recipe_is_a_page(name):
    lines = (RECIPES / f"{name}.py").read_text("utf-8").splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 110 and lines[0].startswith('"""')


def test_every_recipe_is_named_by_the_test_of_its_kind():
    assert len(PAGES) == 22 and len(TRAINING) == 14


@pytest.mark.parametrize("name", TRAINING)
def test_a_recipe_has_few_options_of_its_own(name, recipe, monkeypatch):
    found = options(recipe, name, monkeypatch)
    assert found >= COMMON and len(found - COMMON) <= 6


@pytest.mark.parametrize("name", [*TRAINING, "train", "prepare_data", "evaluate", "generate", "push", "demo"])
def test_help_names_every_default(name, recipe, capsys):
    with pytest.raises(SystemExit):
        recipe(name)(["--help"])
    text = capsys.readouterr().out
    options = re.split(r"\n  (?=-)", text.split("options:")[1].split("\n\nExample:")[0])
    options = [" ".join(option.split()) for option in options if "--help" not in option]
    assert len(options) > 3
    assert [option for option in options[1:] if "(default:" not in option] == []


@pytest.mark.parametrize(
    "name, option, instead",
    [
        ("train_diffusion", "--prediction v", "--prediction went: it is DEFAULTS' parameterization"),
        ("train_diffusion", "--space latent", "--space went: run recipes/train_latent_diffusion.py"),
        ("train_diffusion", "--condition image_code", "run recipes/train_image_decoder.py"),
        ("train_diffusion", "--no-whiten", "--no-whiten went: change DEFAULTS' adapt"),
        ("train_diffusion", "--guide-at 0.5", "snapshots.reconstruct"),
        ("train_diffusion", "--caption-dropout 0.5", "change DEFAULTS in recipes/train_diffusion.py"),
        ("train_concepts", "--image-filters 8 16", "change DEFAULTS in recipes/train_concepts.py"),
        ("train_gan", "--pixel-weight 0", "change DEFAULTS in recipes/train_gan.py"),
        ("train_prior", "--guidance 2", "--guidance went: change DEFAULTS' guidance_scale"),
    ],
)
def test_an_option_that_went_says_what_replaces_it(name, option, instead, recipe, capsys):
    with pytest.raises(SystemExit) as left:
        recipe(name)(option.split())
    assert left.value.code == 2 and instead in capsys.readouterr().err
