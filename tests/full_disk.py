"""A full disk, as a test meets it."""

import contextlib

import pytest


@contextlib.contextmanager
def full_disk(free):
    """Inside, no file can grow beyond `free` bytes: the error of a full disk (OSError), met while writing.

    It holds for the whole process, pytest's own log too; so it never spans the end of a test.
    """
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
