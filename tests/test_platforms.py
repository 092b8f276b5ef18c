"""What only Unix has is not needed to import the package or a recipe: Windows has none of it. And the lowest
versions of what is needed are those that were tried."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
OF_UNIX = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
IMPORT_ALL = """
import importlib, pkgutil, sys
from pathlib import Path
import keras, keras_hub, tensorflow_datasets, PIL.Image, png, emoji, resvg_py, tokenizers  # know Windows
sys.modules |= dict.fromkeys({names!r})  # an import of one is now an ImportError
import keras_t2i
names = [module.name for module in pkgutil.walk_packages(keras_t2i.__path__, "keras_t2i.")]
names += [file.stem for file in sorted(Path("recipes").glob("*.py"))]
sys.path.insert(0, "recipes")
for name in names:
    importlib.import_module(name)
from keras_t2i.utils.memory import peak_memory
assert peak_memory() is None
print(len(names), "imported")
"""


def imported_at_once(node):
    """Names of modules that are imported as soon as a file is, and without which it cannot be."""
    if isinstance(node, ast.Try | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.module.split(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from imported_at_once(child)


def test_no_file_imports_what_only_unix_has():
    for folder in ("keras_t2i", "recipes", "benchmarks"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            found = {*imported_at_once(ast.parse(file.read_text(encoding="utf-8")))} & OF_UNIX
            assert not found, f"{file} imports {', '.join(found)}"


def test_all_is_imported_where_these_modules_are_hidden():
    names = sorted(OF_UNIX - {"posix"} - {*sys.builtin_module_names})
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL.format(names=names)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout.split()[0]) > 100


def test_the_page_names_the_lowest_versions():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    lowest_tried = page.split("Lowest: ")[1].split("Highest")[0]
    tried = dict(re.findall(r"([a-z][a-z0-9-]+)\s(\d+(?:\.\d+)+)", lowest_tried))
    for one in needed:
        name, lowest = re.match(r"([a-z0-9-]+)(?:[>=]=([\d.]+))?", one).groups()
        assert lowest is not None, f"{name} has no lower bound"
        if "==" not in one:
            assert f"{tried.get(name)}.".startswith(f"{lowest}."), f"{one}: the page names {tried.get(name)}"
