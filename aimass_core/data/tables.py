"""The needed columns of any table or file, each read once and without a detour.

pandas frames are taken column by column; everything else that speaks the Arrow PyCapsule
protocol (polars, pyarrow, DuckDB, ...) chunk by chunk through nanoarrow, without a copy where
one chunk holds the column. Files are read by pyarrow, the optional part ``aimass_core[io]``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..base.validation import suggest
from . import _files
from ._arrow import read_stream
from ._column import Column
from ._convert import from_any

__all__ = ["Table", "column_names", "read_columns"]

Table: TypeAlias = Any
"""pandas, polars, pyarrow or DuckDB table, mapping of arrays, structured array, or a path."""


def column_names(table: Table) -> list[str]:
    """The names of a table's columns, in order, repeated ones included.

    Parameters
    ----------
    table : table or path
        See `read_columns`.

    Returns
    -------
    list of str
        What `read_columns` can be asked for.
    """
    if isinstance(table, (str, os.PathLike)):
        return _files.names(Path(table))
    if isinstance(table, Mapping):
        return list(table)
    if isinstance(table, np.ndarray):
        if table.dtype.names is None:
            raise TypeError(
                f"table must have named columns, got an array of {table.dtype}: "
                "use from_arrays(users, items, values)"
            )
        return list(table.dtype.names)
    if hasattr(table, "collect_schema"):  # polars, without the warning of LazyFrame.columns
        return list(table.collect_schema().names())
    for owner, attribute in ((table, "column_names"), (table, "columns"), (table, "schema")):
        found = getattr(owner, attribute, None)
        if attribute == "schema" and found is not None:
            return list(found.names)
        if found is not None and not callable(found):
            return list(found)
    if hasattr(table, "__arrow_c_stream__"):
        import nanoarrow

        schema = nanoarrow.c_array_stream(table).get_schema()
        return [schema.child(i).name for i in range(schema.n_children)]
    raise TypeError(
        "table must be a pandas, polars, pyarrow or DuckDB table, a mapping of arrays, "
        f"a structured array or a path, got {type(table).__name__}"
    )


def check_names(found: list[Any], wanted: Mapping[str, Any], source: str) -> None:
    """Refuse columns that are missing or not unique."""
    for role, name in wanted.items():
        n = found.count(name)
        if n == 1:
            continue
        if n > 1:
            raise ValueError(
                f"{role}={name!r}: {source} has {n} columns of this name; rename or drop one"
            )
        listed = ", ".join(repr(c) for c in found[:20]) + (", ..." if len(found) > 20 else "")
        hint = suggest(str(name), [str(c) for c in found])
        raise ValueError(
            f"{role}={name!r}: {source} has no such column; it has {listed or 'no columns'}{hint}"
        )


def read_columns(table: Table, wanted: Mapping[str, Any]) -> dict[str, Column]:
    """Read the wanted columns and nothing else.

    Parameters
    ----------
    table : table or path
        Frame of pandas or polars, pyarrow table, DuckDB relation or anything else with
        ``__arrow_c_stream__``; a mapping of names to arrays or lists; a NumPy structured array;
        or the path of a ``.parquet``, ``.csv`` / ``.tsv`` (also ``.gz``), ``.feather`` or
        ``.arrow`` file.
    wanted : mapping of role to column name
        The role (``"user"``, ``"item"``, ...) names the argument in messages.

    Returns
    -------
    dict of role to Column
        All of the same length.

    Raises
    ------
    ValueError
        For a column that is missing or not unique, or columns of unequal length.
    TypeError
        For a table or a column of a kind that cannot be read.
    ImportError
        For a file, where pyarrow is not installed.

    Notes
    -----
    In a CSV file the columns in the roles ``user``, ``item`` and ``event`` are read as strings
    and become whole numbers only if every one of them is written as a whole number is (so
    ``007`` stays different from ``7``). Empty fields, ``NA``, ``NULL``, ``NaN`` and their like are
    nulls.
    """
    is_path = isinstance(table, (str, os.PathLike))
    found = column_names(table)
    check_names(found, wanted, f"file {os.fspath(table)}" if is_path else "the table")
    labels = {role: f"{role}={name!r}" for role, name in wanted.items()}
    if is_path:
        columns = _files.read(Path(table), wanted, labels)
    elif isinstance(table, (Mapping, np.ndarray)) or _is_pandas(table):
        columns = {role: from_any(table[name], labels[role]) for role, name in wanted.items()}
    else:
        columns = _read_arrow(table, wanted, labels)
    sizes = {role: column.n_rows for role, column in columns.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{labels[role]} {n}" for role, n in sizes.items())
        raise ValueError(f"the columns have unequal numbers of rows: {shown}")
    return columns


def _is_pandas(table: Any) -> bool:
    return type(table).__module__.partition(".")[0] == "pandas"


def _read_arrow(
    table: Any, wanted: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Column]:
    """Narrow a table to the wanted columns where it knows how, then read its stream."""
    names = list(dict.fromkeys(wanted.values()))
    if type(table).__module__.partition(".")[0] in ("duckdb", "_duckdb"):
        table = table.project(", ".join('"' + n.replace('"', '""') + '"' for n in names))
    elif hasattr(table, "select"):  # polars, pyarrow
        table = table.select(names)
    if hasattr(table, "collect"):  # polars LazyFrame
        table = table.collect()
    if not hasattr(table, "__arrow_c_stream__") and hasattr(table, "arrow"):  # DuckDB before 1.1
        table = table.arrow()
    if not hasattr(table, "__arrow_c_stream__"):
        raise TypeError(
            f"table of type {type(table).__name__} does not offer __arrow_c_stream__: update its "
            "library, or pass a dict of arrays"
        )
    columns = read_stream(table.__arrow_c_stream__(), list(wanted.values()), list(labels.values()))
    return dict(zip(wanted, columns, strict=True))
