"""Notebooks, made of the pages: the text of a page, and its blocks of Python as cells.

    python docs/notebooks.py    # writes docs/notebooks/*.ipynb; tests/test_notebooks.py tells when it is due

They lie in the repository because Colab opens them there. They have no outputs. A block of commands after the
comment "notebook: run these commands" becomes a cell too; other commands stay text.
"""

import json
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "notebooks"
PAGES = {
    "1_start": "drawing",
    "2_your_pictures": "your_pictures",
    "3_noise_to_picture": "noise_to_picture",
    "4_concepts": "concepts",
    "5_evaluation": "evaluation",
}
INSTALL = """\
import importlib.util

if importlib.util.find_spec("keras_t2i") is None:  # on Colab, say
    %pip install -q keras-t2i"""
SETTINGS = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
MARK = "<!-- notebook: run these commands -->\n\n"
BLOCK = re.compile(
    rf"^```python\n(?P<python>.*?)^```$|^{MARK}(?P<commands>(?:^    [^\n]*\n)+)", re.MULTILINE | re.DOTALL
)
RECIPES = {"prepare_data": "prepare"}  # where the command has another name than the recipe


def command(line):
    """A recipe's command line as that of `keras-t2i`, which needs no checkout."""
    _, script, *arguments = shlex.split(line, comments=True)
    name = Path(script).stem
    verb = name.replace("train_", "train ").replace("_", "-") if name.startswith("train_") else name
    return f"!keras-t2i {RECIPES.get(verb, verb)} {shlex.join(arguments)}".replace("'", '"')


def plain(text):
    """A page's text where only the notebook is: pictures, which its cells draw, and links within the pages
    are left out, but for their words."""
    text = re.sub(r"^!\[[^\]]*\]\([^)]*\)\n?", "", text, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]+)\]\((?![a-z]+:)[^)]*\)", r"\1", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def cells(text):
    """(kind, source) of each cell of a page."""
    found, start = [("code", INSTALL)], 0
    for block in BLOCK.finditer(text):
        found.append(("markdown", plain(text[start : block.start()])))
        lines = (block["commands"] or "").replace("\\\n", " ").splitlines()
        found.append(("code", block["python"] or "\n".join(map(command, lines))))
        start = block.end()
    found.append(("markdown", plain(text[start:])))
    return [(kind, source.strip("\n")) for kind, source in found if source.strip()]


def notebook(page):
    """The notebook of a page, a dict, in nbformat 4.5."""
    made = []
    for number, (kind, source) in enumerate(cells((ROOT / "docs" / f"{page}.md").read_text("utf-8"))):
        cell = {"cell_type": kind, "id": f"{page}-{number}", "metadata": {}}
        cell |= {"execution_count": None, "outputs": []} if kind == "code" else {}
        made.append(cell | {"source": source.splitlines(keepends=True)})
    return {"cells": made, "metadata": SETTINGS, "nbformat": 4, "nbformat_minor": 5}


def content(page):
    """The notebook's file, a str."""
    return json.dumps(notebook(page), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / f"{name}.ipynb").write_text(content(page), encoding="utf-8", newline="\n")
