"""Tables in memory: data frames, Arrow tables and streams, mappings and structured arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._arrow import errors_of_source, read_stream
from .._column import Column
from .._convert import from_any
from .options import ReadOptions
from .protocol import Reader, Wanted, unnamed_index_of

__all__ = ["FrameReader", "is_frame", "is_pandas", "library_of"]


def library_of(table: Any) -> str:
    """Return the name of the library that a table comes from."""
    return type(table).__module__.partition(".")[0]


def is_pandas(table: Any) -> bool:
    """Return whether a table is one of pandas."""
    return library_of(table) == "pandas"


def is_frame(table: Any) -> bool:
    """Return whether a table in memory has columns by name."""
    if isinstance(table, (Mapping, np.ndarray)):
        return True
    if type(table).__name__ == "Series":
        return False
    return any(
        hasattr(table, attribute)
        for attribute in ("__arrow_c_stream__", "__arrow_c_array__", "collect_schema", "scanner")
    ) or (is_pandas(table) and hasattr(table, "columns"))


class FrameReader(Reader):
    """One table in memory.

    Parameters
    ----------
    table : object
        See `is_frame`.
    options : ReadOptions
    notes : list of str
    """

    def __init__(self, table: Any, options: ReadOptions, notes: list[str]) -> None:
        super().__init__("the table", options, notes)
        self.table = table

    def names(self) -> list[Any]:
        """Return the names of the columns."""
        table = self.table
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
            with errors_of_source("the columns of the table"):
                return list(table.collect_schema().names())
        for attribute in ("column_names", "columns", "schema"):
            names: Any = getattr(table, attribute, None)
            if attribute == "schema" and hasattr(names, "names"):
                return list(names.names)
            if names is not None and not callable(names) and attribute != "schema":
                return list(names)
        import nanoarrow

        with errors_of_source("the columns of the table"):
            schema = nanoarrow.c_array_stream(table).get_schema()
        return [schema.child(i).name for i in range(schema.n_children)]

    def unnamed_index(self) -> list[str]:
        """Return the columns of an Arrow table that hold an index of pandas without a name."""
        return unnamed_index_of(self.table.schema) if library_of(self.table) == "pyarrow" else []

    def where_else(self, name: Any) -> str:
        """Return the remedy where a pandas table has the column in its index."""
        index = getattr(self.table, "index", None) if is_pandas(self.table) else None
        if name in list(getattr(index, "names", ())):
            return "; it is in the index: pass table.reset_index()"
        return ""

    def read(self, wanted: Wanted, labels: Mapping[str, str]) -> dict[str, Column]:
        """Read the wanted columns."""
        table = self.table
        if isinstance(table, (Mapping, np.ndarray)) or is_pandas(table):
            return {role: from_any(table[name], labels[role]) for role, name in wanted.items()}
        with errors_of_source("the rows of the table"):
            stream = _narrowed(table, list(dict.fromkeys(wanted.values()))).__arrow_c_stream__()
        columns = read_stream(stream, list(wanted.values()), list(labels.values()))
        return dict(zip(wanted, columns, strict=True))


def _narrowed(table: Any, names: list[Any]) -> Any:
    """Return the wanted columns alone, where a table knows how, as an Arrow stream."""
    if library_of(table) in ("duckdb", "_duckdb"):
        table = table.project(", ".join('"' + n.replace('"', '""') + '"' for n in names))
    elif hasattr(table, "scanner"):  # a dataset of pyarrow
        table = table.scanner(columns=names).to_reader()
    elif hasattr(table, "select"):  # polars, pyarrow
        table = table.select(names)
    if hasattr(table, "collect"):  # polars LazyFrame
        table = table.collect()
    if not hasattr(table, "__arrow_c_stream__"):
        if hasattr(table, "arrow"):  # DuckDB before 1.1
            return table.arrow()
        import nanoarrow

        return nanoarrow.c_array_stream(nanoarrow.Array(table))
    return table
