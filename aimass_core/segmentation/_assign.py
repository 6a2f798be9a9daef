"""Segments of the customers of a table, as arrays and as tables of any library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.optional import import_optional
from ._columns import read_numbers
from ._fit import scaled_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data.tables import Table
    from ._fitted import FittedSegments

    Floats = NDArray[np.float64]

__all__ = ["assigned", "memberships", "scaled_features", "to_arrow", "to_pandas", "to_polars"]

_BLOCK = 1 << 16


def _scaled(self: FittedSegments, table: Table, id: str | None) -> tuple[Floats, Any, Any]:
    self._check_fitted()
    numbers, ids = read_numbers(table, self.columns_, id)
    missing = self._fitted_parameters()["missing"]
    Z, complete = scaled_rows(numbers, self._scale_of, missing)
    return Z, complete, ids


def memberships(self: FittedSegments, table: Table, id: str | None = None) -> tuple[Floats, Any]:
    """Soft memberships (n, K), rows of NaN where a null was dropped; and the ids."""
    Z, complete, ids = _scaled(self, table, id)
    p = np.full((len(Z), len(self._labels)), np.nan)
    for rows in _blocks(np.flatnonzero(complete)):
        p[rows] = self._mixture.predict_proba(Z[rows])
    return p, ids


def scaled_features(self: FittedSegments, table: Table) -> Floats:
    """The rows of a table without nulls on the common scale."""
    Z, complete, _ = _scaled(self, table, None)
    rows: Floats = Z[complete]
    return rows[~np.isnan(rows).any(axis=1)]


def _blocks(rows: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for begin in range(0, len(rows), _BLOCK):
        yield rows[begin : begin + _BLOCK]


def assigned(
    self: FittedSegments, table: Table, *, id: str | None = None
) -> dict[str, NDArray[Any]]:
    """The segment of each customer, as columns.

    Parameters
    ----------
    table : table or path
        Customers, with the columns of the fit.
    id : str, optional
        Column of ids; by default that of the fit.

    Returns
    -------
    dict of str to ndarray
        The id column (without one: "row"), "segment" ("A", "B", ...), "name", "probability"
        of that segment, and "p_A", "p_B", ...: the soft memberships. With `noise` there is the
        segment "outlier" of the name "outliers", and "p_outlier". Rows that were dropped for a null
        have None and NaN. What pandas, polars and pyarrow take as a table.

    Raises
    ------
    ValueError
        For a column that is missing, holds infinity, or a null with ``missing="error"``.
    TypeError
        For a column of text where numbers are due.
    """
    self._check_fitted()
    id = self._fitted_parameters()["id"] if id is None else id
    p, ids = memberships(self, table, id)
    whole = ~np.isnan(p[:, 0])
    best = np.where(whole, np.where(np.isnan(p), -1.0, p).argmax(axis=1), -1)
    texts = {
        name: np.array([*words, None], dtype=object)[best]
        for name, words in (
            ("segment", self._labels),
            ("name", [*self.names_, "outliers"][: len(self._labels)]),
        )
    }
    probability = np.where(whole, p[np.arange(len(p)), best], np.nan)
    taken = {"segment", "name", "probability"} | {f"p_{key}" for key in self._labels}
    first = "row" if id is None else str(id)
    return {
        f"{first}_" if first in taken else first: np.arange(len(p)) if ids is None else ids,
        **texts,
        "probability": probability,
        **{f"p_{key}": p[:, j] for j, key in enumerate(self._labels)},
    }


def to_arrow(self: FittedSegments, table: Table, *, id: str | None = None) -> Any:
    """`assigned` as a pyarrow table.

    Parameters
    ----------
    table : table or path
        Customers, with the columns of the fit.
    id : str, optional
        Column of ids; by default that of the fit.

    Returns
    -------
    pyarrow.Table
        One row for each customer; the segment and its name as dictionaries of strings.

    Raises
    ------
    ImportError
        Where pyarrow is not installed.
    """
    pa = import_optional("pyarrow")
    columns = {}
    for name, values in assigned(self, table, id=id).items():
        array = pa.array(values, from_pandas=True)
        if name in ("segment", "name"):
            array = array.cast(pa.string()).dictionary_encode()
        columns[name] = array
    return pa.table(columns)


def to_pandas(self: FittedSegments, table: Table, *, id: str | None = None) -> Any:
    """`assigned` as a pandas data frame.

    Parameters
    ----------
    table : table or path
        Customers, with the columns of the fit.
    id : str, optional
        Column of ids; by default that of the fit.

    Returns
    -------
    pandas.DataFrame
        One row for each customer.

    Raises
    ------
    ImportError
        Where pandas is not installed.
    """
    return import_optional("pandas").DataFrame(assigned(self, table, id=id))


def to_polars(self: FittedSegments, table: Table, *, id: str | None = None) -> Any:
    """`assigned` as a polars data frame.

    Parameters
    ----------
    table : table or path
        Customers, with the columns of the fit.
    id : str, optional
        Column of ids; by default that of the fit.

    Returns
    -------
    polars.DataFrame
        One row for each customer.

    Raises
    ------
    ImportError
        Where polars is not installed.
    """
    pl = import_optional("polars")
    columns = assigned(self, table, id=id)
    return pl.DataFrame(
        {n: v.tolist() if v.dtype == object else v for n, v in columns.items()}, strict=False
    )
