"""Which files of a folder are pictures, and which captions they have."""

import csv
import functools
import io
import json
import os
import unicodedata
from pathlib import Path
from typing import NamedTuple

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".webp", ".gif")
METADATA_NAMES = ("metadata.csv", "metadata.jsonl")


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


def read_captions(folder, files):
    """The captions of the files of a folder.

    Args:
        folder: the folder that was scanned.
        files: what `scan_folder` returned.

    Returns:
        A dict of path -> list of captions, and a dict of path, or place in a metadata file -> problem.

    Raises:
        ValueError: if a metadata file is not UTF-8 or lacks the columns `file_name` and `text`.
    """
    root = os.path.realpath(folder)
    captions, problems = {}, {}
    metadata = sorted(name for name in files if name.rpartition("/")[2].lower() in METADATA_NAMES)
    locate = _Locator(root, files)
    for name in metadata:
        if files[name].problem:
            problems[name] = files[name].problem
            continue
        read_rows = _csv_rows if name.lower().endswith(".csv") else _json_rows
        directory = name.rpartition("/")[0]
        for line, file_name, text, problem in read_rows(name, read_text(Path(root, name))):
            picture = None
            if file_name:
                picture, missing = locate(directory, file_name)
                problem = problem or missing
            found = _split_phrasings(text)
            if problem is None and not found:
                problem = "has an empty caption"
            if problem is None:
                captions.setdefault(picture, []).extend(found)
            else:
                problems.setdefault(picture or file_name or f"{name}, line {line}", problem)
    _read_text_files(root, files, captions, problems, report_lonely=not metadata)
    captions = {name: list(dict.fromkeys(phrasings)) for name, phrasings in captions.items()}
    # A picture that has a caption in one row needs none in another.
    return captions, {name: problem for name, problem in problems.items() if name not in captions}


def read_text(path):
    """The text of a UTF-8 file, with or without a byte order mark; ValueError if it is not UTF-8."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not UTF-8 (byte {content[error.start]:#04x} at position {error.start}): "
            "save it with the encoding UTF-8"
        ) from None


def _split_phrasings(text):
    """Each line is a phrasing. Half of a surrogate pair, which no tokenizer takes, becomes "?"."""
    lines = [line.strip() for entry in text for line in entry.splitlines()]
    return [line.encode("utf-8", "replace").decode() for line in lines if line]


def _csv_rows(name, content):
    """Yields (line, file name, list of texts, problem)."""
    old_limit = csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    try:
        reader = csv.reader(io.StringIO(content, newline=""), strict=True)
        header = [column.strip().lower() for column in next(reader, [])]
        if not {"file_name", "text"} <= set(header):
            raise ValueError(f"{name} needs the columns file_name and text, found {header}")
        file_column, text_column = header.index("file_name"), header.index("text")
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, None, [], f'is malformed ({error}): a quote inside of quotes is written ""'
                continue
            if not row:
                continue
            if len(row) > len(header) and text_column == len(header) - 1:
                row[text_column:] = [",".join(row[text_column:])]  # a caption with commas, without quotes
            file_name = row[file_column].strip() if file_column < len(row) else ""
            text = [row[text_column]] if text_column < len(row) else []
            problem = None if file_name else "names no file"
            if len(row) > len(header):  # and so no telling which is the name
                problem, file_name = (
                    f"has {len(row)} fields, not {len(header)}: put the caption in quotes",
                    "",
                )
            yield line, file_name, text, problem
    finally:
        csv.field_size_limit(old_limit)


def _json_rows(name, content):
    """Yields (line, file name, list of texts, problem)."""
    # Not splitlines(), which would split inside of strings, at U+2028 for example.
    for line, row in enumerate(content.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            row = json.loads(row)
        except (ValueError, RecursionError) as error:
            yield line, None, [], f"is not JSON: {error}"
            continue
        file_name = row.get("file_name") if isinstance(row, dict) else None
        if not isinstance(file_name, str) or not file_name:
            yield line, None, [], 'has no "file_name" that is a string'
            continue
        text = row.get("text")
        texts = text if isinstance(text, list) else [] if text is None else [text]
        is_text = all(isinstance(entry, str) for entry in texts)
        problem = None if is_text else 'has a "text" that is not a string'
        yield line, file_name, texts if is_text else [], problem


class _Locator:
    """Finds the file that a metadata row means."""

    def __init__(self, root, files):
        self.root = root
        self.files = files

    @functools.cached_property
    def similar(self):
        """Spelling -> file, or None where it could be several."""
        # Systems write accented letters in one or two code points, and ignore or respect case.
        similar = {}
        for name in self.files:
            for key in {_normalize(name), _normalize(name).casefold()}:
                similar[key] = name if similar.get(key, name) == name else None
        return similar

    def __call__(self, directory, file_name):
        """Returns (path in the folder, None) or (None, problem)."""
        plain = f"{directory}/{file_name}" if directory else file_name
        if plain in self.files:
            return plain, None
        for spelling in dict.fromkeys([file_name, file_name.replace("\\", "/")]):
            path = os.path.normpath(os.path.join(self.root, directory, spelling))  # noqa: PTH118
            if not Path(path).is_relative_to(self.root):
                return None, "lies outside of the folder"
            name = Path(path).relative_to(self.root).as_posix()
            if name in self.files:
                return name, None
            for key in (_normalize(name), _normalize(name).casefold()):
                if self.similar.get(key):
                    return self.similar[key], None
        return None, "is missing"


def _normalize(name):
    return unicodedata.normalize("NFC", name)


def _read_text_files(root, files, captions, problems, report_lonely):
    """Adds the captions of the pictures that have a text file of their name, and no row of metadata."""
    texts = {_normalize(name[:-4]): name for name in files if name.lower().endswith(".txt")}
    lonely = set(texts)
    for name in files:
        stem, dot, suffix = name.rpartition(".")
        if (dot + suffix).lower() not in PICTURE_SUFFIXES:
            continue
        stem = _normalize(stem)
        lonely.discard(stem)
        if name in captions or name in problems:
            continue
        if stem not in texts:
            problems[name] = "has no caption"
        elif files[texts[stem]].problem:
            problems[name] = f"has no caption: {texts[stem]} {files[texts[stem]].problem}"
        else:
            try:
                found = _split_phrasings([read_text(Path(root, texts[stem]))])
            except (OSError, ValueError) as error:
                problems[name] = f"has a caption that cannot be read: {error}"
                continue
            if found:
                captions[name] = found
            else:
                problems[name] = "has an empty caption"
    if report_lonely:
        problems.update({texts[stem]: "has no picture of its name beside it" for stem in lonely})
