import os

from keras_t2i.utils import memory
from keras_t2i.utils.memory import free_memory


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
