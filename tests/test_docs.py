"""What the pages say is so: links lead somewhere, Python runs, commands have the options that they name."""

import argparse
import functools
import re
import runpy
import shlex
import socket
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
README, RESULTS = ROOT / "README.md", ROOT / "docs" / "results.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
WITH_COMMANDS = [*PAGES, ROOT / "CONTRIBUTING.md"]
COMMAND = re.compile(r"\s*(?:[A-Z_]+=\S+ )*(?:python )?((?:recipes/|benchmarks/)?\w+\.py)(?= |$)(.*)")
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages(files):
    return pytest.mark.parametrize("page", files, ids=[str(file.relative_to(ROOT)) for file in files])


def prose(text):
    """A page without its fenced and its indented blocks."""
    return re.sub(r"^    .*$", "", FENCE.sub("", text), flags=re.MULTILINE)


def anchors(page):
    """Where links into a page may lead, as GitHub makes them of its headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page):
    """Pairs of file and anchor of all relative links and pictures of a page; the anchor may be empty."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page.read_text("utf-8"))):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = unquote(target).partition("#")
            yield (page.parent / file).resolve() if file else page, anchor


@pages(WITH_COMMANDS)
def test_links_lead_somewhere(page):
    missing = [
        f"{file}#{anchor}"
        for file, anchor in links(page)
        if not file.exists() or (anchor and anchor not in anchors(file))
    ]
    assert missing == []


def test_every_page_and_picture_is_linked():
    index = {file for file, _ in links(ROOT / "docs" / "README.md")}
    assert {*PAGES} - index == {ROOT / "docs" / "README.md"}
    linked = {file for page in PAGES for file, _ in links(page)}
    assert set((ROOT / "docs").glob("*.png")) <= linked


def test_every_page_is_in_the_navigation_of_the_site():
    named = re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text("utf-8"))
    assert {page.relative_to(ROOT).as_posix() for page in WITH_COMMANDS} <= {*named}


def test_the_readme_is_short_and_has_the_commands_that_ci_runs():
    lines = README.read_text("utf-8").splitlines()
    assert len(lines) <= 130
    for start in ("    pip install . && ", '    pip install ".[test]" && '):  # .ci/run looks for these
        assert sum(line.startswith(start) for line in lines) == 1


def table(text, corner):
    """The Markdown table whose header begins with `corner`: `{row: {column: cell}}`."""
    lines = text[text.index(f"| {corner} |") :].split("\n\n")[0].splitlines()
    header, _, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


def test_the_readme_quotes_the_leaderboard():
    results = RESULTS.read_text("utf-8")
    begin, end = "<!-- leaderboard: begin -->", "<!-- leaderboard: end -->"  # evaluate.py writes between
    assert results.count(begin) == results.count(end) == 1
    board = table(results[results.index(begin) : results.index(end)], "drawn by")
    for name, row in table(README.read_text("utf-8"), "drawn by").items():
        assert row.items() <= board[name].items()


@pages(WITH_COMMANDS)
def test_tests_that_a_page_names_exist(page):
    named = set(re.findall(r"tests/[\w/]+\.py", page.read_text("utf-8")))
    assert [file for file in named if not (ROOT / file).is_file()] == []


# What the pages call is tested on each backend beside its code. Those that notebooks are made of are run by
# test_notebooks.py.
IN_NOTEBOOKS = {"concepts.md", "drawing.md", "evaluation.md", "noise_to_picture.md", "your_pictures.md"}


@pytest.mark.once
@pages([p for p in PAGES if "```python" in p.read_text("utf-8") and p.name not in IN_NOTEBOOKS])
def test_python_runs(page, tmp_path, monkeypatch):
    """All blocks of a page, in order, in one namespace, offline and in an empty folder."""

    def refuse(*args):
        raise OSError("a page needs a network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("KERAS_T2I_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    text, namespace = page.read_text("utf-8"), {"__name__": "page"}
    for block in FENCE.finditer(text):
        if block[1].startswith("python"):
            assert block[1] == "python"  # no block is left out
            line = text.count("\n", 0, block.start()) + 1
            exec(compile("\n" * line + block[2], str(page), "exec"), namespace)


class Found(BaseException):
    """Carries a script's parser out of it."""


@functools.cache
def parser_of(script):
    """The parser that a script would read its options with, or `None`; the script goes no further."""
    if "pars" not in script.read_text("utf-8"):
        return None  # it reads no options, and would do its work

    def stop(parser, *args, **kwargs):
        raise Found(parser)

    known = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), "--help"])
        patch.setattr(argparse.ArgumentParser, "parse_known_args", stop)
        patch.syspath_prepend(script.parent)
        try:
            runpy.run_path(str(script), run_name="__main__")
        except Found as found:
            return found.args[0]
        finally:
            for name in set(sys.modules) - known:  # a neighbour of the script, in its folder
                if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == script.parent:
                    del sys.modules[name]
    raise AssertionError(f"{script} has no parser that this test can find")


def commands(text):
    """`(script, arguments)` of each command that a page quotes, in a block or within its prose."""
    blocks = [block[2] for block in FENCE.finditer(text) if not block[1].startswith("python")]
    blocks += re.findall(r"(?:^    .*\n)+", FENCE.sub("", text), re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose(text))]
    for part in (part for line in lines for part in line.split("&&")):
        found = COMMAND.match(part)
        if found:
            name = found[1] if "/" in found[1] else f"recipes/{found[1]}"
            yield name, shlex.split(found[2], comments=True)


@pytest.mark.once
@pages(WITH_COMMANDS)
def test_commands_have_the_options_that_pages_name(page, monkeypatch, capsys):
    wrong = []
    for script, arguments in commands(page.read_text("utf-8")):
        if not (ROOT / script).is_file():
            wrong.append(f"there is no {script}")
        elif arguments:
            parser = parser_of(ROOT / script)
            try:
                if parser is None:
                    raise ValueError(f"{script} reads no options")
                parser.allow_abbrev = False
                parser.parse_args(arguments)
            except (SystemExit, ValueError) as error:
                message = capsys.readouterr().err.strip() or error
                wrong.append(f"{script} {shlex.join(arguments)}: {str(message).splitlines()[-1]}")
    assert wrong == []


@pages(WITH_COMMANDS)
def test_options_that_pages_name_alone_exist(page):
    named = {
        option
        for code in re.findall(r"`(--[^`]+)`", prose(page.read_text("utf-8")))
        for option in re.findall(r"--[\w-]+", code)
    }
    scripts = (file for file in (ROOT / "recipes").glob("*.py") if "__main__" in file.read_text("utf-8"))
    parsers = (parser_of(script) for script in scripts) if named else ()
    options = {option for parser in parsers if parser for option in parser._option_string_actions}
    assert named <= options
