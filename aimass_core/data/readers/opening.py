"""From what a caller gives as a table to the readers of its parts."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .._dataset import engine_of
from .database import database_kind, is_database, open_database, open_result
from .files import File, files_of, is_url
from .frames import FrameReader, is_frame, is_pandas, library_of
from .json_lines import JsonReader
from .options import ReadOptions
from .parquet import ArrowFileReader, ParquetReader
from .protocol import Reader
from .text import TextReader
from .workbook import WorkbookReader

__all__ = ["open_readers"]

_READERS = {
    "parquet": ParquetReader,
    "arrow": ArrowFileReader,
    "csv": TextReader,
    "json": JsonReader,
    "excel": WorkbookReader,
}


def open_readers(table: Any, options: ReadOptions, notes: list[str]) -> list[Reader]:
    """Return one reader for each part of a table.

    Parameters
    ----------
    table : table, path, URL, glob, folder, open file, connection, cursor; list or iterator of these
        See `Interactions.from_table`.
    options : ReadOptions
        How to read it.
    notes : list of str
        What is recognised, not given, is appended.

    Returns
    -------
    list of Reader
        At least one; together they are the table.

    Raises
    ------
    TypeError
        For a thing that is no table.
    OSError
        For a file that does not exist or cannot be read.
    ValueError
        For a file whose format cannot be told, or that is damaged; for an option that selects rows
        or columns of another kind of table.
    """
    readers = _readers(table, options, notes)
    _refuse_unused(readers, options)
    return readers


_KINDS_OF_TABLES = {  # that an option is for
    "query": "a connection or the file of a database",
    "sheet": "a workbook",
    "member": "a zip archive",
    "skip_rows": "a text file or a workbook",
    "header": "a text file or a workbook",
    "names": "a text file or a workbook",
}


def _refuse_unused(readers: list[Reader], options: ReadOptions) -> None:
    """Raise ValueError for an option that would select other rows or columns of no reader."""
    for name, kind in _KINDS_OF_TABLES.items():
        value = getattr(options, name)
        is_default = value is None or (name == "skip_rows" and value == 0)
        if is_default or (name == "header" and value) or any(map(_uses(name), readers)):
            continue
        remedy = "leave it out"
        if name == "query":
            remedy += ", or run it with DuckDB and pass its result"
        raise ValueError(f"{name}= is for {kind}, not for {readers[0].source}: {remedy}")


def _uses(option: str) -> Callable[[Reader], bool]:
    if option == "member":
        return lambda reader: bool(getattr(getattr(reader, "file", None), "is_member", False))
    return lambda reader: option in reader.uses


def _readers(table: Any, options: ReadOptions, notes: list[str]) -> list[Reader]:
    """Return the readers of a table or of a part of it."""
    if isinstance(table, Reader):
        return [table]
    if isinstance(table, (list, tuple)):
        return _readers_of_list(table, options, notes)
    if isinstance(table, str) and is_url(table):
        if table.startswith("duckdb:///"):
            return [open_database(table.removeprefix("duckdb:///"), "duckdb", options, notes)]
        if options.query is not None:
            return [open_result(table, options, notes)]
        if table.startswith("sqlite:///"):
            return [open_database(table.removeprefix("sqlite:///"), "sqlite", options, notes)]
    if isinstance(table, (str, os.PathLike)):
        database = database_kind(table)
        if database is not None:
            return [open_database(table, database, options, notes)]
    if isinstance(table, (str, os.PathLike)) or _is_binary_file(table):
        return [_reader_of(file, options, notes) for file in files_of(table, options)]
    if library_of(table) == "pyarrow" and not is_frame(table) and hasattr(table, "to_reader"):
        table = table.to_reader()  # a scanner of a dataset
    if is_frame(table):
        return [FrameReader(table, options, notes)]
    if is_database(table):
        return [open_result(table, options, notes)]
    if isinstance(table, Iterator):  # such as the parts that pandas.read_csv(chunksize=) reads
        if type(table).__module__ == "_csv":
            raise TypeError(
                "table is a csv.reader, whose rows have no names: pass the path or the open file "
                "itself, or csv.DictReader(file)"
            )
        return _readers(list(table), options, notes)
    names = getattr(getattr(table, "index", None), "names", ()) if is_pandas(table) else ()
    if any(name is not None for name in names):
        raise ValueError(
            "table is a pandas Series with columns in the index: pass table.reset_index()"
        )
    hint = ": wrap it in io.BytesIO" if isinstance(table, (bytes, bytearray)) else ""
    if engine_of(table):
        hint = ": data.distributed.read_partitions reads data sets of Dask, Ray and Spark"
    if callable(getattr(table, "tocsr", None)):
        hint = ": use Interactions.from_csr(X, users=ids, items=ids)"
    raise TypeError(
        "table must be a pandas, polars, pyarrow or DuckDB table, a mapping of arrays, a "
        "structured array, a path, URL or open file, a cursor or connection, or a list of these, "
        f"got {type(table).__name__}{hint}"
    )


def _readers_of_list(table: Any, options: ReadOptions, notes: list[str]) -> list[Reader]:
    """Return the readers of all parts, or of a list of rows that name their cells."""
    if not table:
        raise ValueError("the list of tables is empty: give at least one")
    rows = [row for row in map(_named_row, table) if row is not None]
    if len(rows) == len(table):
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
        return [FrameReader(columns, options, notes)]
    _refuse_rows(table[0])
    return [reader for part in table for reader in _readers(part, options, notes)]


def _named_row(part: Any) -> Mapping[Any, Any] | None:
    """Return a part of a list that is a row with named cells as a mapping, None for a table."""
    row: Mapping[Any, Any]
    if isinstance(part, Mapping):
        row = part
    elif callable(getattr(part, "_asdict", None)):  # named tuples, rows of SQLAlchemy
        row = part._asdict()
    elif dataclasses.is_dataclass(part) and not isinstance(part, type):
        row = {one.name: getattr(part, one.name) for one in dataclasses.fields(part)}
    elif callable(getattr(part, "keys", None)) and not is_pandas(part) and not is_frame(part):
        row = {name: part[name] for name in part.keys()}  # noqa: SIM118 - sqlite3.Row is no mapping
    else:
        return None
    return None if row and all(map(_is_column, row.values())) else row


def _is_column(cell: Any) -> bool:
    """Return whether a value of a mapping is a column, not a cell."""
    return hasattr(cell, "__len__") and not isinstance(cell, (str, bytes, Mapping))


def _refuse_rows(first: Any) -> None:
    """Raise TypeError where a list holds the rows or the columns of one table, not tables."""
    if type(first).__name__ == "Series" or (
        isinstance(first, np.ndarray) and first.ndim == 1 and first.dtype.names is None
    ):
        raise TypeError(
            "table is a list of columns: pass a dictionary of them, such as {'user': users, "
            "'item': items}, or use from_arrays(users, items, values, times)"
        )
    if not isinstance(first, (list, tuple)) or not first or any(map(_is_column, first)):
        return
    if not any(map(_may_be_file, first)):
        raise TypeError(
            "table is a list of rows without names: pass dictionaries such as {'user': 1, 'item': "
            "5}, or from_arrays(*zip(*rows)) for rows of user, item, value and time"
        )


def _may_be_file(cell: Any) -> bool:
    """Return whether a cell of a list within a list names files."""
    if isinstance(cell, str):
        return is_url(cell) or glob.has_magic(cell) or os.path.exists(os.path.expanduser(cell))
    return isinstance(cell, os.PathLike)


def _is_binary_file(table: Any) -> bool:
    return callable(getattr(table, "read", None)) and callable(getattr(table, "readable", None))


def _reader_of(file: File, options: ReadOptions, notes: list[str]) -> Reader:
    if not file.head:
        raise ValueError(f"{file.name} is empty")
    return _READERS[file.format(options)](file, options, notes)
