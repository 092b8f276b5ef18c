"""Files: the one module that writes, replaces and deletes them.

A file is old or new, never half: it is written under a temporary name in its own folder and renamed. What is
written is listed where a run keeps a list, so that exactly that can be removed again. Temporary files of
processes that were killed are removed by the next one that writes into the folder: a lock tells the living
from the dead, and the system lifts it when a process ends, however it ends.
"""

import contextlib
import errno
import filecmp
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: no locks on folders
    fcntl = None

PARTIAL = re.compile(r"\.keras_t2i-[0-9a-f]{12}\.partial")  # a file or a folder that is being written
PENDING = ".keras_t2i.new"  # a whole new set of files, which counts from the moment it has this name
DAY = 24 * 3600  # seconds after which what is half written is given up where locks cannot tell

_swept = set()  # folders, once in a process
_manifests = []  # of the runs of this process


# One file


def expanded(path):
    """A `Path` with "~" as the home of the person; of one who does not exist the name is kept, as shells do.

    (`Path.expanduser` raises a RuntimeError there.)
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def slug(text):
    """Text as a part of a file's name that every system takes: its letters and digits, 40 at most."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")[:40].strip("-") or "picture"


@contextlib.contextmanager
def atomic_file(path):
    """A file, open for writing bytes, that takes the place of `path` when the block ends without an error.

    Links are followed, missing folders are made, and a file that is replaced hands on its permissions.

    Yields:
        A binary file object; it can be read and sought too.
    """
    target = Path(os.path.realpath(expanded(path)))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.parent not in _swept:
        _swept.add(target.parent)
        sweep(target.parent)
    temporary, descriptor = _create(target.parent)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            _to_disk(file.fileno())
            if target.exists():
                shutil.copymode(target, temporary)
            if fcntl is None:
                file.close()  # Windows renames no open file; elsewhere the lock is held until the end
            with _listed(target):
                temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path, content):
    """Write a file whole or not at all. `content`: bytes or a memory view.

    Raises:
        OSError: there is not enough room, or the file cannot be written.
    """
    path = Path(os.path.realpath(expanded(path)))
    path.parent.mkdir(parents=True, exist_ok=True)
    check_room(path.parent, len(content))
    with atomic_file(path) as file:
        file.write(content)


def write_text(path, text):
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def append_bytes(path, content):
    """Write bytes at the end of a file, a log, made where there is none. A kill may leave half."""
    path = expanded(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _listed(path), path.open("ab") as file:
        file.write(content)


def remove_file(path):
    """Remove one file, if it is there."""
    Path(path).unlink(missing_ok=True)


def weights_in_memory(model):
    """What `model.save_weights` writes, as a memory view of an HDF5 file's bytes.

    HDF5 ends the whole process when it meets the end of a disk; written as bytes, that is an OSError.
    """
    memory = _Memory()
    model.save_weights(memory)
    return memory.getbuffer()


class _Memory(io.BytesIO):
    def __str__(self):
        return "memory.weights.h5"  # Keras looks at the name's end


def check_room(folder, needed):
    """Raise an OSError that says how much is needed if so many bytes do not fit on the folder's disk."""
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < needed:  # some network file systems say 0 of 0
        need, free = needed / 2**20, disk.free / 2**20
        sentence = f"the disk is full: {need:.1f} MiB are needed, {free:.1f} MiB are free"
        raise OSError(errno.ENOSPC, sentence, str(folder))


def check_writable(path, needed):
    """Check, before long work, whether so many bytes can be written to a path; makes nothing.

    Raises:
        OSError: the path is a folder, its folder cannot be made or written, or the disk is full.
    """
    path = Path(os.path.realpath(expanded(path)))
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if stat.S_ISDIR(path.stat().st_mode):  # unlike `is_dir`, this tells of names that are too long
            raise IsADirectoryError(errno.EISDIR, "a folder is there, no file can be written", str(path))
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file is there, no folder can be made", str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "nothing may be written into this folder", str(folder))
    check_room(folder, needed)


def digest(content):
    """SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


# What is half written, by whom


def sweep(folder):
    """Remove what killed processes left half written directly in a folder; returns how much that was."""
    with contextlib.suppress(OSError):
        found = [entry for entry in Path(folder).iterdir() if PARTIAL.fullmatch(entry.name)]
        if found:
            with _locked(folder, "EX", patience=0):  # what `_link` makes has no lock of its own
                return sum(map(_remove_if_abandoned, found))
    return 0


def _remove_if_abandoned(entry):
    with contextlib.suppress(OSError):
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            return False
        old = time.time() - entry.stat().st_mtime > DAY
        descriptor = os.open(entry, os.O_RDONLY) if fcntl else None
        try:
            if _try_lock(descriptor, or_else=old):
                remove(entry)
                return True
        finally:
            if descriptor is not None:
                os.close(descriptor)
    return False


def remove(entry):
    """Remove a file, or a folder with all in it, if it is there; of a folder that is a link, nothing."""
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _create(folder, as_folder=False):
    """A new temporary file or folder, locked while the descriptor is open (`None`: there are no locks)."""
    while True:
        temporary = folder / f".keras_t2i-{secrets.token_hex(6)}.partial"
        if as_folder:
            temporary.mkdir()
            descriptor = os.open(temporary, os.O_RDONLY) if fcntl else None
        else:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            descriptor = os.open(temporary, flags, 0o666)
        if fcntl is None:
            return temporary, descriptor
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), temporary.stat()):
                return temporary, descriptor
        os.close(descriptor)  # another process took it for abandoned in the moment before the lock


def _try_lock(descriptor, or_else, kind="EX"):
    """Whether the lock could be had; `or_else` where there are none."""
    if descriptor is None:
        return or_else
    try:
        fcntl.flock(descriptor, getattr(fcntl, f"LOCK_{kind}") | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return or_else


@contextlib.contextmanager
def _locked(folder, kind, patience=60):
    """Hold a folder's lock ("SH", shared, to read, "EX", alone, to replace files), which leaves no file."""
    descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        end = time.monotonic() + patience
        while not _try_lock(descriptor, or_else=True, kind=kind):
            if time.monotonic() > end:
                raise TimeoutError(f"another process has been replacing the files in {folder} for a minute")
            time.sleep(0.005)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _to_disk(descriptor):
    """Without this, the rename may survive a power failure, and the content not."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # some network file systems
            raise


# Several files that belong together


@contextlib.contextmanager
def staged_folder(folder):
    """A new folder inside `folder`, for files on their way to their places there; removed with what is left.

    It lies inside, so it is on the same disk even where `folder` is a mount.
    """
    folder = Path(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    staged, descriptor = _create(folder, as_folder=True)
    try:
        yield staged
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)
        if is_new:
            with contextlib.suppress(OSError):  # it is not empty: all went well
                folder.rmdir()


def replace_set(folder, staged, own, index, inert=()):
    """Put a staged set of files into a folder, in the place of an earlier set; other files there stay.

    Several files cannot be renamed at once. So the staged folder is first renamed to `PENDING`, in one step,
    and from then on it is what `current_set` finds: a kill before leaves the old set, a kill after the new
    one. Then its files are linked to their places one by one, and `PENDING` goes when all are there. The next
    call finishes what a kill interrupted.

    A reader that does not ask `current_set` never sees half of each set either: unless a single file differs,
    `index` is removed first and written last.

    Args:
        folder, staged: paths; `staged` is of `staged_folder(folder)`.
        own: function of a folder to the names in it that belong to a set, relative, with "/".
        index: the name of the file without which no reader opens the set.
        inert: names of files that do not matter to readers.
    """
    folder, staged = Path(folder), Path(staged)
    for file in [*staged.rglob("*"), staged] if fcntl else []:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            _to_disk(descriptor)
        finally:
            os.close(descriptor)
    with _locked(folder, "EX"):
        if (folder / PENDING).is_dir():
            _finish(folder, own, index, inert)
        staged.rename(folder / PENDING)
        _finish(folder, own, index, inert)


def move_file(source, target):
    """Rename a file, on the same disk, in the place of what has the new name. Missing folders are made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _listed(target):
        source.replace(target)


def current_set(folder):
    """Where to read a set of files that `replace_set` wrote: the folder, or what a kill left in it, whole."""
    pending = Path(folder) / PENDING
    if pending.is_dir():
        with _locked(folder, "SH"):  # whoever is at it just now is waited for
            if pending.is_dir():
                return pending
    return Path(folder)


def _finish(folder, own, index, inert):
    pending = folder / PENDING
    new = [file.relative_to(pending).as_posix() for file in pending.rglob("*") if file.is_file()]
    changed = {name for name in new if not _same_content(pending / name, folder / name)}
    stale = {*own(folder)} - {*new}
    for parent in {(folder / name).parent for name in new if "/" in name}:
        sweep(parent)
    if len((changed | stale) - {*inert}) > 1:
        (folder / index).unlink(missing_ok=True)
        changed.add(index)
    for name in sorted(stale):
        (folder / name).unlink(missing_ok=True)
        _remove_empty(folder / name, folder)
    for name in sorted(changed, key=lambda name: (name == index, name.endswith(".h5"), name)):
        _link(pending / name, folder / name)
    for name in new:
        record(folder / name)
    remove(pending.rename(folder / f".keras_t2i-{secrets.token_hex(6)}.partial"))


def _same_content(file, other):
    return other.is_file() and not other.is_symlink() and filecmp.cmp(file, other, shallow=False)


def _link(source, target):
    """Give a file a second name, in the place of what has that name; copy it where there are no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".keras_t2i-{secrets.token_hex(6)}.partial")
    try:
        try:
            temporary.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, temporary)
        move_file(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_empty(file, folder):
    """Remove the folders between a removed file and `folder` that are empty, but for the current one."""
    with contextlib.suppress(OSError):
        for parent in file.parents:
            if parent == folder or parent.samefile(Path.cwd()):
                return
            parent.rmdir()


# What a run wrote


class Manifest:
    """The list of files that a run wrote below its folder, kept in a file of one JSON string a line.

    From its making on, all that this module writes below `folder` is listed; other files by `record`.

    Args:
        folder: path of the run.
        name: of the list, relative to `folder`.
    """

    def __init__(self, folder, name):
        self.folder = Path(os.path.realpath(folder))
        self.file = self.folder / name
        self.known = set(self.names())
        _manifests[:] = [m for m in _manifests if m.folder != self.folder] + [self]

    def names(self):
        """What is listed, relative to the folder, each once."""
        try:
            lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []
        found = {}
        for line in lines:
            with contextlib.suppress(ValueError):  # a line that a kill cut short
                name = json.loads(line)
                if isinstance(name, str):
                    found[name] = None
        return list(found)

    def record(self, path):
        """List a file, if it lies below the folder and is not in the list yet."""
        path = Path(os.path.realpath(path))
        staged = any(PARTIAL.fullmatch(part) or part == PENDING for part in path.parts)
        if staged or not path.is_relative_to(self.folder):
            return
        name = path.relative_to(self.folder).as_posix()
        if name not in self.known and self.folder / name != self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("ab") as file:
                file.write(b"\n" * _is_cut(self.file) + json.dumps(name).encode() + b"\n")
            self.known.add(name)

    def remove(self, last=(), keep=()):
        """Remove what is listed but for `keep`, the folders that this leaves empty, the list, and then `last`
        (names).

        What is not below the folder, be it by a link, stays, and so does whatever is no file. A kill leaves a
        list from which a second call goes on.
        """
        for name in [*(n for n in self.names() if n not in (*last, *keep)), self.file.name, *last]:
            file = self.file if name == self.file.name else Path(os.path.normpath(self.folder / name))
            is_link = Path(os.path.realpath(file)) != file
            if file.is_relative_to(self.folder) and file.is_file() and not is_link:
                file.unlink()
                _remove_empty(file, self.folder)
        self.known = set()


def _is_cut(file):
    with file.open("rb") as content:
        if content.seek(0, os.SEEK_END) == 0:
            return False
        content.seek(-1, os.SEEK_END)
        return content.read() != b"\n"


def record(path):
    """List a file with the run of this process whose folder it lies in, if there is one."""
    for manifest in _manifests:
        manifest.record(path)


@contextlib.contextmanager
def _listed(target):
    """A new file is listed before it is there, so that a kill leaves none unlisted; a person's after."""
    if not target.exists():
        record(target)
    yield
    record(target)
