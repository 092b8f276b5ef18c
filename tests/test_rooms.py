"""Imports run one way: which floor of the house may use which, read from the files without importing them."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What each room may import besides itself. Everything may import `utils`.
MAY_IMPORT = {
    "utils": set(),
    "presets": set(),
    "diffusion": set(),
    "layers": set(),
    "data": set(),
    "models": {"layers", "diffusion", "presets"},
    "training": {"models", "layers", "diffusion", "presets", "data"},
    "objectives": {"training", "models", "layers", "diffusion", "presets", "data"},
    "evaluation": {"training", "models", "layers", "diffusion", "presets", "data"},
    "export": {"models", "layers", "diffusion", "presets"},
    "cli": {
        "objectives",
        "evaluation",
        "training",
        "models",
        "layers",
        "diffusion",
        "presets",
        "data",
        "export",
    },
}
BACKENDS = {"tensorflow", "jax", "torch"}
# Files that name a backend. A data set may use TensorFlow Datasets, which is a package of its own.
BACKEND_FILES = {"keras_t2i/training/backend.py", "keras_t2i/layers/native.py"}
# What does not keep to the plan yet, and why: (importing file, imported module).
EXCEPTIONS = set()


def imports(file):
    """Names of all modules that a file imports, within functions too; `from a import b` is a and a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = {
    str(file.relative_to(ROOT)): set(imports(file)) for file in sorted((ROOT / "keras_t2i").rglob("*.py"))
}
MODULES = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in FILES}


def room(path):
    """The room of a file, such as "data"; "" for those of no room."""
    return path.split("/")[1] if path.count("/") > 1 else ""


def test_rooms_import_those_below_them():
    wrong = {
        (path, name)
        for path, names in FILES.items()
        for name in names & set(MODULES)
        if room(path) and room(MODULES[name]) not in MAY_IMPORT[room(path)] | {room(path), "utils"}
    }
    assert wrong == EXCEPTIONS


def test_modules_import_each_other_in_no_circle():
    # An `__init__` only hands names on: who imports it means the modules behind it, which count themselves.
    graph = {
        name: {other for other in FILES[path] & set(MODULES) if not MODULES[other].endswith("__init__.py")}
        - {name}
        for name, path in MODULES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, and names the circle


def test_backends_and_internals_of_others_are_named_where_they_may_be():
    for path, names in FILES.items():
        if path not in BACKEND_FILES:
            assert not {name.split(".")[0] for name in names} & BACKENDS, path
        if room(path) != "presets":
            assert not any(name.startswith(("keras.src", "keras_hub.src")) for name in names), path
