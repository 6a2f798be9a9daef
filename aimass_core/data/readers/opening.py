"""From what a caller gives as a table to the readers of its parts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .._dataset import engine_of
from .database import database_kind, is_database, open_database, open_result
from .files import File, files_of, is_url
from .frames import FrameReader, is_frame, is_pandas
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
        For a file whose format cannot be told, or that is damaged.
    """
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
    if is_frame(table):
        return [FrameReader(table, options, notes)]
    if is_database(table):
        return [open_result(table, options, notes)]
    if isinstance(table, Iterator):  # such as the parts that pandas.read_csv(chunksize=) reads
        return open_readers(list(table), options, notes)
    names = getattr(getattr(table, "index", None), "names", ()) if is_pandas(table) else ()
    if any(name is not None for name in names):
        raise ValueError(
            "table is a pandas Series with columns in the index: pass table.reset_index()"
        )
    hint = ": wrap it in io.BytesIO" if isinstance(table, (bytes, bytearray)) else ""
    if engine_of(table):
        hint = ": data.distributed.read_partitions reads data sets of Dask, Ray and Spark"
    raise TypeError(
        "table must be a pandas, polars, pyarrow or DuckDB table, a mapping of arrays, a "
        "structured array, a path, URL or open file, a cursor or connection, or a list of these, "
        f"got {type(table).__name__}{hint}"
    )


def _readers_of_list(table: Any, options: ReadOptions, notes: list[str]) -> list[Reader]:
    """Return the readers of all parts, or of a list of rows that are dictionaries."""
    if not table:
        raise ValueError("the list of tables is empty: give at least one")
    if all(map(_is_row, table)):
        names = dict.fromkeys(name for row in table for name in row)
        columns = {name: [row.get(name) for row in table] for name in names}
        return [FrameReader(columns, options, notes)]
    _refuse_rows(table[0])
    return [reader for part in table for reader in open_readers(part, options, notes)]


def _is_row(part: Any) -> bool:
    """Return whether a part of a list is a row by name, not a table of columns."""
    return isinstance(part, Mapping) and not (part and all(map(_is_column, part.values())))


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
    if not all(isinstance(cell, (str, os.PathLike)) for cell in first):
        raise TypeError(
            "table is a list of rows without names: pass dictionaries such as {'user': 1, 'item': "
            "5}, or from_arrays(*zip(*rows)) for rows of user, item, value and time"
        )


def _is_binary_file(table: Any) -> bool:
    return callable(getattr(table, "read", None)) and callable(getattr(table, "readable", None))


def _reader_of(file: File, options: ReadOptions, notes: list[str]) -> Reader:
    if not file.head:
        raise ValueError(f"{file.name} is empty")
    return _READERS[file.format(options)](file, options, notes)
