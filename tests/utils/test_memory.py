import os
import subprocess
import sys

import numpy as np
import pytest

from keras_t2i.utils import memory
from keras_t2i.utils.memory import free_memory
from keras_t2i.utils.memory import peak_memory


def test_free_memory_is_below_all_memory():
    free = free_memory()
    assert free is None or 0 < free <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_free_memory_is_what_the_system_and_the_container_allow(tmp_path, monkeypatch):
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    monkeypatch.setattr(memory, "MEMINFO", meminfo)
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", (tmp_path / "none", limit))
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 10, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert free_memory() == 40960
    meminfo.write_text("MemTotal:  900 kB\nMemFree:  1 kB\nMemAvailable:     300 kB\nSwapFree: 7 kB\n")
    assert free_memory() == 300 * 1024
    limit.write_text("max\n")
    assert free_memory() == 300 * 1024
    limit.write_text("1024\n")
    assert free_memory() == 1024


def test_a_system_that_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    monkeypatch.setattr(memory, "CONTAINER_LIMITS", ())
    monkeypatch.delattr(os, "sysconf")
    assert free_memory() is None


@pytest.mark.skipif(not memory.STATUS.exists(), reason="tells by /proc")
def test_peak_memory_is_of_this_process_and_stays():
    before = peak_memory()
    held = np.ones(2**24)  # 128 MiB
    grown = peak_memory()
    del held
    assert grown >= max(before, 128) and peak_memory() > grown - 8  # the system counts in lots
    # Not of the process that started it, which holds Keras.
    command = f"exec(open({memory.__file__!r}).read()); print(peak_memory())"
    child = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert 1 < float(child.stdout) < 100 < grown


def test_peak_memory_where_there_is_no_proc(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    if memory.resource is not None:
        assert peak_memory() > 10
    monkeypatch.setattr(memory, "resource", None)
    assert peak_memory() is None
