"""Columns of a table by name, as numbers."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.validation import suggest
from ..data._column import Column
from ..data.idmap import IdMap
from ..data.tables import column_names, read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["as_numbers", "check_number", "chosen_names", "is_number", "named", "read_all",
           "read_numbers"]  # fmt: skip


def named(table: Any) -> tuple[Any, dict[str, Any]]:
    """The table with named columns, and its names as text with what the table calls them."""
    if isinstance(table, np.ndarray) and table.dtype.names is None:
        if table.ndim != 2:
            raise ValueError(
                f"table must have rows and columns, got an array of {table.ndim} dimensions"
            )
        table = {f"x{j}": table[:, j] for j in range(table.shape[1])}
    names = column_names(table)
    found = {str(name): name for name in names}
    if len(found) < len(names):
        texts = [str(name) for name in names]
        twice = next(name for name in texts if texts.count(name) > 1)
        raise ValueError(
            f"the table has {texts.count(twice)} columns named {twice!r}: rename or drop one"
        )
    return table, found


def chosen_names(wanted: Iterable[str] | None, found: Iterable[str], what: str) -> list[str]:
    """Names out of names and patterns (``"f*"``), in the order given, each once."""
    if wanted is None:
        return []
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        raise TypeError(f"{what} must be a list of column names, got {wanted!r}")
    found = list(found)
    names: dict[str, None] = {}
    for entry in wanted:
        name = str(entry)
        matches = [name] if name in found else []
        if not matches and any(sign in name for sign in "*?["):
            matches = [other for other in found if fnmatch.fnmatchcase(other, name)]
        if not matches:
            listed = ", ".join(repr(c) for c in found[:20]) + (", ..." if len(found) > 20 else "")
            raise ValueError(
                f"{what}: the table has no column {name!r}{suggest(name, found)}; it has "
                f"{listed or 'no columns'}"
            )
        names.update(dict.fromkeys(matches))
    if not names:
        raise ValueError(f"{what} must name at least one column, got an empty list")
    return list(names)


def read_all(
    table: Any, found: dict[str, Any], names: list[str], lenient: bool
) -> dict[str, Column | TypeError]:
    """Columns by name; a lenient reading keeps the error of a column that cannot be read."""
    wanted = {f"column {place}": found[name] for place, name in enumerate(names)}
    try:
        columns = read_columns(table, wanted)
    except TypeError:
        if not lenient or isinstance(table, (str, os.PathLike)):
            raise
    else:
        return dict(zip(names, columns.values(), strict=True))
    out: dict[str, Column | TypeError] = {}
    for name in names:
        try:
            out[name] = read_columns(table, {"column": found[name]})["column"]
        except TypeError as error:
            out[name] = error
    sizes = {name: c.n_rows for name, c in out.items() if isinstance(c, Column)}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the columns have unequal numbers of rows: {sizes}")
    return out


def as_numbers(column: Column, name: str) -> Floats:
    """One float64 for each row, NaN for nulls; infinity is refused."""
    values = np.array(column.numbers(), dtype=np.float64)
    if column.null is not None:
        values[column.null] = np.nan
    wrong = np.isinf(values)
    if wrong.any():
        raise ValueError(
            f"column {name!r} holds {values[wrong][0]} in row {int(wrong.argmax())} "
            f"({int(wrong.sum())} infinite values in all): correct these rows or drop them"
        )
    return values


def is_number(column: Column) -> bool:
    return column.kind in ("int", "float", "decimal")


def read_numbers(table: Any, names: list[str], id: str | None) -> tuple[dict[str, Floats], Any]:
    """The features of a fitted segmentation in another table, and the ids of its rows.

    Parameters
    ----------
    table : table or path
        Has all the columns.
    names : list of str
        Columns of numbers.
    id : str or None
        Column of ids; ``None`` gives ``None`` for the ids.

    Returns
    -------
    numbers : dict of str to ndarray of float64
        NaN is null.
    ids : ndarray or None
        As the table has them.
    """
    table, found = named(table)
    columns = read_all(table, found, chosen_names(names, found, "columns"), lenient=False)
    numbers = {}
    for name, column in columns.items():
        assert isinstance(column, Column)
        if column.kind == "null":
            numbers[name] = np.full(column.n_rows, np.nan)
        else:
            check_number(column, name)
            numbers[name] = as_numbers(column, name)
    if id is None:
        return numbers, None
    (id,) = chosen_names([id], found, "id")
    column = read_columns(table, {"user": found[id]})["user"]
    if column.null is not None:
        raise ValueError(
            f"id={id!r} holds {int(column.null.sum())} nulls, the first in row "
            f"{int(column.null.argmax())}: drop these rows"
        )
    codes, ids = IdMap._number(column, f"id={id!r}", 1)
    return numbers, ids.ids[codes]


def check_number(column: Column, name: str) -> None:
    if not (is_number(column) or column.kind == "bool"):
        kind = {"str": "text", "bytes": "bytes"}.get(column.kind, column.kind)
        raise TypeError(
            f"column {name!r} must hold numbers, not {kind}: convert it, or leave it out of "
            "columns (text is used for the profiles all the same)"
        )
