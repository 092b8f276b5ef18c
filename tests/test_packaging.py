"""What a package index is told, made as pip makes it of pyproject.toml and setup.py."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "from setuptools import build_meta; build_meta.prepare_metadata_for_build_wheel('made')"
PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
LINK = re.compile(r"\]\((?![a-z]+:)[^)]*\)")  # relative
pytestmark = pytest.mark.once


def metadata(folder, pyproject=PYPROJECT):
    """The metadata that pip would build, of a copy of the files that it is made of."""
    (folder / "keras_t2i").mkdir()
    for name in ("setup.py", "README.md", "LICENSE", "NOTICE", "keras_t2i/_version.py", "keras_t2i_cli.py"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("recipes", "made"):
        (folder / name).mkdir()
    (folder / "keras_t2i" / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(pyproject, "utf-8")
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = (folder / "made").glob("*.dist-info/METADATA")
    return message_from_string(made.read_text("utf-8"))


def test_the_index_is_told_nothing_that_it_cannot_show(tmp_path):
    made = metadata(tmp_path)
    assert made["Description-Content-Type"] == "text/markdown" and made["Name"] == "keras-t2i"
    text = made.get_payload()
    assert "urls" not in tomllib.loads(PYPROJECT)["project"]  # else links are absolute: the test below
    assert "![" not in text and "](" not in text and "<!--" not in text
    assert "generated.png" not in text
    for kept in (
        "    pip install . && ",
        "generator.generate(",
        "Drawing has every option",
        "| real pictures",
    ):
        assert kept in text


def test_with_a_repository_links_and_pictures_lie_there(tmp_path):
    where = "https://example.org/someone/keras_t2i"
    text = metadata(tmp_path, f'{PYPROJECT}\n[project.urls]\nRepository = "{where}"\n').get_payload()
    assert LINK.search(text) is None
    assert f"({where}/raw/main/docs/generated.png)" in text
    assert f"[Drawing]({where}/blob/main/docs/drawing.md)" in text
    readme = (ROOT / "README.md").read_text("utf-8")
    assert len(re.findall(re.escape(where), text)) == len(LINK.findall(readme)) > 10


def test_only_relative_links_are_changed():
    spec = importlib.util.spec_from_file_location("setup_of_keras_t2i", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = "[a](docs/a.md#b) ![c](c.png) [d](https://d.org/d) f(['e'])(x)"
    assert module.for_an_index(text) == "a c [d](https://d.org/d) f(['e'])(x)"
    absolute = (
        "[a](http://h/blob/main/docs/a.md#b) ![c](http://h/raw/main/c.png) [d](https://d.org/d) f(['e'])(x)"
    )
    assert module.for_an_index(text, "http://h") == absolute
