"""Table files by suffix: what they hold, and whether one may be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..base.validation import suggest
from ..data._table_writer import output_format
from ..data.tables import column_names

__all__ = ["check_columns", "check_output", "read_columns", "stored_type"]


def check_columns(path: Path, what: str, columns: dict[str, str | None]) -> list[str]:
    """Check that a table file is there and has some columns.

    Parameters
    ----------
    path : Path
        A Parquet, CSV or Feather file.
    what : str
        The argument that names it, for messages.
    columns : dict
        Option to column name; ``None`` asks for nothing.

    Returns
    -------
    list of str
        The names of all of its columns.

    Raises
    ------
    OSError
        There is no such file.
    ValueError
        It cannot be read, or a column is missing: the message has the nearest name.
    """
    if not path.is_file():
        there = "is a folder: give one file" if path.is_dir() else "does not exist: check the path"
        raise FileNotFoundError(f"{what}: '{path}' {there}")
    names = column_names(path)
    for option, name in columns.items():
        if name is not None and name not in names:
            raise ValueError(
                f"{option}: '{path}' has no column {name!r}; "
                f"it has {', '.join(names)}{suggest(name, names)}"
            )
    return names


def stored_type(path: Path, column: str) -> pa.DataType | None:
    """The type in which a file keeps a column, or None for a file of text.

    Parameters
    ----------
    path : Path
        A Parquet, CSV or Feather file.
    column : str
        One of its columns.

    Returns
    -------
    pyarrow.DataType or None
        A dictionary-encoded column gives the type of its values.
    """
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        import pyarrow.parquet as pq

        schema = pq.read_schema(path)
    elif suffix in (".feather", ".arrow", ".ipc"):
        with pa.ipc.open_file(path) as reader:
            schema = reader.schema
    else:
        return None
    kind = schema.field(column).type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def read_columns(path: Path, columns: list[str]) -> list[list[Any]]:
    """Read some columns of a table file as Python values; those of a CSV file as text.

    Parameters
    ----------
    path : Path
        A Parquet, CSV or Feather file.
    columns : list of str
        Names that `check_columns` has seen.

    Returns
    -------
    list of list
        One for each column.
    """
    if stored_type(path, columns[0]) is None:
        from pyarrow import csv

        convert = csv.ConvertOptions(
            include_columns=columns,
            column_types=dict.fromkeys(columns, pa.string()),
            strings_can_be_null=True,
        )
        tabs = {".tsv", ".tab"} & {suffix.lower() for suffix in path.suffixes}
        parse = csv.ParseOptions(delimiter="\t" if tabs else ",")
        table = csv.read_csv(path, convert_options=convert, parse_options=parse)
    elif path.suffix.lower() in (".parquet", ".pq"):
        import pyarrow.parquet as pq

        table = pq.read_table(path, columns=columns)
    else:
        with pa.ipc.open_file(path) as reader:
            table = reader.read_all()
    return [table[name].to_pylist() for name in columns]


def check_output(path: Path, option: str, others: list[Path]) -> None:
    """Refuse an output path before any work is done for it.

    Parameters
    ----------
    path : Path
        The file to be written; for ``--out`` its suffix must name a format.
    option : str
        The option that names it, for messages.
    others : list of Path
        Files of the same call, which must not be overwritten.

    Raises
    ------
    ValueError
        The suffix is unknown, or the path is one of the others.
    OSError
        The folder is missing or the path is a folder.
    """
    if option == "--out":
        output_format(path, option)
    if path.is_dir():
        raise IsADirectoryError(f"{option}: '{path}' is a folder: give a file name")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"{option}: there is no folder '{path.parent}': make it first or write elsewhere"
        )
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"{option}: the folder '{path.parent}' cannot be written to")
    if any(path.resolve() == other.resolve() for other in others):
        raise ValueError(
            f"{option}: '{path}' is another file of this command: write to another name"
        )
