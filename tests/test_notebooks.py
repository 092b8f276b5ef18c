"""The notebooks are what `docs/notebooks.py` makes of the pages, and their cells run."""

import importlib.util
import json
from pathlib import Path

import pytest
from test_docs import IN_NOTEBOOKS

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("notebooks", ROOT / "docs" / "notebooks.py")
notebooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(notebooks)

# Before each notebook: no names, an empty folder, no network; commands run in this process, which has Keras
# imported, at the size of `--smoke`.
BEFORE = """
%reset -f
import os, shlex, socket, tempfile
def refuse(*args):
    raise OSError("a notebook needs a network")
def run(line):
    import keras_t2i_cli
    name, *arguments = shlex.split(line)
    assert name == "keras-t2i"
    keras_t2i_cli.main([*arguments, "--smoke"] if arguments[0] == "train" else arguments)
socket.socket.connect = refuse
get_ipython().system = run
os.environ.update(dict.fromkeys(("KERAS_T2I_CACHE", "TFDS_DATA_DIR"), {cache!r}))
os.chdir(tempfile.mkdtemp(dir={work!r}))
"""
SHOWN = {"1_start": 5, "2_your_pictures": 2, "3_noise_to_picture": 5, "4_concepts": 6, "5_evaluation": 1}


@pytest.mark.once
@pytest.mark.parametrize("name", notebooks.PAGES)
def test_a_notebook_is_what_is_made_of_its_page(name):
    file = notebooks.FOLDER / f"{name}.ipynb"
    made = notebooks.content(notebooks.PAGES[name])
    assert file.read_text("utf-8") == made, "run: python docs/notebooks.py"


@pytest.mark.once
def test_pages_that_are_run_here_are_those_that_test_docs_leaves_out():
    assert {f"{page}.md" for page in notebooks.PAGES.values()} == IN_NOTEBOOKS


@pytest.mark.once
def test_there_is_no_other_notebook():
    assert {file.stem for file in notebooks.FOLDER.iterdir()} == {*notebooks.PAGES}


@pytest.mark.once
def test_a_page_becomes_cells():
    page = (
        "# Title\n\nWords, [linked](page.md#there), and [out](https://a.b).\n\n![A picture](a.png)\n\n"
        "```python\na = 1\n\nb = [a](2)\n```\n\nMore:\n\n    python recipes/evaluate.py --smoke\n\n"
        "<!-- notebook: run these commands -->\n\n    python recipes/train_image_decoder.py --data f \\\n"
        '        --minutes 3  # soon\n    python recipes/generate.py "a b"\n\nEnd.\n'
    )
    assert notebooks.cells(page)[1:] == [
        ("markdown", "# Title\n\nWords, linked, and [out](https://a.b)."),
        ("code", "a = 1\n\nb = [a](2)"),
        ("markdown", "More:\n\n    python recipes/evaluate.py --smoke"),
        ("code", '!keras-t2i train image-decoder --data f --minutes 3\n!keras-t2i generate "a b"'),
        ("markdown", "End."),
    ]


@pytest.mark.once
def test_all_cells_run(tmp_path):
    """All notebooks one after the other, in one kernel, for to import Keras is what takes the time."""
    client = pytest.importorskip("nbclient", reason="nbclient, of the extra test")
    nbformat = pytest.importorskip("nbformat")
    (tmp_path / "work").mkdir()
    before = BEFORE.format(cache=str(tmp_path / "cache"), work=str(tmp_path / "work"))
    whole, owners = nbformat.v4.new_notebook(metadata=notebooks.SETTINGS), []
    for name, page in notebooks.PAGES.items():
        made = nbformat.reads(notebooks.content(page), as_version=4)
        nbformat.validate(made)
        cells = [nbformat.v4.new_code_cell(before), *(c for c in made.cells if c.cell_type == "code")]
        whole.cells += cells
        owners += [name] * len(cells)
    client.NotebookClient(whole, timeout=1800, resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = dict.fromkeys(notebooks.PAGES, 0)
    for owner, cell in zip(owners, whole.cells, strict=True):
        shown[owner] += sum("image/png" in output.get("data", {}) for output in cell.outputs)
    assert shown == SHOWN
    assert json.dumps(whole.cells[-1].outputs).count("of 12") == 1
