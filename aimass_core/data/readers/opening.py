"""From what a caller gives as a table to the readers of its parts."""

from __future__ import annotations

import os
from typing import Any

from .database import is_database, open_result
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
    table : table, path, URL, glob, folder, open file, connection, cursor, or list of these
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
        if not table:
            raise ValueError("the list of tables is empty: give at least one")
        _refuse_rows(table[0])
        return [reader for part in table for reader in open_readers(part, options, notes)]
    if isinstance(table, str) and is_url(table) and options.query is not None:
        return [open_result(table, options, notes)]
    if isinstance(table, (str, os.PathLike)) or _is_binary_file(table):
        return [_reader_of(file, options, notes) for file in files_of(table, options)]
    if is_frame(table):
        return [FrameReader(table, options, notes)]
    if is_database(table):
        return [open_result(table, options, notes)]
    names = getattr(getattr(table, "index", None), "names", ()) if is_pandas(table) else ()
    if any(name is not None for name in names):
        raise ValueError(
            "table is a pandas Series with columns in the index: pass table.reset_index()"
        )
    raise TypeError(
        "table must be a pandas, polars, pyarrow or DuckDB table, a mapping of arrays, a "
        "structured array, a path, URL or open file, a cursor or connection, or a list of these, "
        f"got {type(table).__name__}"
    )


def _refuse_rows(first: Any) -> None:
    """Raise TypeError where a list holds the rows of one table, not several tables."""
    cells = list(first.values()) if isinstance(first, dict) else first
    if not isinstance(cells, (list, tuple)) or not cells:
        return
    if all(cell is None or isinstance(cell, (str, int, float)) for cell in cells):
        is_paths = not isinstance(first, dict) and all(isinstance(cell, str) for cell in cells)
        if not is_paths:
            raise TypeError(
                "table is a list of rows: pass pandas.DataFrame(rows), or "
                "pyarrow.Table.from_pylist(rows) for rows that are dictionaries"
            )


def _is_binary_file(table: Any) -> bool:
    return callable(getattr(table, "read", None)) and callable(getattr(table, "readable", None))


def _reader_of(file: File, options: ReadOptions, notes: list[str]) -> Reader:
    if not file.head:
        raise ValueError(f"{file.name} is empty")
    return _READERS[file.format(options)](file, options, notes)
