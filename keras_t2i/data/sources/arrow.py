"""Parquet and Arrow files: tables with a column of pictures and one of captions."""

import contextlib
import importlib
import json

from keras_t2i.data.sources.columns import BYTES
from keras_t2i.data.sources.columns import PICTURE
from keras_t2i.data.sources.columns import TEXT
from keras_t2i.data.sources.columns import choose_columns
from keras_t2i.data.sources.source import FilesSource
from keras_t2i.data.sources.source import example_of

ROWS = 64  # that are in memory at a time
BUFFER = 2**20  # bytes


def pyarrow(module=""):
    """A module of the package pyarrow, which only these files need.

    Raises: ImportError that says how to install it.
    """
    try:
        return importlib.import_module(f"pyarrow.{module}" if module else "pyarrow")
    except ImportError:
        raise ImportError(
            'Parquet and Arrow files need the package pyarrow: pip install "keras-t2i[parquet]"'
        ) from None


class TableSource(FilesSource):
    """The rows of tables. An example is called FILE/ROW. A subclass has `opened`, `num_rows`
    and `batches`.

    Args:
        files, place, title, origin: as of `FilesSource`.
        columns: names of the columns of pictures and captions, as of `choose_columns`.

    Raises:
        ValueError: a file is damaged, or lacks the columns.
        ImportError: the package pyarrow is not installed.
    """

    def __init__(self, files, place, title, origin, columns=None):
        pyarrow()  # before any work
        self.chosen, self.columns = columns, {}
        super().__init__(files, place, title, origin)

    def opened(self, i):
        """Context: the schema of a file, and whatever `num_rows` and `batches` need."""
        raise NotImplementedError

    def num_rows(self, table):
        """int, the rows of an opened file."""
        raise NotImplementedError

    def batches(self, table, first, names):
        """Iterator of record batches with these columns, and of how many rows to pass over in each."""
        raise NotImplementedError

    def count(self, i):
        with self._naming_damage(i), self.opened(i) as (schema, table):
            self.columns[i] = columns = choose_columns(self.files[i], _kinds(schema), self.chosen)
            twice = [name for name in columns.names if len(schema.get_all_field_indices(name)) > 1]
            if twice:
                raise ValueError(f"{self.files[i]} has several columns {twice[0]!r}: rename all but one")
            return self.num_rows(table)

    def rows(self, i, first):
        columns, number = self.columns[i], first
        with self._naming_damage(i), self.opened(i) as (_, table):
            for batch, skipped in self.batches(table, first, columns.names):
                for start in range(skipped, batch.num_rows, ROWS):
                    for row in _rows(batch.slice(start, ROWS)):
                        name = f"{self.names[i]}/{number:08}"
                        number += 1
                        if row is None:
                            yield example_of(name, None, [], "has text that is not UTF-8")
                        else:
                            yield columns.read(name, row)

    def state(self, first, last):
        return [*super().state(first, last), self.chosen]

    @contextlib.contextmanager
    def _naming_damage(self, i):
        try:
            yield
        except (pyarrow().ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError | PermissionError):
                raise
            kind = self.files[i].suffix[1:].title() or "Arrow"
            raise ValueError(f"{self.files[i]} is damaged, or no {kind} file: {error}") from None


class ParquetSource(TableSource):
    """The rows of Parquet files."""

    @contextlib.contextmanager
    def opened(self, i):
        parquet = pyarrow("parquet")
        # Pages are read as they are needed: a file may be one group of a million rows.
        with parquet.ParquetFile(self.files[i], buffer_size=BUFFER, pre_buffer=False) as table:
            yield table.schema_arrow, table

    def num_rows(self, table):
        return table.metadata.num_rows

    def batches(self, table, first, names):
        groups, counts = range(table.num_row_groups), [0]
        for group in groups:
            counts.append(counts[-1] + table.metadata.row_group(group).num_rows)
        groups = [group for group in groups if counts[group + 1] > first]
        before = counts[groups[0]] if groups else first
        for batch in table.iter_batches(ROWS, groups, names, use_threads=False):
            yield batch, min(max(first - before, 0), batch.num_rows)
            before += batch.num_rows


class ArrowSource(TableSource):
    """The rows of Arrow files, be they streams, as Hugging Face `datasets` writes them, or not."""

    @contextlib.contextmanager
    def opened(self, i):
        ipc = pyarrow("ipc")
        with pyarrow().memory_map(str(self.files[i])) as file:
            is_stream = file.read(6) != b"ARROW1"
            file.seek(0)
            table = (ipc.open_stream if is_stream else ipc.open_file)(file)
            batches = table if is_stream else map(table.get_batch, range(table.num_record_batches))
            yield table.schema, batches

    def num_rows(self, table):
        return sum(batch.num_rows for batch in table)

    def batches(self, table, first, names):
        before = 0
        for batch in table:
            chosen = batch.select(names)
            chosen.validate(full=True)  # what is mapped is trusted otherwise: a wrong offset would be a crash
            yield chosen, min(max(first - before, 0), batch.num_rows)
            before += batch.num_rows


def _rows(batch):
    """The rows of a record batch, dicts; `None` for one with text that is not UTF-8."""
    try:
        return batch.to_pylist()
    except UnicodeDecodeError:
        if batch.num_rows == 1:
            return [None]
        return [row for i in range(batch.num_rows) for row in _rows(batch.slice(i, 1))]


def _kinds(schema):
    """What the columns of an Arrow schema hold, as of `choose_columns`."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        features = {}
    return {field.name: _kind(field.type, features.get(field.name)) for field in schema}


def _kind(kind, feature):
    types = pyarrow("types")
    if isinstance(kind, pyarrow().BaseExtensionType):
        kind = kind.storage_type
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_struct(kind):
        fields = {kind.field(n).name: kind.field(n).type for n in range(kind.num_fields)}
        return PICTURE if "bytes" in fields and _is_bytes(fields["bytes"]) else str(kind)
    if _is_bytes(kind):
        return BYTES
    is_list = types.is_list(kind) or types.is_large_list(kind)
    if _is_text(kind) or (is_list and _is_text(kind.value_type)):
        return TEXT
    labels = feature.get("names") if isinstance(feature, dict) else None
    if types.is_integer(kind) and labels and all(isinstance(label, str) for label in labels):
        return labels
    return str(kind)


def _is_bytes(kind):
    types = pyarrow("types")
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _is_text(kind):
    types = pyarrow("types")
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
