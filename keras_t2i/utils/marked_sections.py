"""Puts generated text between two markers of a Markdown file, and touches nothing else there."""

from keras_t2i.utils.files import expanded
from keras_t2i.utils.files import write_text


def _markers(marker):
    return f"<!-- {marker}: begin -->", f"<!-- {marker}: end -->"


def check_markers(path, marker):
    """The text of a file in which `replace_between_markers` has a place: to be called before long work.

    Raises:
        ValueError: the file is no text in UTF-8, or the markers are not there once each, in this order.
    """
    path = expanded(path).resolve()  # the file itself, not a link to it
    try:
        old = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error})") from None
    _check(old, marker, path)
    return old


def replace_between_markers(path, marker, text):
    """Replaces what stands between `<!-- marker: begin -->` and `<!-- marker: end -->` in a UTF-8 file.

    The file is there whole at any moment, the old one or the new one; the lines around stay as they are.

    Raises:
        ValueError: as of `check_markers`; or `text` holds a marker.
    """
    old, path = check_markers(path, marker), expanded(path).resolve()
    write_text(path, with_section(old, marker, text, path))


def append_section(path, marker, text):
    """As `replace_between_markers`; a file with neither marker gets the section, in markers, at its end.

    Raises:
        ValueError: one marker is there without the other, or as in `replace_between_markers`.
    """
    path = expanded(path).resolve()
    write_text(path, with_section(path.read_bytes().decode("utf-8"), marker, text, path))


def with_section(old, marker, text, name="the text"):
    """A Markdown text whose section between two markers is `text`; one with neither gets it at its end.

    Args:
        old, marker, text: `str`.
        name: what `old` is called in an error.

    Raises: ValueError as of `append_section`.
    """
    section, (begin, end) = _section(marker, text, old), _markers(marker)
    if begin in old or end in old:
        _check(old, marker, name)
        return old[: old.index(begin)] + section + old[old.index(end) + len(end) :]
    line = "\r\n" if "\r\n" in old else "\n"
    body = old.rstrip()
    return f"{body}{2 * line if body else ''}{section}{line}"


def _check(old, marker, name):
    begin, end = _markers(marker)
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise ValueError(
            f"{name} must have each of these lines once, in this order; add them where the text belongs:\n"
            f"{begin}\n{end}"
        )


def _section(marker, text, old):
    begin, end = _markers(marker)
    if begin in text or end in text:
        raise ValueError(f"The text must not hold the markers {begin} and {end}")
    # Markdown takes a table for one only where a blank line stands before it.
    section = "\n".join([begin, "", *text.strip().splitlines(), "", end])
    return section.replace("\n", "\r\n") if "\r\n" in old else section
