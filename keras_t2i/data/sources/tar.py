"""Tar files of the webdataset convention: `key.jpg` beside `key.txt` or `key.json`. Nothing is extracted."""

import json
import re
import tarfile

from keras_t2i.data.folder.image_files import PICTURE_SUFFIXES
from keras_t2i.data.folder.metadata import CAPTION_COLUMNS
from keras_t2i.data.folder.metadata import texts_of
from keras_t2i.data.sources.source import FilesSource
from keras_t2i.data.sources.source import example_of

KEY = re.compile(r"((?:.*/)?[^/.][^/.]*)\.([^/]*)", re.DOTALL)  # "a/1.seg.png" is the key "a/1", "seg.png"
CAPTIONS = ("txt", "json")  # the first that there is
MOST_CAPTION, MOST_PICTURE = 2**20, 2**30  # bytes
PADDING = 2**20  # bytes of zeros that may follow an archive's end


class TarSource(FilesSource):
    """The examples of tar files, which are not compressed. An example is called FILE/KEY.

    Only where the members lie is in memory.

    Args:
        files, place, title, origin: as of `FilesSource`.

    Raises: ValueError where a file is damaged.
    """

    def __init__(self, files, place, title, origin):
        self._index, self._found = {}, ({}, {}, [])
        super().__init__(files, place, title, origin)
        self.problems, self.passed_over, self.notes = self._found

    def count(self, i):
        pictures, captions = {}, {}
        problems, passed_over, notes = self._found
        number, name = 0, self.names[i]
        for number, member in enumerate(_members(self.files[i], name, notes)):
            if member.isdir():
                continue
            path = member.name.removeprefix("./")
            label, parts = f"{name}/{path}", KEY.fullmatch(path)
            reason = _why_strange(member)
            if reason:
                problems[f"{label} (member {number})"] = reason
                continue
            if path.rpartition("/")[2].startswith((".", "__")):
                passed_over[f"{label} (member {number})"] = "begins with a dot or two underscores"
                continue
            key, suffix = parts.groups() if parts else (path, "")
            suffix, place = suffix.lower(), (member.offset_data, member.size)
            of_key = captions.setdefault(key, {})  # so that keys are in the order of the archive
            if suffix in CAPTIONS and suffix not in of_key:
                of_key[suffix] = place
            elif suffix in CAPTIONS or (key in pictures and f".{suffix}" in PICTURE_SUFFIXES):
                problems[f"{label} (member {number})"] = "is one more of its key"
            elif f".{suffix}" in PICTURE_SUFFIXES:
                pictures[key] = place
        self._index[i] = []
        for key, of_key in captions.items():
            suffix = next((suffix for suffix in CAPTIONS if suffix in of_key), None)
            if key in pictures and suffix:
                self._index[i].append((key, pictures[key], suffix, of_key[suffix]))
            else:
                lacking = "has no caption: no .txt or .json" if key in pictures else "has no picture"
                problems[f"{name}/{key}"] = lacking
        return len(self._index[i])

    def rows(self, i, first):
        with self.files[i].open("rb") as file:
            for key, picture, suffix, caption in self._index[i][first:]:
                texts, problem = [], None
                if caption[1] > MOST_CAPTION or picture[1] > MOST_PICTURE:
                    problem = "is larger than any picture or caption"
                else:
                    texts, problem = _texts(self._read(file, i, caption), suffix)
                content = None if problem else self._read(file, i, picture)
                if content == b"":
                    problem = "is empty (0 bytes)"
                yield example_of(f"{self.names[i]}/{key}", content, texts, problem)

    def _read(self, file, i, place):
        file.seek(place[0])
        content = file.read(place[1])
        if len(content) < place[1]:
            raise ValueError(f"{self.files[i]} became shorter while it was read")
        return content


def _members(path, name, notes):
    """Iterator of an archive's members. Raises: ValueError where it is damaged or was cut short."""
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            last = -1
            while (member := archive.next()) is not None:
                archive.members.clear()  # it would keep them all
                if archive.offset <= last:  # a negative size, which would lead in a circle
                    raise tarfile.ReadError(f"at byte {member.offset} is no header")
                last = archive.offset
                yield member
            # `tarfile` ends without an error where a header is damaged.
            file.seek(archive.offset)
            rest = file.read(PADDING)
            if rest[: tarfile.BLOCKSIZE].strip(b"\0"):
                raise tarfile.ReadError(f"at byte {archive.offset} is no header")
            if not rest:
                notes.append(f"{name} has no mark of its end: was it cut short?")
            elif rest.strip(b"\0") or file.read(1):
                notes.append(f"{name} goes on behind the mark of its end: what follows was not read")
    except (tarfile.TarError, ValueError, OverflowError) as error:  # of what a header says in numbers
        raise ValueError(
            f"{path} is damaged, cut short, or no tar file (gzip is not read): {error}"
        ) from None


def _why_strange(member):
    """Why a member is not looked at, or `None`."""
    if not member.isreg():
        return "is a link or a device, which is not followed"
    if member.issparse():
        return "is a sparse file, which is not read"
    if member.name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", member.name):
        return "has an absolute name"
    return "has a name that leaves its folder" if ".." in re.split(r"[/\\]", member.name) else None


def _texts(content, suffix):
    """The texts of a caption's file, and a problem or `None`."""
    try:
        text = content.decode("utf-8-sig")
        found = json.loads(text) if suffix == "json" else text
    except UnicodeDecodeError:
        return [], "has a caption that is not UTF-8"
    except (ValueError, RecursionError) as error:
        return [], f"has a caption that is not JSON: {error}"
    if isinstance(found, dict):
        return texts_of({key.strip().lower(): value for key, value in found.items()})
    return texts_of({CAPTION_COLUMNS[0]: found})
