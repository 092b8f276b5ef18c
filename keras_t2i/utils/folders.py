"""Whose a folder is, looked at before anything is written into it. Nothing is written here."""

import json
import os
import stat
from pathlib import Path

from keras_t2i.utils.files import PARTIAL
from keras_t2i.utils.files import current_set
from keras_t2i.utils.files import expanded

LARGEST_TEXT = 64 * 2**20  # bytes; the vocabularies of the largest text models have a tenth of this


def contains(folder, other):
    """Whether `other`, which may not exist, is or lies in `folder`, whatever links and mounts lead there."""
    other = Path(os.path.realpath(expanded(other)))
    folder = Path(os.path.realpath(expanded(folder)))
    if not folder.exists():
        return False
    return any(parent.exists() and parent.samefile(folder) for parent in (other, *other.parents))


def check_apart(output, data):
    """Raise a ValueError if the folder of results is the folder of the data, holds it or lies in it."""
    if contains(data, output) or contains(output, data):
        raise ValueError(
            f"The output folder {output} is the data folder {data}, holds it, or lies in it. Choose an "
            "output folder beside the data, so that neither is taken for the other"
        )


def check_ours(folder, name, is_ours, lacks="was not written by this command", nobodys=PARTIAL):
    """Raise a FileExistsError if something lies in a folder and its file `name` does not show it to be ours.

    Args:
        folder: path; it may not exist.
        name: of a file of JSON in it that we write before all others.
        is_ours: function of what that file holds to a bool. Where it holds something else, it may raise a
            LookupError, TypeError or AttributeError.
        lacks: str, what the sentence says of a folder that is not ours.
        nobodys: pattern of the names that do not count as something.
    """
    folder = expanded(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: choose a folder.")
    others = [entry.name for entry in folder.iterdir() if not nobodys.fullmatch(entry.name)]
    file = current_set(folder) / name
    try:
        if not others or is_ours(json.loads(read_text(file))):
            return
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    why = f"{name} is another's, or damaged" if file.exists() else f"there is {min(others)}"
    raise FileExistsError(f"{folder} is not empty and {lacks} ({why}): choose another folder.")


def read_text(path, largest=LARGEST_TEXT):
    """The text of a regular file of at most so many bytes, in UTF-8.

    Raises: OSError, UnicodeDecodeError. Nothing is read of what is no regular file: a pipe would never end.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} is not a regular file")
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise OSError(f"there are more than {largest / 2**20:.0f} MiB, which no file of this kind needs")
    return content.decode("utf-8")
