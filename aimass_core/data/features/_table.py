"""A table of features as columns of cells, and which of them holds the ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ...base.progress import logger
from ...base.validation import suggest
from ..readers.frames import is_pandas
from ..readers.protocol import FEATURE_ROLE, TEXT_FEATURE_ROLE
from ..tables import OpenTable, open_table
from ._cells import cells_of

if TYPE_CHECKING:
    from ._cells import Cells

__all__ = ["RawTable", "is_matrix", "read_features"]

# Names of columns of ids, in order of preference; compared without case and punctuation.
_ID_NAMES = (
    "item",
    "itemid",
    "user",
    "userid",
    "id",
    "product",
    "productid",
    "movie",
    "movieid",
    "article",
    "articleid",
    "sku",
    "stockcode",
    "customer",
    "customerid",
    "artist",
    "artistid",
)


@dataclass(frozen=True)
class RawTable:
    """The columns of a table.

    Parameters
    ----------
    columns : dict of str to cells
        The columns of features, in the order of the table.
    ids : Cells or None
        The column of ids.
    id_name : str or None
        Its name.
    n_rows : int
        Number of rows.
    is_text : bool
        Whether they come from text files, whose cells have no types.
    """

    columns: dict[str, Cells]
    ids: Any
    id_name: str | None
    n_rows: int
    is_text: bool = False


def is_matrix(table: Any) -> bool:
    """Return whether features come as a matrix without names of columns."""
    if sp.issparse(table):
        return True
    if isinstance(table, np.ndarray):
        return table.dtype.names is None
    return isinstance(table, (list, tuple)) and bool(table) and isinstance(table[0], (list, tuple))


def read_features(
    table: Any,
    wanted: list[str] | None,
    id_column: Any,
    id_name: str | None,
    text_columns: Collection[str] = (),
) -> RawTable:
    """Read the columns of a table of any library, or of a file.

    Parameters
    ----------
    table : table, path or open table
        As in `Interactions.from_table`.
    wanted : list of str or None
        The columns of features; None: all but that of the ids, and but an index of pandas without
        a name that a file or an Arrow table holds.
    id_column : str, False or None
        The column of ids; False: there is none; None: chosen by name.
    id_name : str or None
        Name of the ids in the interactions, which is preferred.
    text_columns : collection of str
        Columns whose cells stay text where the table is a text file, also if all of them are
        written as numbers are.

    Returns
    -------
    RawTable
        The wanted columns.

    Raises
    ------
    ValueError
        For a column that does not exist, and where no column of ids is found.
    """
    unnamed_index: list[str] = []
    if isinstance(table, Mapping):
        names = list(table)
    elif is_pandas(table):
        names = list(table.columns)
    else:
        table = table if isinstance(table, OpenTable) else open_table(table)
        names, unnamed_index = table.names(), table.unnamed_index()
    _check_unique(names)
    ids_at, ids = _choose_ids(table, names, id_column, id_name)
    for name in wanted or ():
        if name not in names:
            raise ValueError(
                f"columns: the table has no column {name!r}{suggest(str(name), map(str, names))}; "
                f"it has {', '.join(map(repr, names))}"
            )
    chosen = wanted
    if chosen is None:
        left_out = [n for n in names if n in unnamed_index and n != ids_at]
        for name in left_out:
            logger.info("Features: column %r is left out: the index of pandas, without name", name)
        chosen = [n for n in names if n != ids_at and n not in left_out]
    cells = _read(table, chosen, ids_at, text_columns)
    sizes = {name: column.n_rows for name, column in cells.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name!r} {n}" for name, n in sizes.items())
        raise ValueError(f"the columns have unequal numbers of rows: {shown}")
    if ids_at is not None:
        own = cells[ids_at]
        ids = own
    n_rows = next(iter(sizes.values()), 0) if sizes else len(ids or ())
    label = ids_at if ids_at is not None else getattr(getattr(table, "index", None), "name", None)
    columns = {str(name): cells[name] for name in chosen}
    is_text = isinstance(table, OpenTable) and all(reader.is_text for reader in table.readers)
    return RawTable(columns, ids, None if label is None else str(label), n_rows, is_text)


def _check_unique(names: list[Any]) -> None:
    seen = set()
    for name in names:
        if str(name) in seen:
            raise ValueError(f"the table has several columns named {name!r}: rename or drop one")
        seen.add(str(name))


def _read(
    table: Any, chosen: list[Any], ids_at: Any, text_columns: Collection[str]
) -> dict[Any, Cells]:
    """Return the chosen columns and that of the ids, which a text file keeps as text."""
    if isinstance(table, Mapping) or is_pandas(table):
        names = [*chosen, *([] if ids_at is None else [ids_at])]
        return {name: cells_of(table[name], f"column {name!r}") for name in names}
    wanted = {
        f"{TEXT_FEATURE_ROLE if str(name) in text_columns else FEATURE_ROLE} {number}": name
        for number, name in enumerate(chosen)
    }
    if ids_at is not None:
        wanted["column"] = ids_at
    cells = table.read(wanted)
    return {name: cells_of(cells[role], f"column {name!r}") for role, name in wanted.items()}


def _plain(name: Any) -> str:
    return "".join(c for c in str(name).lower() if c.isalnum())


def _choose_ids(table: Any, names: list[Any], id_column: Any, id_name: str | None) -> Any:
    """Return the name of the column of ids, or None and the ids (of an index, or None)."""
    if id_column is False:
        return None, None
    if id_column is not None:
        if id_column in names:
            return id_column, None
        index: Any = getattr(table, "index", None)
        if is_pandas(table) and index.name == id_column:
            return None, cells_of(index.to_series(), "the index")
        raise ValueError(
            f"id_column: the table has no column {id_column!r}"
            f"{suggest(str(id_column), map(str, names))}; it has {', '.join(map(repr, names))}"
        )
    if id_name is not None and id_name in names:
        return id_name, None
    index = getattr(table, "index", None)
    if (
        is_pandas(table)
        and index is not None
        and (index.name is not None or type(index).__name__ != "RangeIndex")
    ):
        return None, cells_of(index.to_series(), "the index")
    by_plain = {_plain(name): name for name in names}
    for usual in (*([] if id_name is None else [_plain(id_name)]), *_ID_NAMES):
        if usual in by_plain:
            return by_plain[usual], None
    raise ValueError(
        f"no column of the table has a usual name of ids ({', '.join(map(repr, names))}): say "
        "which one holds them, Features(id_column=...), or id_column=False where the rows are in "
        "the order of the fit"
    )
