"""Which captions the pictures of a folder have."""

import functools
import os
import unicodedata
from pathlib import Path

from keras_t2i.data.folder.image_files import OTHER_SUFFIXES
from keras_t2i.data.folder.image_files import PICTURE_SUFFIXES
from keras_t2i.data.folder.metadata import METADATA_NAMES
from keras_t2i.data.folder.metadata import csv_rows
from keras_t2i.data.folder.metadata import json_rows
from keras_t2i.data.folder.metadata import read_text


def read_captions(folder, files):
    """The captions of the files of a folder.

    Args:
        folder: the folder that was scanned.
        files: what `scan_folder` returned.

    Returns:
        A dict of path -> list of captions; a dict of path, or place in a metadata file -> problem; and a dict
        of path -> set of the text and metadata files that have its captions, empty ones too.

    Raises:
        ValueError: if a metadata file is not UTF-8 or lacks the columns of names and captions.
    """
    root = os.path.realpath(folder)
    captions, problems, sources = {}, {}, {}
    metadata = sorted(name for name in files if name.rpartition("/")[2].lower() in METADATA_NAMES)
    locate = _Locator(root, files)
    for name in metadata:
        if files[name].problem:
            problems[name] = files[name].problem
            continue
        read_rows = csv_rows if name.lower().endswith(".csv") else json_rows
        directory, of_file = name.rpartition("/")[0], frozenset([name])
        for line, file_name, text, problem in read_rows(name, read_text(Path(root, name))):
            picture = None
            if file_name:
                picture, missing = locate(directory, file_name)
                problem = problem or missing
                if picture is None and directory:  # not to be taken for a file of this name above it
                    file_name = f"{directory}/{file_name}"
            if picture is not None:
                # One set for all pictures of a file: sets of their own are 200 bytes a picture.
                sources[picture] = (
                    of_file if sources.get(picture, of_file) == of_file else sources[picture] | of_file
                )
            found = split_captions(text)
            if problem is None and not found:
                problem = "has an empty caption"
            if problem is None:
                captions.setdefault(picture, []).extend(found)
            else:
                problems.setdefault(picture or file_name or f"{name}, line {line}", problem)
    _read_text_files(root, files, captions, problems, sources, report_lonely=not metadata)
    captions = {name: list(dict.fromkeys(found)) for name, found in captions.items()}
    # A picture that has a caption in one row needs none in another.
    problems = {name: problem for name, problem in problems.items() if name not in captions}
    return captions, problems, sources


def split_captions(text):
    """Each line is a caption. Half of a surrogate pair, which no tokenizer takes, becomes "?"."""
    lines = [line.strip() for entry in text for line in entry.splitlines()]
    return [line.encode("utf-8", "replace").decode() for line in lines if line]


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
            for key in {_compose_accents(name), _compose_accents(name).casefold()}:
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
            for key in (_compose_accents(name), _compose_accents(name).casefold()):
                if self.similar.get(key):
                    return self.similar[key], None
        return None, "is missing"


def _compose_accents(name):
    """The name with each accented letter as one code point where there is one (NFC)."""
    return unicodedata.normalize("NFC", name)


def _read_text_files(root, files, captions, problems, sources, report_lonely):
    """Adds the captions of the pictures that have a text file of their name, and no row of metadata."""
    texts = {_compose_accents(name[:-4]): name for name in files if name.lower().endswith(".txt")}
    lonely = set(texts)
    for name in files:
        stem, dot, suffix = name.rpartition(".")
        if (dot + suffix).lower() not in (*PICTURE_SUFFIXES, *OTHER_SUFFIXES):
            continue
        stem = _compose_accents(stem)
        lonely.discard(stem)
        if name in captions or name in problems:
            continue
        if stem not in texts:
            problems[name] = "has no caption"
            continue
        sources[name] = sources.get(name, frozenset()) | {texts[stem]}
        if files[texts[stem]].problem:
            problems[name] = f"has no caption: {texts[stem]} {files[texts[stem]].problem}"
        else:
            try:
                found = split_captions([read_text(Path(root, texts[stem]))])
            except (OSError, ValueError) as error:
                problems[name] = f"has a caption that cannot be read: {error}"
                continue
            if found:
                captions[name] = found
            else:
                problems[name] = "has an empty caption"
    if report_lonely:
        problems.update({texts[stem]: "has no picture of its name beside it" for stem in lonely})
