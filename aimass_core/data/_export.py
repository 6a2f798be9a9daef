"""Interactions back as tables of the caller's ids, or as a file; libraries are imported on use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..base.optional import import_optional

if TYPE_CHECKING:
    import os

    from .idmap import IdMap
    from .interactions import Interactions

__all__ = ["save", "to_arrow", "to_pandas", "to_polars"]


def _times(x: Interactions) -> NDArray[Any] | None:
    if x.timestamps is None or x.time_unit != "ns":
        return x.timestamps
    return x.timestamps.view("datetime64[ns]")


def save(self: Interactions, path: str | os.PathLike[str]) -> None:
    """Write ids, values, times and report to one file that `aimass_core.load` reads.

    Parameters
    ----------
    path : str or path-like
        The file; an older one is replaced only once the new one is complete.
    """
    from ..base.persistence import save as save_file

    save_file(self, path)


def to_arrow(
    self: Interactions, *, user: str = "user", item: str = "item", value: str = "value",
    time: str = "time",
) -> Any:  # fmt: skip
    """The stored entries as a pyarrow Table, in row order.

    Parameters
    ----------
    user, item, value, time : str
        Names of the columns; ``time`` is there if there are timestamps.

    Returns
    -------
    pyarrow.Table
        One row for each stored entry.

    Raises
    ------
    ImportError
        Where pyarrow is not installed.
    """
    pa = import_optional("pyarrow")

    def ids(of: IdMap, rows: NDArray[Any]) -> Any:
        return pa.array(of.ids).take(pa.array(rows))

    columns = {
        user: ids(self.users, self.row_indices()),
        item: ids(self.items, self.matrix.indices),
        value: pa.array(self.matrix.data),
    }
    if self.timestamps is not None:
        columns[time] = pa.array(_times(self))
    return pa.table(columns)


def to_pandas(
    self: Interactions, *, user: str = "user", item: str = "item", value: str = "value",
    time: str = "time",
) -> Any:  # fmt: skip
    """The stored entries as a pandas DataFrame, in row order.

    Parameters
    ----------
    user, item, value, time : str
        Names of the columns; ``time`` is there if there are timestamps.

    Returns
    -------
    pandas.DataFrame
        One row for each stored entry.

    Raises
    ------
    ImportError
        Where pandas is not installed.
    """
    columns = {
        user: self.users.ids[self.row_indices()],
        item: self.items.ids[self.matrix.indices],
        value: self.matrix.data.copy(),
    }
    if self.timestamps is not None:
        columns[time] = np.array(_times(self))
    return import_optional("pandas").DataFrame(columns)


def to_polars(
    self: Interactions, *, user: str = "user", item: str = "item", value: str = "value",
    time: str = "time",
) -> Any:  # fmt: skip
    """The stored entries as a polars DataFrame, in row order.

    Parameters
    ----------
    user, item, value, time : str
        Names of the columns; ``time`` is there if there are timestamps.

    Returns
    -------
    polars.DataFrame
        One row for each stored entry.

    Raises
    ------
    ImportError
        Where polars is not installed.
    """
    pl = import_optional("polars")

    def ids(name: str, of: IdMap, rows: NDArray[Any]) -> Any:
        values = of.ids.tolist() if of.ids.dtype == object else of.ids
        return pl.Series(name, values).gather(pl.Series(rows))

    columns = [
        ids(user, self.users, self.row_indices()),
        ids(item, self.items, self.matrix.indices),
        pl.Series(value, self.matrix.data),
    ]
    if self.timestamps is not None:
        columns.append(pl.Series(time, _times(self)))
    return pl.DataFrame(columns)
