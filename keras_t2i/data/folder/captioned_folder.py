"""A person's own pictures: a folder with captions in metadata files or in text files beside them."""

import hashlib
import unicodedata
import warnings

import numpy as np

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.folder.cache import cache_dir
from keras_t2i.data.folder.cache import fingerprint
from keras_t2i.data.folder.cache import load_cached
from keras_t2i.data.folder.cache import save_cached
from keras_t2i.data.folder.captions import read_captions
from keras_t2i.data.folder.image_files import KINDS
from keras_t2i.data.folder.image_files import PICTURE_SUFFIXES
from keras_t2i.data.folder.image_files import keep_rows
from keras_t2i.data.folder.image_files import read_square_pictures
from keras_t2i.data.folder.metadata import CAPTION_COLUMNS
from keras_t2i.data.folder.metadata import METADATA_NAMES
from keras_t2i.data.folder.report import account
from keras_t2i.data.folder.scan import scan_folder
from keras_t2i.utils.files import expanded

# What programs write where there is no caption, and what is read as one.
NO_WORDS = {"nan", "none", "null", "<na>", "n/a"}


def load_captioned_folder(folder, split="train", size=32, validation_fraction=0.05):
    """Loads the pictures and captions of a folder, or one part of them.

    The captions are, for each picture, the rows of a `metadata.csv` or `metadata.jsonl` with `file_name`
    (relative to the metadata file) and `text`, the Hugging Face ImageFolder convention (or the other columns
    of `metadata`); for a picture without a row, the lines of a text file of its name (`cat.png`, `cat.txt`).
    Each line and each row is a caption of its own. Folders may be nested. Pictures are of the kinds of
    `image_files.FORMATS` and are fitted as `image_files.read_square_picture` says: laid on white, resized by
    the short side, cut to the square in the middle. What cannot be used is left out, with one warning that
    names it and says why, and what became of every file.

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
    if report.problems or report.notes:
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
        FileNotFoundError, NotADirectoryError, ValueError: as of `load_captioned_folder`.
    """
    folder = expanded(folder)
    if not folder.exists():
        raise FileNotFoundError(f"There is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file: give the folder that holds the pictures")
    if size < 1:
        raise ValueError(f"`size` must be at least 1, received {size}")
    scanned = scan_folder(folder)
    files = scanned.files
    captions, problems, sources = read_captions(folder, files)
    problems = scanned.problems | problems
    # What is wrong with the file itself matters more than its caption.
    for name, file in files.items():
        if file.problem and (name in captions or name in problems):
            problems[name] = file.problem
    names = sorted(name for name in captions if name not in problems)
    pictures, names, picture_problems = _read_pictures_cached(folder, names, files, size)
    report = account(folder, names, scanned, problems | picture_problems, sources)
    report.notes += _notes_on(captions, names)
    if not names:
        raise ValueError(f"{_describe_search(folder, files)}\n{report}")
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


def _notes_on(captions, names):
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
