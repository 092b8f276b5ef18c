"""How much memory is free, and how much was taken, as far as the system tells."""

import contextlib
import os
import re
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

MEMINFO, STATUS = Path("/proc/meminfo"), Path("/proc/self/status")
CONTAINER_LIMITS = (  # of control groups, version 2 and 1
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def free_memory():
    """int, bytes that can be had without swapping, at most what a container may have; `None`: unknown.

    Where only the size of all memory is known (macOS), it is that.
    """
    known = []
    with contextlib.suppress(OSError):
        if found := re.search(r"^MemAvailable:\s+(\d+) kB", MEMINFO.read_text(), re.MULTILINE):
            known.append(int(found[1]) * 1024)
    if not known:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # Windows has no sysconf
            known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for file in CONTAINER_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            known.append(int(file.read_text()))
    return min((size for size in known if size > 0), default=None)


def peak_memory():
    """float, the largest resident memory of this process so far, in MiB; `None`: unknown (Windows)."""
    if resource is None:
        return None
    # On Linux `getrusage` counts what the process that started this one held then, too.
    with contextlib.suppress(OSError):
        if found := re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE):
            return int(found[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2
