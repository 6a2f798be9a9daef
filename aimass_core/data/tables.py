"""The wanted columns of any table or file, each read once: `open_table`, `read_columns`.

The readers of the formats are in `readers`; here their parts are put together as one table.
"""

from __future__ import annotations

import logging
from typing import Any, TypeAlias

import numpy as np

from ..base.validation import suggest
from ._arrow import refuse_lists
from ._column import Column, concat
from ._factorize import exact_ids
from ._text import text_of_numbers
from .readers import ReadOptions, open_readers
from .readers.protocol import FEATURE_ROLE, ID_ROLES, Reader, Wanted

__all__ = ["OpenTable", "Table", "column_names", "open_table", "read_columns"]

Table: TypeAlias = Any
"""Table in memory, path, URL, open file, cursor or connection, or a list of these."""

_DISTINCT_ROLES = ("user", "item", "value", "event")


class OpenTable:
    """A table whose parts are open: its columns are known, and can be read.

    Make one with `open_table`. `Interactions.from_table` takes it in place of a table.

    Parameters
    ----------
    readers : list of Reader
        Of its parts.
    options : ReadOptions
        How they were opened.
    notes : list of str
        What was recognised.

    Examples
    --------
    >>> from aimass_core.data.tables import open_table
    >>> open_table({"user": [1, 2], "item": [5, 6]}).names()
    ['user', 'item']
    """

    def __init__(self, readers: list[Reader], options: ReadOptions, notes: list[str]) -> None:
        self.readers = readers
        self.options = options
        self.notes = notes
        self._n_rows: list[int] = []
        self._wanted: dict[str, Any] = {}

    def names(self) -> list[Any]:
        """Return the names of the columns of the first part, repeated ones included.

        Returns
        -------
        list
            Texts; numbers from 0 for a text file without names.
        """
        return self.readers[0].names()

    def unnamed_index(self) -> list[str]:
        """Return the columns that hold an index of pandas without a name, which is no data.

        Returns
        -------
        list of str
            Such as "__index_level_0__", in tables of Arrow and in files of Parquet and Feather.
        """
        return self.readers[0].unnamed_index()

    def read(self, wanted: Wanted) -> dict[str, Column]:
        """Read the wanted columns of all parts.

        Parameters
        ----------
        wanted : mapping of role to column name
            The role ("user", "item", ...) names the argument in messages, and says whether the
            column names things or holds quantities.

        Returns
        -------
        dict of role to Column
            All of the same length.

        Raises
        ------
        ValueError
            For a column that is missing or not unique, or columns of unequal length.
        TypeError
            For a column of a kind that cannot be read, or of several kinds in several parts.
        """
        labels = {
            role: f"column {name!r}" if role.startswith(FEATURE_ROLE) else f"{role}={name!r}"
            for role, name in wanted.items()
        }
        self._check_distinct(wanted)
        exact = [_check_names(reader, wanted) for reader in self.readers]
        self._wanted = dict(exact[0])
        parts = []
        for reader, names in zip(self.readers, exact, strict=True):
            columns = reader.read(names, labels)
            for role, column in columns.items():
                if not role.startswith(FEATURE_ROLE):
                    refuse_lists(column, labels[role])
            sizes = {role: column.n_rows for role, column in columns.items()}
            if len(set(sizes.values())) > 1:
                shown = ", ".join(f"{labels[role]} {n}" for role, n in sizes.items())
                raise ValueError(f"the columns have unequal numbers of rows: {shown}")
            parts.append(columns)
        self._n_rows = [next(iter(columns.values())).n_rows for columns in parts]
        return {
            role: self._together(role, [columns[role] for columns in parts], labels[role])
            for role in wanted
        }

    def _check_distinct(self, wanted: Wanted) -> None:
        """Refuse one column for two purposes."""
        seen: dict[Any, str] = {}
        for role in _DISTINCT_ROLES:
            name = wanted.get(role)
            if name is None:
                continue
            if name in seen:
                raise ValueError(
                    f"{seen[name]} and {role} both name the column {name!r}: each needs a column "
                    "of its own"
                )
            seen[name] = role

    def _together(self, role: str, columns: list[Column], label: str) -> Column:
        """Return a column of several parts as one."""
        if role in ID_ROLES:
            columns = [_as_ids(column, label) for column in columns]
        if len(columns) == 1:
            return columns[0]
        kinds = {c.kind for c in columns if c.kind != "null"}
        if len(kinds) > 1:
            columns = self._of_one_kind(role, columns, label)
        return concat(columns)

    def _of_one_kind(self, role: str, columns: list[Column], label: str) -> list[Column]:
        kinds = {c.kind for c in columns if c.kind != "null"}
        if kinds <= {"int", "uint"}:
            return columns
        if all(kind.startswith("datetime64") for kind in kinds):
            finest = (
                min(
                    kinds,
                    key=[
                        "datetime64[ns]",
                        "datetime64[us]",
                        "datetime64[ms]",
                        "datetime64[s]",
                    ].index,
                )
                if kinds <= {"datetime64[ns]", "datetime64[us]", "datetime64[ms]", "datetime64[s]"}
                else "datetime64[ns]"
            )
            return [_in_unit(column, finest) for column in columns]
        if role not in ID_ROLES and kinds <= {"int", "uint", "float", "bool", "decimal"}:
            return [_as_float(column) for column in columns]
        texts = [r.is_text or c.kind == "str" for r, c in zip(self.readers, columns, strict=True)]
        if kinds <= {"int", "uint", "str"} and all(texts):  # one file has numbers only, another not
            return [text_of_numbers(column) for column in columns]
        first = {c.kind: r.source for r, c in zip(self.readers, columns, strict=True)}
        shown = ", ".join(f"{kind} in {first[kind]}" for kind in sorted(kinds))
        raise TypeError(f"{label} is of several kinds: {shown}; convert it to one")

    # ---- where something stands, for messages ------------------------------------------------

    def where_text(self, role: str, text: str) -> str:
        """Return " (file, line 5)" for the first cell with a text, where a text file has it.

        Parameters
        ----------
        role : str
            Role of the column.
        text : str
            The cell.

        Returns
        -------
        str
            Empty where there is no line.
        """
        for reader in self.readers:
            line = reader.line_of(self._wanted[role], text) if role in self._wanted else None
            if line is not None:
                return f" ({reader.source}, line {line})"
        return ""

    def where_row(self, row: int) -> str:
        """Return " (file, line 5)" for a row, where it is one of a text file.

        Parameters
        ----------
        row : int
            Counted from 0 over all parts.

        Returns
        -------
        str
            Empty where there is no line.
        """
        for reader, n in zip(self.readers, self._n_rows, strict=False):
            if row < n:
                line = reader.line_of_row(row)
                return "" if line is None else f" ({reader.source}, line {line})"
            row -= n
        return ""


def open_table(table: Table, **options: Any) -> OpenTable:
    """Open a table, so that its columns can be looked at before they are read.

    Parameters
    ----------
    table : table, path, or list of these
        As in `Interactions.from_table`. An `OpenTable` is returned as it is.
    **options
        The arguments of `Interactions.from_table` from ``format`` on.

    Returns
    -------
    OpenTable
        Standard input and cursors are read once only, also where they are looked at first.

    Raises
    ------
    OSError, ValueError, TypeError
        As `Interactions.from_table` raises; ValueError also for an `OpenTable` with options other
        than those that it was opened with.
    """
    return opened(table, ReadOptions.of(options))


def opened(table: Table, options: ReadOptions) -> OpenTable:
    """Open a table with the options in one object."""
    if isinstance(table, OpenTable):
        _refuse_further(table.options, options)
        return table
    notes: list[str] = []
    return OpenTable(open_readers(table, options, notes), options, notes)


def _refuse_further(used: ReadOptions, given: ReadOptions) -> None:
    """Raise ValueError for an option that comes too late, because the table is open already."""
    usual = ReadOptions()
    for name in ReadOptions.names_of_fields():
        value = getattr(given, name)
        if not any(_is_equal(value, getattr(one, name)) for one in (usual, used)):
            raise ValueError(
                f"{name}={value!r} has no effect on a table that is open already: pass it to "
                "open_table"
            )


def _is_equal(a: Any, b: Any) -> bool:
    """Return whether two values of an option are equal; clauses of SQLAlchemy have no bool."""
    return a is b or (type(a) is type(b) and bool(a == b))


def column_names(table: Table, **options: Any) -> list[Any]:
    """Return the names of a table's columns, in order, repeated ones included.

    Parameters
    ----------
    table : table or path
        As in `Interactions.from_table`.
    **options
        The arguments of `Interactions.from_table` from ``format`` on.

    Returns
    -------
    list of str
        What `read_columns` can read.
    """
    return open_table(table, **options).names()


def read_columns(table: Table, wanted: Wanted, **options: Any) -> dict[str, Column]:
    """Read the wanted columns of a table and nothing else.

    Parameters
    ----------
    table : table or path
        As in `Interactions.from_table`.
    wanted : mapping of role to column name
        The role ("user", "item", ...) names the argument in messages.
    **options
        The arguments of `Interactions.from_table` from ``format`` on.

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
    In a text file the columns of ids are read as text and become whole numbers only if every one
    of them is written as a whole number is (so ``007`` stays different from ``7``).
    """
    return open_table(table, **options).read(wanted)


def log_notes(notes: list[str]) -> None:
    """Report what was recognised to the logger of the package."""
    for note in notes:
        logging.getLogger("aimass_core").info(note)


def _check_names(reader: Reader, wanted: Wanted) -> dict[str, Any]:
    """Return the wanted names, refused where they are missing or not unique."""
    known = reader.names()
    exact = {}
    for role, name in wanted.items():
        if name not in known and isinstance(name, str) and name.isdecimal() and int(name) in known:
            name = int(name)  # a file without names, read by the command
        n = sum(other == name and type(other) is type(name) for other in known)
        n = n or known.count(name)
        if n == 1:
            exact[role] = name
            continue
        if n > 1:
            raise ValueError(
                f"{role}={name!r}: {reader.source} has {n} columns of this name; rename or drop one"
            )
        listed = ", ".join(repr(c) for c in known[:20]) + (", ..." if len(known) > 20 else "")
        hint = suggest(str(name), [str(c) for c in known])
        blank = [c for c in known if isinstance(c, str) and c != name and c.strip() == name]
        if blank:
            hint = f"; the name has blanks around it: write {role}={blank[0]!r}" + (
                ", or separator=', ' if that is what the file uses" if reader.is_text else ""
            )
        raise ValueError(
            f"{role}={name!r}: {reader.source} has no such column; it has "
            f"{listed or 'no columns'}{reader.where_else(name) or hint}"
        )
    return exact


def _as_ids(column: Column, label: str) -> Column:
    """Return decimals as whole numbers or text."""
    return exact_ids(column, label) if column.kind == "decimal" else column


def _as_float(column: Column) -> Column:
    if column.kind == "null":
        return column
    values = column.values
    if column.kind == "uint":
        values = (values.view(np.uint64) ^ np.uint64(1 << 63)).astype(np.float64)
    return Column("float", values.astype(np.float64), None, column.codes, column.null)


def _in_unit(column: Column, unit: str) -> Column:
    if column.kind in ("null", unit):
        return column
    values = column.values.astype(np.int64).view(column.kind).astype(unit).view(np.int64)
    return Column(unit, values, None, column.codes, column.null)
