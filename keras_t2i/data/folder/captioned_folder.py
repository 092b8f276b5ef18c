"""A person's own pictures: a folder with captions in metadata files or in text files beside them."""

import hashlib
import unicodedata
import warnings
from pathlib import Path

import numpy as np

from keras_t2i.data.captioned_images import CaptionedImages
from keras_t2i.data.folder.cache import fingerprint
from keras_t2i.data.folder.cache import load_cached
from keras_t2i.data.folder.cache import save_cached
from keras_t2i.data.folder.image_files import keep_rows
from keras_t2i.data.folder.image_files import read_square_pictures
from keras_t2i.data.folder.listing import list_pictures
from keras_t2i.utils.annotations import Place
from keras_t2i.utils.caches import cache_dir

VALIDATION_FRACTION = 0.05
DIGEST_BYTES = 16


def load_captioned_folder(
    folder: Place,
    split: str = "train",
    size: int = 32,
    validation_fraction: float = VALIDATION_FRACTION,
) -> CaptionedImages:
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
    kept = in_validation(data.names, data.groups, validation_fraction)
    chosen = np.flatnonzero(kept == (split == "validation"))
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
    if size < 1:
        raise ValueError(f"`size` must be at least 1, received {size}")
    listing = list_pictures(folder)
    pictures, names, problems = _read_pictures_cached(listing, size)
    report = listing.report(names, problems)
    data = CaptionedImages(
        pictures=pictures,
        captions=[listing.captions[name] for name in names],
        names=names,
        groups=number_groups(map(digest_of, pictures)),
        source=source_of(listing.folder),
    )
    return data, report


def source_of(folder):
    """What a folder's pictures say of where they come from."""
    return f"the folder {Path(folder).resolve().name}"


def _read_pictures_cached(listing, size):
    root = str(listing.folder.resolve())
    key = fingerprint([root, size, listing.state(listing.names)])
    # One file for a folder and size: a folder that changes every day leaves no old ones behind.
    path = cache_dir() / "captioned_folder" / f"{fingerprint([root, size])}.npz"
    cached = load_cached(path, key)
    if cached:
        pictures, (readable, problems) = cached
        return pictures, readable, problems
    pictures, readable, problems = read_square_pictures(listing.folder, listing.names, size)
    if readable:
        save_cached(path, key, pictures, [readable, problems])
    return pictures, readable, problems


def digest_of(picture):
    """A str that is the same for pictures, uint8 `(s, s, 3)`, that are equal in every pixel."""
    return hashlib.blake2b(np.ascontiguousarray(picture), digest_size=DIGEST_BYTES).hexdigest()


def number_groups(digests):
    """int64 `(n,)`: numbers from 0 in the order in which they first come, equal where n digests, an iterable
    of `digest_of`, are."""
    # Sorted bytes: a dict of a million strings takes six times the memory.
    digests = np.fromiter(digests, f"S{2 * DIGEST_BYTES}")
    _, first, members = np.unique(digests, return_index=True, return_inverse=True)
    numbers = np.empty(len(first), "int64")
    numbers[np.argsort(first)] = np.arange(len(first))
    return numbers[members]


def in_validation(names, groups, fraction, stacklevel=3):
    """bool `(n,)`, which pictures are kept for validation. Identical ones follow the first of them; of two
    different ones or more, neither part is left empty.

    Args:
        names: list of n str: paths, sorted, or what another source calls its examples, in its order.
        groups: int64 `(n,)`, of `number_groups`.
        fraction: 0 to 1.
        stacklevel: int, of the warning that a picture was moved.
    """
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    positions = np.array([_position(names[i]) for i in first])
    chosen = positions < fraction
    if 0 < fraction < 1 and len(first) >= 2 and chosen.all() | (~chosen).all():
        moved = positions.argmax() if chosen.all() else positions.argmin()
        chosen[moved] = ~chosen[moved]
        part = "validation" if chosen[moved] else "training"
        warnings.warn(
            f"There are only {len(first)} different pictures: {names[first[moved]]!r} was put "
            f"into the {part} split, which would be empty",
            stacklevel=stacklevel,
        )
    return chosen[members]


def _position(name):
    """A number from 0 to 1 that depends on the name alone, however the system writes accents."""
    name = unicodedata.normalize("NFC", name).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") / 2**64
