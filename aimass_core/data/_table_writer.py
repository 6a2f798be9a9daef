"""Table files written in pieces, which replace older ones only when they are complete."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

from ..base.persistence import replacing
from ..base.validation import as_choice

__all__ = [
    "OUTPUT_FORMATS",
    "STANDARD_OUTPUT",
    "TableWriter",
    "is_database_format",
    "output_format",
]

STANDARD_OUTPUT = "-"
OUTPUT_FORMATS = ("parquet", "csv", "jsonl", "feather", "arrow", "sqlite", "duckdb")
_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".feather": "feather",
    ".arrow": "feather",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".duckdb": "duckdb",
}
_COMPRESSED = ("csv", "jsonl")  # may also end in .gz
_TO_STANDARD_OUTPUT = ("csv", "jsonl", "arrow")


def output_format(path: Path, name: str) -> str:
    """Return the format that the suffix of a path stands for.

    Parameters
    ----------
    path : Path
        The file; ``-`` is standard output, to which CSV is written.
    name : str
        The argument that names it, for the message.

    Returns
    -------
    str
        One of `OUTPUT_FORMATS`.

    Raises
    ------
    ValueError
        For an unknown suffix.
    """
    if str(path) == STANDARD_OUTPUT:
        return "csv"
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        kind = _SUFFIXES.get(suffixes[-2]) if len(suffixes) > 1 else None
        if kind in _COMPRESSED:
            return str(kind)
    elif suffixes and suffixes[-1] in _SUFFIXES:
        return _SUFFIXES[suffixes[-1]]
    raise ValueError(
        f"{name}: cannot tell the format of '{path}' from its name: end it with one of "
        f"{', '.join(_SUFFIXES)}, .csv.gz or .jsonl.gz"
    )


def is_database_format(kind: str) -> bool:
    """Return whether a file of this format holds several tables."""
    return kind in ("sqlite", "duckdb")


class TableWriter:
    """Write tables to one file that appears, or replaces an older one, only when it is complete.

    Parameters
    ----------
    path : Path
        The target; ``-`` is standard output. In a SQLite or DuckDB file one table is made or
        replaced in a transaction, and the others stay.
    schema : pyarrow.Schema
        Of every table written.
    format : str, optional
        One of `OUTPUT_FORMATS`. Default: by the suffix of the path.
    table : str, default="lists"
        Name of the table in a database.

    Notes
    -----
    Memory is that of the tables handed in: a Parquet row group or Arrow batch is on disk when
    `write` returns.

    Examples
    --------
    >>> with TableWriter(Path("recs.parquet"), table.schema) as out:  # doctest: +SKIP
    ...     out.write(table)
    """

    def __init__(
        self, path: Path, schema: Any, *, format: str | None = None, table: str = "lists"
    ) -> None:
        self.path = path
        self.format = output_format(path, "path") if format is None else format
        as_choice(self.format, "format", OUTPUT_FORMATS)
        if str(path) == STANDARD_OUTPUT and self.format not in _TO_STANDARD_OUTPUT:
            raise ValueError(
                f"format: {self.format} cannot be written to standard output; use one of "
                f"{', '.join(_TO_STANDARD_OUTPUT)}"
            )
        self.schema = schema
        self.table = table
        self.rows = 0
        self._open = ExitStack()
        self._sink: _Sink | None = None

    def __enter__(self) -> TableWriter:
        schema = self.schema
        if self.format not in ("parquet", "feather", "arrow"):
            schema = _without_dictionaries(schema)
        with ExitStack() as stack:
            if is_database_format(self.format):
                opened: Any = _SqliteSink if self.format == "sqlite" else _DuckdbSink
                path = stack.enter_context(_database_file(self.path))
                self._sink = stack.enter_context(opened(path, schema, self.table))
            else:
                file = stack.enter_context(self._file())
                self._sink = stack.enter_context(_FILE_SINKS[self.format](file, schema))
            self._open = stack.pop_all()
        return self

    @contextlib.contextmanager
    def _file(self) -> Iterator[IO[bytes]]:
        if str(self.path) == STANDARD_OUTPUT:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        with replacing(self.path) as file:
            if self.path.suffix.lower() != ".gz":
                yield file
                return
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                yield packed  # type: ignore[misc]

    def write(self, table: Any) -> None:
        """Append a table of the announced schema.

        Parameters
        ----------
        table : pyarrow.Table
            The rows; an empty table is allowed.
        """
        if table.num_rows:
            assert self._sink is not None
            if self.format not in ("parquet", "feather", "arrow"):
                table = table.cast(_without_dictionaries(table.schema))
            self._sink.write_table(table)
            self.rows += table.num_rows

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, trace)


class _Sink(Protocol):
    """Takes the tables of one output in order."""

    def write_table(self, table: Any) -> Any: ...


def _without_dictionaries(schema: Any) -> Any:
    """Return a schema with plain types, for formats that know no dictionaries."""
    import pyarrow as pa

    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(fields)


# ---- files ---------------------------------------------------------------------------------------


def _parquet(file: IO[bytes], schema: Any) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetWriter(file, schema, compression="zstd")


def _csv(file: IO[bytes], schema: Any) -> Any:
    from pyarrow import csv

    return csv.CSVWriter(file, schema)


def _arrow_file(file: IO[bytes], schema: Any) -> Any:
    from pyarrow import ipc

    return ipc.new_file(file, schema)


def _arrow_stream(file: IO[bytes], schema: Any) -> Any:
    from pyarrow import ipc

    return ipc.new_stream(file, schema)


class _JsonLines:
    """One JSON object on each line; not-a-number is null, as JSON has no such number."""

    def __init__(self, file: IO[bytes], schema: Any) -> None:
        self._file = file

    def __enter__(self) -> _JsonLines:
        return self

    def __exit__(self, *error: object) -> None: ...

    def write_table(self, table: Any) -> None:
        for batch in table.to_batches(max_chunksize=10_000):
            lines = [
                json.dumps({n: _json_value(v) for n, v in row.items()}, ensure_ascii=False)
                for row in batch.to_pylist()
            ]
            self._file.write(("\n".join(lines) + "\n").encode("utf-8"))


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and value - value != 0:  # NaN or infinite
        return None
    return (
        value if value is None or isinstance(value, (bool, int, float, str, list)) else str(value)
    )


_FILE_SINKS: dict[str, Callable[[IO[bytes], Any], Any]] = {
    "parquet": _parquet,
    "csv": _csv,
    "jsonl": _JsonLines,
    "feather": _arrow_file,
    "arrow": _arrow_stream,
}


# ---- databases -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _database_file(path: Path) -> Iterator[Path]:
    """Yield an existing database itself; a new one takes its name once it is complete."""
    if path.exists() and path.stat().st_size:
        yield path
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        for unfinished in (temporary, Path(f"{temporary}.wal"), Path(f"{temporary}-journal")):
            with contextlib.suppress(OSError):
                unfinished.unlink()
        raise


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class _SqliteSink:
    """Rows of one table of a SQLite file, in one transaction."""

    def __init__(self, path: Path, schema: Any, table: str) -> None:
        self._path, self._schema, self._table = path, schema, _quoted(table)

    def __enter__(self) -> _SqliteSink:
        import pyarrow as pa

        def type_of(kind: Any) -> str:
            if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
                return "INTEGER"
            return "REAL" if pa.types.is_floating(kind) else "TEXT"

        columns = ", ".join(f"{_quoted(f.name)} {type_of(f.type)}" for f in self._schema)
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(f"DROP TABLE IF EXISTS {self._table}")
            self._connection.execute(f"CREATE TABLE {self._table} ({columns})")
        except sqlite3.Error as error:
            self._connection.close()
            raise ValueError(f"'{self._path}' cannot be written as SQLite: {error}") from None
        return self

    def write_table(self, table: Any) -> None:
        marks = ", ".join("?" * len(self._schema))
        statement = f"INSERT INTO {self._table} VALUES ({marks})"
        for batch in table.to_batches(max_chunksize=10_000):
            columns = [[_sql_value(v) for v in column.to_pylist()] for column in batch.columns]
            self._connection.executemany(statement, zip(*columns, strict=True))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
        finally:
            self._connection.close()


def _sql_value(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float, str, bytes)) else str(value)


class _DuckdbSink:
    """Rows of one table of a DuckDB file, in one transaction."""

    def __init__(self, path: Path, schema: Any, table: str) -> None:
        self._path, self._schema, self._table = path, schema, _quoted(table)

    def __enter__(self) -> _DuckdbSink:
        try:
            import duckdb
        except ImportError:
            raise ImportError("writing to DuckDB needs duckdb: pip install duckdb") from None
        try:
            self._connection = duckdb.connect(str(self._path))
        except duckdb.Error as error:
            raise ValueError(f"'{self._path}' cannot be opened by DuckDB: {error}") from None
        self._connection.execute("BEGIN")
        self._connection.register("new_rows", self._schema.empty_table())
        self._connection.execute(f"CREATE OR REPLACE TABLE {self._table} AS SELECT * FROM new_rows")
        return self

    def write_table(self, table: Any) -> None:
        self._connection.register("new_rows", table)
        self._connection.execute(f"INSERT INTO {self._table} SELECT * FROM new_rows")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._connection.execute("COMMIT" if kind is None else "ROLLBACK")
            self._connection.unregister("new_rows")
        finally:
            self._connection.close()
