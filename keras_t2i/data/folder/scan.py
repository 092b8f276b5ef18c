"""Which files there are in a folder, and which of them cannot be used."""

import os
from pathlib import Path
from typing import NamedTuple


class File(NamedTuple):
    """A file of the folder: its bytes, time of its last change in ns, and why it is of no use, if so."""

    bytes: int
    modified: int
    problem: str | None


def scan_folder(folder):
    """All files below `folder` except those whose names begin with a dot.

    Links to folders are not followed. Links to files are, as long as they stay inside.

    Returns:
        A dict of path relative to the folder, with "/" -> `File`; and a dict of path -> problem for
        folders that could not be looked into.
    """
    root = os.path.realpath(folder)
    files, problems, pending = {}, {}, [""]
    while pending:
        prefix = pending.pop()
        try:
            entries = list(os.scandir(os.path.join(root, prefix)))  # noqa: PTH118 (fast for 100,000 files)
        except OSError as error:
            problems[prefix] = f"cannot be opened: {error.strerror}"
            continue
        for entry in entries:
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            try:
                if not entry.is_dir():
                    files[name] = _describe(entry, root)
                elif entry.is_symlink():
                    problems[name] = "is a link to a folder, which is not followed"
                else:
                    pending.append(name + "/")
            except OSError as error:  # a link to itself, for example
                files[name] = File(0, 0, f"cannot be read: {error.strerror}")
    return files, problems


def _describe(entry, root):
    if entry.is_symlink() and not Path(os.path.realpath(entry.path)).is_relative_to(root):
        return File(0, 0, "is a link that leaves the folder")
    if not entry.is_file():
        return File(0, 0, "is a link to nothing" if entry.is_symlink() else "is not a regular file")
    status = entry.stat()
    return File(status.st_size, status.st_mtime_ns, None if status.st_size else "is empty (0 bytes)")
