"""Public functions say what they take and give; `tests/typing/typed_use.py` is for a type checker."""

import inspect
import tomllib
import typing
from pathlib import Path

import pytest

from keras_t2i import data
from keras_t2i.evaluation.candidate import Candidate
from keras_t2i.evaluation.evaluate import Evaluation
from keras_t2i.evaluation.prompt_sets import load_prompt_sets
from keras_t2i.models import Backbone
from keras_t2i.models import Generator
from keras_t2i.models import TextToImagePreprocessor
from keras_t2i.presets.hub import push_preset

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[1]
OF_KERAS = {"build", "call", "get_config"}  # methods that Keras names, and calls


def methods(cls):
    """The public methods and properties that a class itself has, and its making."""
    for name, found in vars(cls).items():
        function = getattr(found, "fget", None) or getattr(found, "__func__", found)
        if inspect.isfunction(function) and name not in OF_KERAS and (name[0] != "_" or name == "__init__"):
            yield function


FUNCTIONS = [
    *methods(Generator),
    *methods(TextToImagePreprocessor),
    *(Backbone.from_preset.__func__, Backbone.save_to_preset),
    *(Candidate.__init__, Evaluation.__init__, Evaluation.evaluate, load_prompt_sets, push_preset),
    *(data.load, data.load_openmoji, data.load_emoji, data.load_captioned_folder, data.prepare_shards),
    *(data.concept_shares, data.Pipeline.__init__, data.Pipeline.batch),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_every_argument_has_a_type(function):
    known = typing.get_type_hints(function)  # raises where a name in it does not exist
    wanted = {name for name in inspect.signature(function).parameters if name not in ("self", "cls")}
    assert wanted | {"return"} <= known.keys()


def test_options_that_are_handed_on_are_those_of_generate():
    from keras_t2i.models import options

    wanted = set(inspect.signature(Generator.generate).parameters) - {"self", "inputs", "output"}
    assert typing.get_type_hints(options.GenerateOptions).keys() == wanted
    sent = set(inspect.signature(push_preset).parameters) - {"preset", "repo"}
    assert typing.get_type_hints(options.HubOptions).keys() == sent


def test_the_wheel_says_that_it_has_types():
    assert (ROOT / "keras_t2i" / "py.typed").exists()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["package-data"]["keras_t2i"] == ["py.typed"]
