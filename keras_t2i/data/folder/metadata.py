"""Reads the rows of metadata files: file names with their captions."""

import csv
import io
import json

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")


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
    """Yields (line, file name, list of texts, problem or None) for each row of a metadata.csv."""
    old_limit = csv.field_size_limit(max(csv.field_size_limit(), len(content)))
    try:
        reader = csv.reader(io.StringIO(content, newline=""), strict=True)
        header = [column.strip().lower() for column in next(reader, [])]
        if not {"file_name", "text"} <= set(header):
            raise ValueError(f"{name} needs the columns file_name and text, found {header}")
        file_column, text_column = header.index("file_name"), header.index("text")
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
            if len(row) > len(header) and text_column == len(header) - 1:
                row[text_column:] = [",".join(row[text_column:])]  # a caption with commas, without quotes
            file_name = row[file_column].strip() if file_column < len(row) else ""
            text = [row[text_column]] if text_column < len(row) else []
            problem = None if file_name else "names no file"
            if len(row) > len(header):  # and so no telling which is the name
                problem, file_name = (
                    f"has {len(row)} fields, not {len(header)}: put the caption in quotes",
                    "",
                )
            yield line, file_name, text, problem
    finally:
        csv.field_size_limit(old_limit)


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
        file_name = row.get("file_name") if isinstance(row, dict) else None
        if not isinstance(file_name, str) or not file_name:
            yield line, None, [], 'has no "file_name" that is a string'
            continue
        text = row.get("text")
        texts = text if isinstance(text, list) else [] if text is None else [text]
        is_text = all(isinstance(entry, str) for entry in texts)
        problem = None if is_text else 'has a "text" that is not a string'
        yield line, file_name, texts if is_text else [], problem
