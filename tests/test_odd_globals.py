"""Keras' global data format and dtypes (keras.json) change nothing that a network does by itself."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import keras
import keras_hub
import numpy as np
import pytest
import record
from every_objective import BESIDE
from every_objective import OF_WINDOWS
from every_objective import TRAININGS
from odd_globals import ODD
from odd_globals import close
from odd_globals import step_of
from odd_globals import under

from keras_t2i import objectives
from keras_t2i.models import Generator
from keras_t2i.presets.registry import PACKAGED
from keras_t2i.training.objective import Objective

FOLDER = Path(__file__).parents[1] / "keras_t2i"
PRESETS = sorted(folder.name for folder in PACKAGED.iterdir() if (folder / "config.json").exists())
FLOATX = ("floatx float16", "floatx float64")
# Only torch, which compiles nothing, is asked under all globals: the others take seconds for each.
COMPILES = keras.config.backend() != "torch"


def opened(name):
    """What a packaged preset makes of the same input: a list of arrays."""
    if (PACKAGED / name / "task.json").exists():
        generator = Generator.from_preset(name)
        steps = {"num_steps": 1} if generator.support_negative_prompts else {}
        return [generator.generate("a red apple", seed=1, **steps)]
    network = keras_hub.models.Backbone.from_preset(name)
    random = np.random.Generator(np.random.Philox(0))
    structure = keras.tree.map_structure(lambda tensor: made_up(tensor, random), network.input)
    return [np.asarray(output) for output in keras.tree.flatten(network.predict_on_batch(structure))]


def made_up(tensor, random):
    shape = [1, *(side or 16 for side in tensor.shape[1:])]
    if "int" in tensor.dtype:
        return random.integers(1, 50, shape).astype("int32")
    return random.uniform(-1, 1, shape).astype("float32")


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name):
    expected = opened(name)
    small = name == "dual_encoder_openmoji_32"
    for odd in ODD if small else FLOATX[: 1 if COMPILES else 2]:
        *globals_, part = ODD[odd]
        close(under(globals_, opened, name), expected, part)


def trained(name):
    """The loss and other metrics after one step, and how far weights moved."""
    keras.utils.set_random_seed(1)
    objective = TRAININGS[name]()
    rates = [keras.optimizers.SGD(0.015625, name=n) for n in ("one", "other")]
    eagerly = keras.config.backend() == "tensorflow"
    objective.compile(*rates[: 1 + hasattr(objective, "discriminator")], run_eagerly=eagerly)
    return step_of(objective, record.tiny_pipeline(**BESIDE.get(name, {})))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.not_on_jax] * ("tuning" in name)) for name in TRAININGS]
)
def test_a_training_step(name):
    expected = trained(name)
    for odd in FLOATX[: 1 if COMPILES and name != "prior" else 2]:
        *globals_, _ = ODD[odd]
        close(under(globals_, trained, name), expected, 1e-5)


@pytest.mark.once
def test_every_objective_is_trained():
    found = {}
    for module in pkgutil.iter_modules(objectives.__path__):
        found |= vars(importlib.import_module(f"{objectives.__name__}.{module.name}"))
    kinds = [one for one in found.values() if inspect.isclass(one) and issubclass(one, Objective)]
    stored = {kind.__name__ for kind in kinds if "keras_t2i>" in keras.saving.get_registered_name(kind)}
    assert {type(make()).__name__ for make in (TRAININGS | OF_WINDOWS).values()} == stored
    for name in OF_WINDOWS:
        file = Path(__file__).parent / "objectives" / f"test_{name}.py"
        assert "changes_no_step(odd" in file.read_text(encoding="utf-8")


def calls():
    """Every call of what is Keras' or a layer: (place, what is called, names of its arguments)."""
    for file in sorted(FOLDER.rglob("*.py")):
        parts = file.relative_to(FOLDER.parent).with_suffix("").parts
        if "packaged" in parts:
            continue
        module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (called := value_of(node.func, module)) is not None:
                yield f"{file.name}:{node.lineno}", called, given(node, called)


def value_of(node, module):
    """What a dotted name stands for, if it is of Keras, or a layer."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    value = vars(module).get(node.id)
    for name in reversed(names):
        value = getattr(value, name, None)
    is_layer = inspect.isclass(value) and issubclass(value, keras.layers.Layer)
    return value if is_layer or (getattr(value, "__module__", "") or "").startswith("keras.") else None


def given(node, called):
    """Names of the arguments of a call; "**" where there may be more."""
    names = {keyword.arg or "**" for keyword in node.keywords}
    try:
        parameters = list(inspect.signature(called).parameters)
    except (TypeError, ValueError):
        return names
    return names | set(parameters[: len(node.args)])


CREATES = {"ones", "zeros", "full", "eye", "arange", "linspace", "one_hot", "identity", "array"}
RANDOM = {"uniform", "normal", "randint", "truncated_normal", "gamma", "beta"}


def test_data_format_and_dtype_are_given_everywhere():
    missing = []
    for place, called, names in calls():
        is_class = inspect.isclass(called)
        is_model = is_class and issubclass(called, keras.Model | keras_hub.tokenizers.Tokenizer)
        is_layer = is_class and issubclass(called, keras.layers.Layer | keras.metrics.Metric)
        name = getattr(called, "__name__", "")
        parameters = inspect.signature(called).parameters if callable(called) else {}
        needs = {"data_format"} & set(parameters)
        own = is_class and called.__module__.startswith("keras_t2i")  # these have channels last by themselves
        needs = set() if own or "**" in names else needs
        if (is_layer and not is_model) or name in CREATES | RANDOM or called is keras.Input:
            takes = "dtype" in parameters or "kwargs" in parameters
            needs |= {"dtype"} if takes and "**" not in names else set()
        if needs - names:
            missing.append(f"{place}: {name} without {', '.join(sorted(needs - names))}")
    assert not missing, "\n".join(missing)
