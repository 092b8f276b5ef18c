"""Keeps arrays that took long to make in a file, so that the next start is quick."""

import hashlib
import json
import warnings
import zipfile
import zlib

import numpy as np

from keras_t2i.utils.files import atomic_file


def fingerprint(value):
    """A short string that is the same for equal values of JSON, and differs for others."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()


def load_cached(path, key):
    """The `(pictures, facts)` that `save_cached` wrote under the same key, or None.

    None too if there is no file, or it is damaged (its check sums do not fit), or it cannot be read.
    """
    try:
        with np.load(path) as cached:
            facts = json.loads(cached["facts"].tobytes())
            return (cached["pictures"], facts["facts"]) if facts["key"] == key else None
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
    ):
        return None


def save_cached(path, key, pictures, facts):
    """Writes an array and facts (JSON) to `path`, whole or not at all; warns if it cannot be done."""
    facts = np.frombuffer(json.dumps({"key": key, "facts": facts}).encode(), dtype="uint8")
    try:
        with atomic_file(path) as file:
            np.savez(file, pictures=pictures, facts=facts)
    except OSError as error:
        warnings.warn(
            f"No cache was written, so the next start takes as long as this one: {error}. "
            "KERAS_T2I_CACHE names another folder for it.",
            stacklevel=2,
        )
