"""Where the data sets of Hugging Face lie on this disk. Nothing is fetched; no code of theirs runs."""

import json
import os
import re
from pathlib import Path

from keras_t2i.utils.files import expanded
from keras_t2i.utils.folders import read_text

PREFIX = "hf:"
INFO, SAVED, SAVED_SPLITS = "dataset_info.json", "state.json", "dataset_dict.json"  # of `save_to_disk`
FILE_NAME = re.compile(r"[\w.-]*\w")
SPLITS = ("train", "validation", "valid", "val", "dev", "test")  # as files' names have them
# "data/train-00000-of-00002.parquet" and "name-train.arrow" are of the split "train".
OF_SPLIT = [re.compile(rf"(?:.*[/-])?(\w+(?:\.\w+)*){end}") for end in (r"-\d+-of-\d+[^/]*", r"\.arrow")]
NUMBERED = re.compile(r"(.*?)(\d+)-of-(\d+)(.*)", re.DOTALL)


def is_saved(folder):
    """Whether a folder is one of `Dataset.save_to_disk` or `DatasetDict.save_to_disk`."""
    folder = Path(folder)
    return (folder / SAVED_SPLITS).is_file() or ((folder / SAVED).is_file() and (folder / INFO).is_file())


def saved_files(folder, split=None):
    """The Arrow files of a folder of `save_to_disk`: dict of name -> path.

    Raises: ValueError where the split is not there, or the folder is damaged.
    """
    folder = Path(folder)
    if (folder / SAVED_SPLITS).is_file():
        known, split = _read(folder / SAVED_SPLITS, "splits"), split or "train"
        if split not in known or not FILE_NAME.fullmatch(split):
            known = ", ".join(map(str, known))
            raise ValueError(f"{folder} has no split {split!r}, it has {known}: choose one with `--split`")
        return {f"{split}/{name}": file for name, file in saved_files(folder / split).items()}
    if split:
        raise ValueError(f"{folder} is one split of a data set: leave out `--split`")
    if _read(_there(folder / SAVED), "_indices_data_files", []):
        raise ValueError(f"{folder} has its rows in an order of its own: save `dataset.flatten_indices()`")
    entries = _read(folder / SAVED, "_data_files")
    names = [entry.get("filename") if isinstance(entry, dict) else None for entry in entries]
    if not all(isinstance(name, str) and FILE_NAME.fullmatch(name) for name in names):
        raise ValueError(f"{folder / SAVED} names a file that lies outside of its folder")
    return {name: _there(folder / name) for name in names}


def cached_files(name, split=None):
    """The files of a data set in the caches of Hugging Face, `HF_HOME` or ~/.cache/huggingface.

    Args:
        name: str, `hf:user/name`, and perhaps `/config`.
        split: str; `None`: "train".

    Returns:
        The folder, and a dict of name -> path: Arrow files that `datasets` prepared, else Parquet or tar
        files that were downloaded from the hub.

    Raises:
        FileNotFoundError: there are none.
        ValueError: it has several configurations, or lacks the split, or was not fetched to the end.
    """
    split, parts = split or "train", name.removeprefix(PREFIX).split("/")
    if not 1 <= len(parts) <= 3 or not all(map(FILE_NAME.fullmatch, parts)):
        raise ValueError(
            f"{name} is no name of a data set: write {PREFIX}user/name, or {PREFIX}user/name/config"
        )
    repository, config = "/".join(parts[:2]), "".join(parts[2:])
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = expanded(os.environ.get("HF_HOME") or f"{caches}/huggingface")
    prepared = expanded(os.environ.get("HF_DATASETS_CACHE") or home / "datasets")
    hub = expanded(os.environ.get("HF_HUB_CACHE") or home / "hub")
    for folder, files in (_prepared(prepared, repository, config), _downloaded(hub, repository, config)):
        if files:
            return folder, _of_split(name, files, split)
    raise FileNotFoundError(
        f"There is no data set {'/'.join(parts)} in {prepared} or {hub}; nothing is downloaded here: run "
        f"`hf download {repository} --repo-type dataset`, or set HF_HOME to where it is"
    )


def _prepared(cache, repository, config):
    """What `datasets` made of one: CACHE/user___name/config/version/hash/name-train-00000-of-00002.arrow."""
    wanted = _spelled(repository.replace("/", "___"))
    folders = [f for f in cache.glob("*/") if _spelled(f.name) == wanted]
    found = [info.parent for folder in folders for info in folder.glob(f"*/*/*/{INFO}")]
    # A cached configuration may have a suffix of its own: "default-0123456789abcdef".
    found = [f for f in found if not config or f.parents[1].name.partition("-")[0] == config]
    found = [f for f in found if not f.name.endswith(".incomplete")]
    if len(found) > 1:
        known = ", ".join(f.relative_to(cache).as_posix() for f in sorted(found))
        raise ValueError(
            f"{PREFIX}{repository} has several configurations or versions in {cache} ({known}): name a "
            "configuration as user/name/config, or make shards of the `*.arrow` files of one"
        )
    if not found:
        return cache, {}
    files = sorted(found[0].glob("*.arrow"))  # those of `map` and `filter` are called cache-*
    return found[0], {file.name: file for file in files if not file.name.startswith("cache-")}


def _spelled(name):
    return name.lower().replace("_", "")  # `datasets` writes CelebA as celeb_a


def _downloaded(hub, repository, config):
    """What was fetched: HUB/datasets--user--name/snapshots/REVISION/data/train-00000-of-00002.parquet."""
    folder = hub / f"datasets--{repository.replace('/', '--')}"
    snapshots = sorted(folder.glob("snapshots/*/"))
    main = folder / "refs" / "main"
    if main.is_file():
        revision = main.read_text(encoding="utf-8").strip()
        snapshots = [snapshot for snapshot in snapshots if snapshot.name == revision]
    if len(snapshots) > 1:
        known = ", ".join(snapshot.name for snapshot in snapshots)
        raise ValueError(f"{PREFIX}{repository} has several revisions in {folder} ({known}): fetch it again")
    if not snapshots:
        return folder, {}
    for suffix in ("parquet", "tar"):
        files = sorted(snapshots[0].glob(f"{config or '.'}/**/*.{suffix}"))
        if files:
            outside = [file for file in files if not file.resolve().is_relative_to(folder.resolve())]
            if outside:
                raise ValueError(f"{outside[0]} is a link that leaves the cache")
            return snapshots[0], {f.relative_to(snapshots[0]).as_posix(): _there(f) for f in files}
    return folder, {}


def _of_split(name, files, split):
    """Those files whose names say that they are of the split; all where no name says of which it is."""
    of_file = {file: _split_in(file, split) for file in files}
    known = sorted({found for found in of_file.values() if found})
    chosen = {file: path for file, path in files.items() if of_file[file] == split}
    if not chosen and (known or split != "train"):
        raise ValueError(f"{name} has no split {split!r}, it has {', '.join(known) or 'none'}: see `--split`")
    chosen = chosen or files
    folders = sorted({file.rpartition("/")[0] for file in chosen})
    if len(folders) > 1:
        raise ValueError(f"{name} has several configurations: name one of {', '.join(map(repr, folders))}")
    for file in chosen:
        numbered = NUMBERED.fullmatch(file)
        if numbered:
            start, number, total, end = numbered.groups()
            every = [f"{start}{n:0{len(number)}}-of-{total}{end}" for n in range(int(total))]
            lacking = [wanted for wanted in every if wanted not in files]
            if lacking:
                raise ValueError(f"{name} was not fetched to the end: {lacking[0]} is missing")
    return chosen


def _split_in(file, wanted):
    """The split that the name of a file says, or `None`."""
    named = next((found[1] for found in (of.fullmatch(file) for of in OF_SPLIT) if found), None)
    if named == wanted or (named and file.endswith(".arrow")):
        return named
    if named and {*SPLITS} & {*re.split(r"[._]", named.lower())}:  # "train_small" is a split, "shard" is none
        return named
    words = [word for word in re.split(r"[^a-z0-9]+", file.lower()) if word in {*SPLITS, wanted.lower()}]
    return None if not words else wanted if words[-1] == wanted.lower() else words[-1]


def _there(file):
    if not file.is_file():
        raise ValueError(f"{file} is missing: the data set was not written or fetched to the end")
    return file


def _read(file, key, default=None):
    """The list that a file of JSON has at a key."""
    try:
        found = json.loads(read_text(file)).get(key) or default
        if isinstance(found, list):
            return found
    except (ValueError, AttributeError, RecursionError):
        pass
    raise ValueError(f"{file} is damaged: save the data set again")
