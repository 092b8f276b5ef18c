"""Reads the rows of metadata files: file names with their captions.

The columns are those of the Hugging Face ImageFolder convention, `file_name` and `text`, and those that other
programs write in their place.
"""

import csv
import io
import json

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")
# Of several the first is taken that is not blank in the row.
FILE_COLUMNS = ("file_name", "filename", "file", "image")
CAPTION_COLUMNS = ("text", "caption", "captions", "prompt")
SHOWN_COLUMNS = 20


def read_text(path):
    """The text of a UTF-8 file, with or without a byte order mark; ValueError if it is not UTF-8."""
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not UTF-8 (byte {content[error.start]:#04x} at position {error.start}): "
            "save it with the encoding UTF-8"
        ) from None


def csv_rows(name, content):
    """Yields (line, file name, list of texts, problem or None) for each row of a metadata.csv.

    Raises: ValueError if its columns are not there.
    """
    old_limit = csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    try:
        reader = csv.reader(io.StringIO(content, newline=""), strict=True)
        file_column, text_columns, width = _columns(name, reader)
        last_column = text_columns[0]
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, None, [], f'is malformed ({error}): a quote inside of quotes is written ""'
                continue
            if not row:
                continue
            if len(row) > width and last_column == width - 1:
                row[last_column:] = [",".join(row[last_column:])]  # a caption with commas, without quotes
            file_name = row[file_column].strip() if file_column < len(row) else ""
            texts = [row[column] for column in text_columns if column < len(row)]
            texts = [next((text for text in texts if text.strip()), "")]
            problem = None if file_name else "names no file"
            if len(row) > width:  # and so no telling which is the name
                problem, file_name = f"has {len(row)} fields, not {width}: put the caption in quotes", ""
            yield line, file_name, texts, problem
    finally:
        csv.field_size_limit(old_limit)


def _columns(name, reader):
    """The place of the files' names, those of captions, and the number of columns."""
    try:
        header = [column.strip().lower() for column in next(reader, [])]
    except csv.Error as error:
        raise ValueError(f"{name} has a malformed first line, which names the columns: {error}") from None
    files = [header.index(column) for column in FILE_COLUMNS if column in header]
    texts = [header.index(column) for column in CAPTION_COLUMNS if column in header]
    if files and texts:
        return files[0], texts, len(header)
    separator = next((sign for sign in ";\t|" if len(header) == 1 and sign in header[0]), None)
    hint = f"; they are separated by {separator!r}: write commas" if separator else ""
    raise ValueError(
        f"{name} needs the columns file_name and text, found {shortened(header)}{hint}. "
        f"In place of text may stand {' or '.join(CAPTION_COLUMNS[1:])}, in place of file_name "
        f"{' or '.join(FILE_COLUMNS[1:])}"
    )


def shortened(columns):
    """The names of some columns, each of them and their number cut to what a sentence can hold."""
    return [column[:60] for column in columns[:SHOWN_COLUMNS]] + ["..."] * (len(columns) > SHOWN_COLUMNS)


def json_rows(name, content):
    """Yields (line, file name, list of texts, problem or None) for each row of a metadata.jsonl."""
    # Not splitlines(), which would split inside of strings, at U+2028 for example.
    for line, row in enumerate(content.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            row = json.loads(row)
        except (ValueError, RecursionError) as error:
            yield line, None, [], f"is not JSON: {error}"
            continue
        row = {key.strip().lower(): value for key, value in row.items()} if isinstance(row, dict) else {}
        names = [row[column] for column in FILE_COLUMNS if column in row]
        file_name = next((found for found in names if isinstance(found, str) and found), None)
        if file_name is None:
            yield line, None, [], 'has no "file_name" that is a string'
            continue
        yield line, file_name, *texts_of(row)


def texts_of(row, columns=CAPTION_COLUMNS):
    """The texts of a row, a dict: of the columns that it has the first that is not blank.

    Returns: a list of str, and a problem or None.
    """
    problem, there = None, [column for column in columns if column in row]
    if not there:
        problem = f"has none of the columns {', '.join(columns)}; there are {shortened(list(row))}"
    for column in there:
        found = row[column]
        found = found if isinstance(found, list) else [] if found is None else [found]
        if not all(isinstance(entry, str) for entry in found):
            problem = problem or f'has a "{column}" that is not a string'
        elif any(entry.strip() for entry in found):
            return found, None
    return [], problem
