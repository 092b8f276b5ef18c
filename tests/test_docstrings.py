"""Docstrings name arguments that there are: read from the files, without importing them."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[1]
FILES = sorted(
    file for package in ("keras_t2i", "keras_t2i_runtime") for file in (ROOT / package).rglob("*.py")
)
NAMES = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*): ")  # "rows, columns: what they are"


def section(docstring):
    """Lines of the section "Args:" of a docstring, their indentation taken away."""
    found = re.search(r"^(?:Keyword )?Args:\n((?: .*\n|\n)+)", f"{docstring}\n", re.MULTILINE)
    return [line for line in textwrap.dedent(found[1]).splitlines() if line] if found else []


def documented(docstring):
    """Names of the arguments that a docstring describes, in its order."""
    entries = [(line, NAMES.match(line)) for line in section(docstring) if not line.startswith(" ")]
    assert all(match for _, match in entries), [line for line, match in entries if not match]
    return [name.lstrip("*") for _, match in entries for name in match[1].split(", ")]


def described_within_another(docstring, names):
    """Those of `names` that have no line of their own: "a: int; b: float"."""
    found = re.findall(r"[.;)] (\w+): ", " ".join(line.strip() for line in section(docstring)))
    own = documented(docstring)
    return [name for name in found if name in names and name not in own]


def arguments(node, classes=()):
    """Names of the arguments of a function, or of what makes a class; `None` where a parent says them."""
    if isinstance(node, ast.ClassDef):
        inits = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        if inits:
            handed_on = [classes[base.id] for base in node.bases if getattr(base, "id", None) in classes]
            names = [arguments(parent, classes) or [] for parent in handed_on if inits[0].args.kwarg]
            return sum(names, arguments(inits[0]))
        fields = [item.target.id for item in node.body if isinstance(item, ast.AnnAssign)]
        return fields or None
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return [argument.arg for argument in every if argument is not None]


def described(tree, name=""):
    """Public functions and classes of a module, and theirs: (name, node)."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{name}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from described(node, f"{node.name}.")


def test_what_is_told_to_be_read():
    docstring = (
        "Do.\n\nArgs:\n    a: int: one.\n        more: of it.\n    b, *c: two.\n\nReturns:\n    d: one."
    )
    assert documented(docstring) == ["a", "b", "c"] and documented("Do.\n\nArgs: as of `that`.") == []
    assert arguments(ast.parse("def f(a, /, b, *c, d, **e): pass").body[0]) == ["a", "b", "d", "c", "e"]
    two = "Do.\n\nArgs:\n    a: int; b: float, c: no argument.\n"
    assert documented(two) == ["a"] and described_within_another(two, ["a", "b"]) == ["b"]


def test_every_argument_that_is_described_is_one():
    nodes = [(file, *found) for file in FILES for found in described(ast.parse(file.read_text("utf-8")))]
    classes = {node.name: node for _, _, node in nodes if isinstance(node, ast.ClassDef)}
    checked, wrong = 0, []
    for file, name, node in nodes:
        docstring, there = ast.get_docstring(node) or "", arguments(node, classes)
        names, place = documented(docstring), f"{file.relative_to(ROOT).as_posix()}: {name}"
        if names and there is not None:
            checked += 1
            wrong += [f"{place} has no argument {one}" for one in names if one not in there]
            wrong += [f"{place}: {one} wants a line" for one in described_within_another(docstring, there)]
    assert checked > 300 and not wrong, "\n".join(wrong)
