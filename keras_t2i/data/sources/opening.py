"""Which kind of source something is, and opening it."""

import os
from pathlib import Path

from keras_t2i.data.folder.image_files import PICTURE_SUFFIXES
from keras_t2i.data.folder.scan import scan_folder
from keras_t2i.data.sources import huggingface
from keras_t2i.data.sources import tfds
from keras_t2i.data.sources.arrow import ArrowSource
from keras_t2i.data.sources.arrow import ParquetSource
from keras_t2i.data.sources.folder import FolderSource
from keras_t2i.data.sources.tar import TarSource
from keras_t2i.data.sources.tfds import TFDSSource
from keras_t2i.utils.files import expanded

OF_FILES = {".parquet": ParquetSource, ".tar": TarSource, ".arrow": ArrowSource}
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
UNPACK = "is compressed: unpack it to a .tar file, which is read"
SOURCES = (
    "a folder of captioned pictures; a .parquet, .arrow or .tar file or a folder of them; a folder of "
    "`save_to_disk`; hf:user/name; tfds:name"
)


def open_source(source, split=None, columns=None):
    """The examples of a source, a `Source`.

    Args:
        source: path or str: one of `SOURCES`.
        split: str, of a data set by name, or of a folder of `DatasetDict.save_to_disk`; `None`: "train".
        columns: two names, of the columns of pictures and captions of a table; `None`: the usual ones.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such file or folder, or it is of no kind.
        ValueError: it is damaged, or has no split or columns of these names.
        ImportError: a package that it needs is not installed.
    """
    name = str(source)
    if columns is not None and len(columns) != 2:
        raise ValueError(f"`columns` are two, of pictures and of captions, received {len(columns)}")
    if name.startswith(tfds.PREFIX):
        return TFDSSource(name, split or "train", columns)
    if name.startswith(huggingface.PREFIX):
        folder, files = huggingface.cached_files(name, split)
        origin = f"the data set {name.removeprefix(huggingface.PREFIX)} of Hugging Face"
        return _of_files(files, folder, name, origin, columns)
    path = expanded(source)
    if not path.exists():
        raise FileNotFoundError(f"There is no folder or file {source}")
    if path.is_dir() and huggingface.is_saved(path):
        files = huggingface.saved_files(path, split)
        return _of_files(files, path, path, f"the data set in {path.resolve().name}", columns)
    if split is not None:
        raise ValueError(f"{source} has no splits: leave out `--split {split}`")
    kind = kind_of(path)
    if kind is None:
        if not path.is_dir():
            raise NotADirectoryError(f"{source} is a file of no kind that is read: give {SOURCES}")
        if columns:
            raise ValueError(f"{source} is no table: leave out `--columns`")
        return FolderSource(path)
    if path.is_dir():
        files = {name: path / name for name in sorted(_found(path, kind))}
        return _of_files(files, path, path, f"the files in {path.resolve().name}", columns)
    return _of_files({path.name: path}, path, path, f"the file {path.name}", columns)


def kind_of(path):
    """What files a source consists of: a key of `OF_FILES`; `None`: it is a folder of pictures, or nothing.

    A folder with a picture in it is a folder of pictures, whatever else it has.

    Raises: ValueError for files that are packed, and for a folder of several kinds.
    """
    path = expanded(path)
    if not path.is_dir():
        if path.name.lower().endswith(PACKED):
            raise ValueError(f"{path} {UNPACK}")
        return path.suffix.lower() if path.is_file() and path.suffix.lower() in OF_FILES else None
    kinds, packed = set(), None
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            suffix = Path(name).suffix.lower()
            if name.startswith("."):
                continue
            if suffix in PICTURE_SUFFIXES:
                return None
            kinds |= {suffix} & {*OF_FILES}
            packed = f"{folder}/{name}" if name.lower().endswith(PACKED) else packed
    if packed:
        raise ValueError(f"{packed} {UNPACK}")
    if len(kinds) > 1:
        raise ValueError(f"{path} has files of several kinds ({', '.join(sorted(kinds))}): name files of one")
    return next(iter(kinds), None)


def is_prepared_first(source):
    """Whether a source is one that shards can be made of, and no folder of pictures or of shards."""
    path = expanded(source)
    if str(source).startswith((tfds.PREFIX, huggingface.PREFIX)):
        return True
    return (path.is_dir() and huggingface.is_saved(path)) or kind_of(path) is not None


def _found(folder, kind):
    """Names of the files of a kind. Raises: ValueError for those that cannot be read."""
    for name, file in scan_folder(folder).files.items():
        if name.lower().endswith(kind):
            if file.problem:
                raise ValueError(f"{folder / name} {file.problem}")
            yield name


def _of_files(files, place, title, origin, columns):
    kinds = {
        path.suffix.lower() if path.suffix else Path(name).suffix.lower() for name, path in files.items()
    }
    kind = next(iter(kinds), None)
    if kind not in OF_FILES or len(kinds) > 1:
        raise ValueError(f"{title} has no files that can be read, or several kinds of them")
    if kind == ".tar":
        if columns:
            raise ValueError(f"{title} is no table: leave out `--columns`")
        return TarSource(files, place, title, origin)
    return OF_FILES[kind](files, place, title, origin, columns)
