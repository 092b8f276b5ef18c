"""Imports run one way: which room of the house may use which, read from the files without importing them."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What each room may import besides itself and `utils`.
BELOW_TRAINING = {"models", "layers", "diffusion", "presets"}
MAY_IMPORT = {
    "utils": set(),
    "presets": set(),
    "diffusion": set(),
    "layers": set(),
    "data": set(),
    "models": {"layers", "diffusion", "presets"},
    "training": {"data", *BELOW_TRAINING},
    "objectives": {"data", "training", *BELOW_TRAINING},
    "evaluation": {"data", "training", *BELOW_TRAINING},
    "export": BELOW_TRAINING,
    "demo": BELOW_TRAINING,
    "cli": {"data", "evaluation", "export", "objectives", "training", *BELOW_TRAINING},
}
BACKENDS = {"tensorflow", "tensorflow_datasets", "tensorflow_text", "jax", "torch"}
# Files that name a backend.
BACKEND_FILES = {
    *("keras_t2i/training/backend.py", "keras_t2i/layers/native.py", "keras_t2i/export/onnx.py"),
    *("keras_t2i/training/distribution/on_jax.py", "keras_t2i/training/distribution/on_tensorflow.py"),
    "keras_t2i/training/distribution/starting.py",
    *("keras_t2i/export/programs.py", "keras_t2i/utils/caches.py"),
    "keras_t2i/data/sources/tfds.py",  # reads data sets of others, by their own package
}


def imports(file):
    """Names of all modules that a file imports, within functions too; `from a import b` is a and a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path):
    """The room of a file, such as "data"; "" for those of no room."""
    return path.split("/")[1] if path.count("/") > 1 else ""


FILES = {
    file.relative_to(ROOT).as_posix(): set(imports(file))
    for file in sorted((ROOT / "keras_t2i").rglob("*.py"))
}
MODULES = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in FILES}
# Every import of the package's own modules: (importing file, imported module).
ARROWS = {(path, name) for path, names in FILES.items() for name in names & set(MODULES)}


def test_rooms_import_those_below_them():
    for path, name in ARROWS:
        here, there = room(path), room(MODULES[name])
        if here and there:
            assert there in {here, "utils", *MAY_IMPORT[here]}, f"{path} imports {name}"


def test_modules_import_each_other_in_no_circle():
    # An `__init__` only hands names on, so nothing is said of who imports one.
    graph = {path: set() for path in FILES}
    for path, name in ARROWS:
        if not MODULES[name].endswith("__init__.py"):
            graph[path].add(MODULES[name])
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_backends_and_private_modules_are_imported_where_they_may_be():
    for path, names in FILES.items():
        if path not in BACKEND_FILES:
            assert not {name.split(".")[0] for name in names} & BACKENDS, path
        if room(path) != "presets":
            assert not any(name.startswith(("keras.src", "keras_hub.src")) for name in names), path
