"""What became of every file of a folder, and why what was left out was left out."""

import collections
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

SHOWN_PROBLEMS = 20
SHOWN_REASONS = 10
LONGEST_SHOWN = 300


@dataclass
class FolderReport:
    """What became of every file of a folder, or of every example of another source.

    Every file is in one of four places: it is a picture that was read, it holds captions of one, it is in
    `problems`, or in `others`.

    Attributes:
        folder: path; of another source, what a person calls it.
        num_usable: int, how many pictures have a caption and could be read.
        problems: dict of path in the folder (or place in a metadata file, or name in one that is no file) ->
            why it was left out, though somebody meant it to be used. `load_captioned_folder` warns of them.
        others: dict of path -> why it was passed over: files of other kinds, hidden ones, text that is not
            needed, links to folders.
        caption_files: list of paths of text and metadata files that the captions come from.
        notes: list of str, what looks wrong with what was used.
        num_files: int, files in all: `num_usable + len(caption_files) + sum(left_out.values())`. A folder
            that was not looked into counts as one.
        left_out: dict of reason -> how many files were left out for it.
        unit: str, what is counted: "file", or "example", which has its captions in it.
    """

    folder: Path
    num_usable: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    caption_files: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    num_files: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    unit: str = "file"

    def __str__(self):
        lines = [f"{self.folder}: {self.num_usable} pictures with captions, {len(self.problems)} left out:"]
        lines += [
            f"  {_printable(name)} {_printable(problem)}"
            for name, problem in list(self.problems.items())[:SHOWN_PROBLEMS]
        ]
        if len(self.problems) > SHOWN_PROBLEMS:
            more = len(self.problems) - SHOWN_PROBLEMS
            function = "read_captioned_folder" if self.unit == "file" else "prepare_shards"
            lines.append(f"  and {more} more: {function} returns a report of all")
        lines += [_printable(note) for note in self.notes]
        captions = f"{len(self.caption_files)} hold their captions, " if self.unit == "file" else ""
        lines.append(
            f"{self.num_files} {self.unit}s in all: {self.num_usable} pictures were read, {captions}"
            f"{sum(self.left_out.values())} were left out"
        )
        reasons = sorted(self.left_out.items(), key=lambda item: -item[1])
        lines += [f"  {count} x {_printable(reason)}" for reason, count in reasons[:SHOWN_REASONS]]
        if len(reasons) > SHOWN_REASONS:
            rest = sum(count for _, count in reasons[SHOWN_REASONS:])
            lines.append(f"  {rest} x other reasons")
        return "\n".join(lines)


def _printable(text):
    """Text as a terminal can print it, on one line and not too long: names may hold any bytes."""
    text = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def account(folder, read, scanned, problems, sources):
    """The report of a folder.

    Args:
        folder: path.
        read: list of the pictures that were read.
        scanned: `scan.Scan`.
        problems: dict of name -> why it was left out.
        sources: dict of picture -> set of the text and metadata files that its captions come from.
    """
    used = set().union(*(sources.get(name, ()) for name in read)) - set(read)
    of_picture = {}
    for picture, files in sources.items():
        for file in files:
            of_picture.setdefault(file, picture)
    seen, others, left_out = set(read) | used, dict(scanned.passed_over), collections.Counter()
    for name, file in scanned.files.items():
        if name in seen or name in problems:
            continue
        if name in of_picture:
            others[name] = f"has captions of {of_picture[name]} alone, which was left out"
        else:
            others[name] = file.problem or _why_unused(name)
    # A folder that could not be looked into counts as one file.
    names = {*scanned.files, *scanned.passed_over, *scanned.problems}
    for name in names - seen:
        reason = (problems.get(name) or others[name]).partition(":")[0]
        left_out["has captions of a picture that was left out" if name in of_picture else reason] += 1
    problems = dict(sorted((name, why) for name, why in problems.items() if name not in seen))
    others = dict(sorted(others.items()))
    return FolderReport(folder, len(read), problems, others, sorted(used), [], len(names), dict(left_out))


def _why_unused(name):
    name = name.lower()
    if name.endswith(".txt"):
        return "is text that no picture takes its captions from"
    if name.rpartition("/")[2] in ("metadata.csv", "metadata.jsonl"):
        return "names no picture that was read"
    return "is neither a picture nor captions"
