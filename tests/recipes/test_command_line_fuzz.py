"""Command lines changed by chance: each runs, or is refused with a sentence and exit status 2.

`KERAS_T2I_FUZZ=1000 pytest tests/recipes/test_command_line_fuzz.py` tries so many, by
default it takes seconds; `KERAS_T2I_FUZZ_SEED=1` tries others.
"""

import os
import signal

import command_line_fuzzer
import pytest

CASES, SEED = (int(os.environ.get(f"KERAS_T2I_FUZZ{name}", n)) for name, n in (("", 40), ("_SEED", 0)))
APART = 50  # of so many cases one more is a process of its own, with nothing left out

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers, pipes, links"),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command_lines").resolve()
    command_line_fuzzer.build(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_command_lines_changed_by_chance_run_or_are_refused(world):
    counts, failures = command_line_fuzzer.run(world, SEED, CASES)
    assert not failures, "\n".join(map(str, failures[:3]))
    assert sum(n for (_, outcome), n in counts.items() if outcome == "refused") > CASES / 3
    assert sum(n for (_, outcome), n in counts.items() if outcome == "ran") > CASES / 20


def test_so_do_processes_of_their_own(world):
    cases = 1 + CASES // APART
    _, failures = command_line_fuzzer.run(world, SEED, cases, first=10**6, apart=True, seconds=300)
    assert not failures, "\n".join(map(str, failures[:3]))
