"""Which pictures of a folder have captions, before any picture is read."""

from dataclasses import dataclass
from pathlib import Path

from keras_t2i.data.folder.captions import read_captions
from keras_t2i.data.folder.image_files import KINDS
from keras_t2i.data.folder.image_files import PICTURE_SUFFIXES
from keras_t2i.data.folder.metadata import CAPTION_COLUMNS
from keras_t2i.data.folder.metadata import METADATA_NAMES
from keras_t2i.data.folder.report import account
from keras_t2i.data.folder.scan import Scan
from keras_t2i.data.folder.scan import scan_folder
from keras_t2i.utils.files import expanded

# What programs write where there is no caption, and what is read as one.
NO_WORDS = {"nan", "none", "null", "<na>", "n/a"}


@dataclass
class Listing:
    """Pictures with captions, by name, and all that was found on the way.

    Attributes:
        folder: path.
        scan: `Scan`, of all files.
        captions: dict of name -> list of str.
        names: list of the pictures that can be tried, sorted.
        problems: dict of name -> why it is left out.
        sources: dict of name -> set of the files that its captions come from.
    """

    folder: Path
    scan: Scan
    captions: dict[str, list[str]]
    names: list[str]
    problems: dict[str, str]
    sources: dict[str, set[str]]

    def report(self, read, problems):
        """What became of every file, once the pictures were tried.

        Args:
            read: list of the names of pictures that were read.
            problems: dict of name -> problem of the others.

        Returns:
            `FolderReport`.

        Raises: ValueError where no picture was read.
        """
        report = account(self.folder, read, self.scan, self.problems | problems, self.sources)
        report.notes += notes_on(self.captions, read)
        if not read:
            raise ValueError(f"{_describe_search(self.folder, self.scan.files)}\n{report}")
        return report

    def state(self, names):
        """JSON that differs where one of these pictures' files does: name, bytes, time of last change."""
        files = self.scan.files
        return [[name, files[name].bytes, files[name].modified] for name in names]


def list_pictures(folder):
    """The pictures with captions of a folder: `Listing`.

    Raises:
        FileNotFoundError, NotADirectoryError: if `folder` is no folder.
        ValueError: if a metadata file is not UTF-8 or lacks its columns.
    """
    folder = expanded(folder)
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: give the folder that holds the pictures")
    scan = scan_folder(folder)
    captions, problems, sources = read_captions(folder, scan.files)
    problems = scan.problems | problems
    # What is wrong with the file itself matters more than its caption.
    for name, file in scan.files.items():
        if file.problem and (name in captions or name in problems):
            problems[name] = file.problem
    names = sorted(name for name in captions if name not in problems)
    return Listing(folder, scan, captions, names, problems, sources)


def notes_on(captions, names):
    """What looks wrong with the captions of the pictures that were read."""
    found = ((caption, name) for name in names for caption in captions[name])
    empty = [(caption, name) for caption, name in found if caption.casefold() in NO_WORDS]
    if not empty:
        return []
    words = " and ".join(repr(word) for word in sorted({caption for caption, _ in empty}))
    return [
        f"{len(empty)} of the captions are {words} (the first is of {empty[0][1]}), which programs write "
        "where there is none. They are taken as words: correct them, or leave the pictures out"
    ]


def _describe_search(folder, files):
    def count(*endings):
        return sum(name.lower().endswith(endings) for name in files)

    return (
        f"Found no picture with a caption in {folder}. Looked for metadata.csv or metadata.jsonl with the "
        f"columns file_name and text (or {', '.join(CAPTION_COLUMNS[1:])}), or a .txt file beside each "
        f"picture ({KINDS}). "
        f"Found {count(*PICTURE_SUFFIXES)} pictures, {count(*METADATA_NAMES)} metadata files and "
        f"{count('.txt')} .txt files among {len(files)} files."
    )
