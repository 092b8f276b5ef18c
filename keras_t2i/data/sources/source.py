"""The interface of all sources: examples in one order, read from any place on.

A new kind of source is one file with a subclass of `Source`, and a line in `opening`.
"""

import bisect
import collections
import itertools
from pathlib import Path
from typing import NamedTuple

from keras_t2i.data.folder.captions import split_captions
from keras_t2i.data.folder.listing import notes_on
from keras_t2i.data.folder.report import FolderReport


class Example(NamedTuple):
    """A picture with its captions.

    Attributes:
        name: str, another for each example of a source.
        captions: list of str, at least one where there is no problem.
        content: path of the picture's file, or its bytes; `None` where there is a problem.
        problem: str, why it is left out, or `None`.
    """

    name: str
    captions: list[str]
    content: Path | bytes | None
    problem: str | None = None


def example_of(name, content, texts, problem=None):
    """An `Example` of what was found; each line of `texts`, a list of str, is a caption."""
    captions = split_captions(texts)
    if problem is None and not captions:
        problem = "has an empty caption"
    return Example(name, [], None, problem) if problem else Example(name, captions, content)


class Source:
    """Examples, by number. A subclass has `__len__`, `state` and `start`, and can be pickled.

    Attributes:
        place: path, what is read; the shards lie apart from it.
        title: str, what a person calls it.
        origin: str, what its pictures say of where they come from.
        problems: dict of name -> why something that has no number is left out.
        passed_over: dict of name -> why something was not looked at.
        notes: list of str, what looks wrong.
    """

    def __init__(self, place, title, origin):
        self.place, self.title, self.origin = place, str(title), origin
        self.problems, self.passed_over, self.notes = {}, {}, []
        self._running = None

    def __len__(self):
        raise NotImplementedError

    def state(self, first, last):
        """List of JSON that differs where one of the examples of these numbers does."""
        raise NotImplementedError

    def start(self, first):
        """Iterator of the `Example`s from this number on.

        Raises: ValueError that names a damaged file.
        """
        raise NotImplementedError

    def examples(self, first, last):
        """Iterator of the `Example`s with these numbers; where the last call ended, it goes on to read."""
        position, running = self._running or (None, None)
        self._running = None
        running = running if position == first else self.start(first)
        found = 0
        for example in itertools.islice(running, last - first):
            found += 1
            yield example
        if found < last - first:
            raise ValueError(f"{self.title} has fewer examples than it says: it is damaged or was changed")
        self._running = (last, running)

    def report(self, captions, problems):
        """What became of every example.

        Args:
            captions: dict of name -> captions of what was read.
            problems: dict of name -> why the others were not.

        Returns:
            `FolderReport`.

        Raises: ValueError where no picture was read.
        """
        problems = self.problems | problems
        reasons = [*problems.values(), *self.passed_over.values()]
        report = FolderReport(
            folder=self.title,
            num_usable=len(captions),
            problems=dict(sorted(problems.items())),
            others=dict(sorted(self.passed_over.items())),
            notes=self.notes + notes_on(captions, captions),
            num_files=len(self) + len(self.problems) + len(self.passed_over),
            left_out=dict(collections.Counter(reason.partition(":")[0] for reason in reasons)),
            unit="example",
        )
        if not captions:
            raise ValueError(f"Found no picture with a caption in {self.title}\n{report}")
        return report

    def __getstate__(self):
        return self.__dict__ | {"_running": None}


class FilesSource(Source):
    """Examples in files, one file after the other. A subclass has `count` and `rows`.

    Args:
        files: dict of name -> path, in the order of reading.
        place, title, origin: as of `Source`.
    """

    def __init__(self, files, place, title, origin):
        super().__init__(place, title, origin)
        self.names, self.files = list(files), list(files.values())
        self.ends = list(itertools.accumulate(self.count(i) for i in range(len(self.files))))

    def count(self, i):
        """How many examples the file of this number has. Raises: ValueError where it is damaged."""
        raise NotImplementedError

    def rows(self, i, first):
        """Iterator of the examples of a file, from this one on."""
        raise NotImplementedError

    def __len__(self):
        return self.ends[-1] if self.ends else 0

    def state(self, first, last):
        parts = range(bisect.bisect_right(self.ends, first), bisect.bisect_left(self.ends, last) + 1)
        status = [(self.names[i], self.files[i].stat(), self.ends[i]) for i in parts]
        files = [[name, found.st_size, found.st_mtime_ns, end] for name, found, end in status]
        return [files, [first, last]]

    def start(self, first):
        i = bisect.bisect_right(self.ends, first)
        for part in range(i, len(self.files)):
            before = self.ends[part - 1] if part else 0
            yield from self.rows(part, first - before if part == i else 0)
