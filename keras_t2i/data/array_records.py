"""The package array_record, which reads and writes ArrayRecord files: an extra, imported where it is used."""

import importlib


def array_record(module="array_record_module", what="Shards need", otherwise=""):
    """A module of the package.

    Args:
        module: str, its name.
        what, otherwise: str, how the error begins, and what it says can be done instead.

    Raises: ImportError that says how to install it.
    """
    try:
        return importlib.import_module(f"array_record.python.{module}")
    except ImportError:
        raise ImportError(
            f"{what} the package array_record, for Linux and macOS: "
            f'pip install "keras-t2i[shards]"{otherwise}'
        ) from None
