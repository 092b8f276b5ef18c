"""A person's own pictures: a folder with captions in metadata files or in text files beside them."""

import hashlib
import unicodedata
import warnings
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import numpy as np

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.folder.cache import cache_dir
from keras_t2i.data.folder.cache import fingerprint
from keras_t2i.data.folder.cache import load_cached
from keras_t2i.data.folder.cache import save_cached
from keras_t2i.data.folder.captions import PICTURE_SUFFIXES
from keras_t2i.data.folder.captions import read_captions
from keras_t2i.data.folder.image_files import keep_rows
from keras_t2i.data.folder.image_files import read_square_pictures
from keras_t2i.data.folder.metadata import METADATA_NAMES
from keras_t2i.data.folder.scan import scan_folder

SHOWN_PROBLEMS = 20


@dataclass
class FolderReport:
    """What was left out of a folder.

    Attributes:
        folder: path.
        num_usable: int, how many pictures have a caption and could be read.
        problems: dict of path in the folder (or place in a metadata file) -> why it was left out.
    """

    folder: Path
    num_usable: int = 0
    problems: dict[str, str] = field(default_factory=dict)

    def __str__(self):
        lines = [f"{self.folder}: {self.num_usable} pictures with captions, {len(self.problems)} left out:"]
        lines += [f"  {name} {problem}" for name, problem in list(self.problems.items())[:SHOWN_PROBLEMS]]
        if len(self.problems) > SHOWN_PROBLEMS:
            more = len(self.problems) - SHOWN_PROBLEMS
            lines.append(f"  and {more} more: read_captioned_folder(folder) returns a report of all")
        # Names may hold bytes that no terminal can print.
        return "\n".join(lines).encode("utf-8", "backslashreplace").decode()


def load_captioned_folder(folder, split="train", size=32, validation_fraction=0.05):
    """Loads the pictures and captions of a folder, or one part of them.

    The captions are, for each picture, the rows of a `metadata.csv` or `metadata.jsonl` with `file_name`
    (relative to the metadata file) and `text`, the Hugging Face ImageFolder convention; for a picture
    without a row, the lines of a text file of its name (`cat.png`, `cat.txt`). Each line and each row is a
    caption of its own. Folders may be nested. Pictures are PNG, JPEG, WebP or GIF and are fitted as
    `image_files.read_square_picture` says: laid on white, resized by the short side, cut to the square in the
    middle. What cannot be used is left out, with one warning that names it and says why.

    The split depends on the file's path within the folder alone, except that pixel-identical pictures stay
    together and that, of two different pictures or more, neither part is left empty.

    The fitted pictures are kept in `KERAS_T2I_CACHE` (by default `~/.cache/keras_t2i`).

    Args:
        folder: path of the folder.
        split: `"train"`, `"validation"` or `"all"`.
        size: int, pixels.
        validation_fraction: 0 to 1, the share of the validation pictures.

    Returns:
        `CaptionedImages`, sorted by path.

    Raises:
        FileNotFoundError, NotADirectoryError: if `folder` is no folder.
        ValueError: if nothing in it can be used; if the split is empty; if a metadata file is not UTF-8
            or lacks its columns.
    """
    if split not in ("train", "validation", "all"):
        raise ValueError(f'`split` must be "train", "validation" or "all", received {split!r}')
    if not 0 <= validation_fraction <= 1:
        raise ValueError(f"`validation_fraction` must be between 0 and 1, received {validation_fraction}")
    data, report = read_captioned_folder(folder, size)
    if report.problems:
        warnings.warn(str(report), stacklevel=2)
    if split == "all":
        return data
    in_validation = _in_validation(data, validation_fraction)
    chosen = np.flatnonzero(in_validation == (split == "validation"))
    if len(chosen) == 0:
        raise ValueError(
            f"The {split} split of {folder} is empty: {len(np.unique(data.groups))} different pictures, "
            f"validation_fraction={validation_fraction}"
        )
    return CaptionedImages(
        pictures=keep_rows(data.pictures, chosen),
        captions=[data.captions[i] for i in chosen],
        names=[data.names[i] for i in chosen],
        groups=data.groups[chosen],
        source=data.source,
    )


def read_captioned_folder(folder, size=32):
    """Reads all that can be used of a folder, without a warning.

    Args:
        folder: path of the folder, as `load_captioned_folder` takes it.
        size: int, pixels.

    Returns:
        `CaptionedImages` and `FolderReport`.

    Raises:
        As `load_captioned_folder`.
    """
    folder = Path(folder).expanduser()
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: give the folder that holds the pictures")
    if size < 1:
        raise ValueError(f"`size` must be at least 1, received {size}")
    files, problems = scan_folder(folder)
    captions, caption_problems = read_captions(folder, files)
    problems |= caption_problems
    # What is wrong with the file itself matters more than its caption.
    for name, file in files.items():
        if file.problem and (name in captions or name in problems):
            problems[name] = file.problem
    names = sorted(name for name in captions if name not in problems)
    pictures, names, picture_problems = _read_pictures_cached(folder, names, files, size)
    problems = dict(sorted((problems | picture_problems).items()))
    report = FolderReport(folder, len(names), problems)
    if not names:
        message = _describe_search(folder, files)
        raise ValueError(f"{message}\n{report}" if problems else message)
    data = CaptionedImages(
        pictures=pictures,
        captions=[captions[name] for name in names],
        names=names,
        groups=_group_identical(pictures),
        source=f"the folder {folder.resolve().name}",
    )
    return data, report


def _read_pictures_cached(folder, names, files, size):
    root = str(folder.resolve())
    key = fingerprint([root, size, [[name, files[name].bytes, files[name].modified] for name in names]])
    # One file for a folder and size: a folder that changes every day leaves no old ones behind.
    path = cache_dir() / "captioned_folder" / f"{fingerprint([root, size])}.npz"
    cached = load_cached(path, key)
    if cached:
        pictures, (readable, problems) = cached
        return pictures, readable, problems
    pictures, readable, problems = read_square_pictures(folder, names, size)
    if readable:
        save_cached(path, key, pictures, [readable, problems])
    return pictures, readable, problems


def _describe_search(folder, files):
    def count(*endings):
        return sum(name.lower().endswith(endings) for name in files)

    return (
        f"Found no picture with a caption in {folder}. Looked for metadata.csv or metadata.jsonl with the "
        "columns file_name and text, or a .txt file beside each picture (PNG, JPEG, WebP, GIF). "
        f"Found {count(*PICTURE_SUFFIXES)} pictures, {count(*METADATA_NAMES)} metadata files and "
        f"{count('.txt')} .txt files among {len(files)} files."
    )


def _group_identical(pictures):
    """int64 `(n,)`: numbers from 0, equal for pictures that are equal in every pixel."""
    numbers = {}
    digests = (hashlib.blake2b(picture, digest_size=16).digest() for picture in pictures)
    return np.array([numbers.setdefault(digest, len(numbers)) for digest in digests], dtype="int64")


def _in_validation(data, fraction):
    """bool `(n,)`. Identical pictures follow the one whose path sorts first."""
    _, first, members = np.unique(data.groups, return_index=True, return_inverse=True)
    positions = np.array([_position(data.names[i]) for i in first])
    chosen = positions < fraction
    if 0 < fraction < 1 and len(first) >= 2 and chosen.all() | (~chosen).all():
        moved = positions.argmax() if chosen.all() else positions.argmin()
        chosen[moved] = ~chosen[moved]
        part = "validation" if chosen[moved] else "training"
        warnings.warn(
            f"The folder has only {len(first)} different pictures: {data.names[first[moved]]!r} was put "
            f"into the {part} split, which would be empty",
            stacklevel=3,
        )
    return chosen[members]


def _position(name):
    """A number from 0 to 1 that depends on the name alone, however the system writes accents."""
    name = unicodedata.normalize("NFC", name).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") / 2**64
