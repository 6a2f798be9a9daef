"""Recency, frequency and monetary value of each customer out of a table of transactions."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_float
from ..data._time import column_times, nanoseconds
from ..data._values import column_values
from ..data.idmap import IdMap
from ..data.tables import read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data._column import Column
    from ..data.tables import Table

__all__ = ["rfm"]

_DAY = 86_400_000_000_000  # nanoseconds


def rfm(
    table: Table,
    *,
    user: str,
    time: str,
    amount: str | tuple[str, str],
    order: str | None = None,
    now: Any = None,
    nulls: str = "error",
    n_threads: int | None = None,
) -> dict[str, NDArray[Any]]:
    """Recency, frequency and monetary value of each customer.

    A purchase is a line with a positive amount. Lines of zero or less (returns, cancellations,
    corrections) count for the monetary value only.

    Parameters
    ----------
    table : table or path
        One row for each line of a transaction; see `Interactions.from_table`.
    user, time : str
        Columns of customers and of times (datetimes or whole numbers).
    amount : str or pair of str
        Column of what was paid, or two columns to be multiplied: quantity and price.
    order : str, optional
        Column of orders (invoices), to count each once. Without it frequency counts the different
        days with a purchase (different times, where these are numbers).
    now : datetime, str or number, optional
        The point in time that recency looks back from; lines after it are left out. By default the
        last time of the table.
    nulls : {"error", "drop"}, default="error"
        What happens to lines with a null in one of these columns.
    n_threads : int, optional
        By default the CPUs of this process.

    Returns
    -------
    dict of str to ndarray
        The ids under the name `user`, ascending, then "recency" (float64: days since the last
        purchase; in the unit of the times, where these are numbers), "frequency" (int64) and
        "monetary" (float64: the sum of the amounts). Customers without a purchase are left out.
        `segments` takes it as it is, and so do pandas, polars and pyarrow.

    Raises
    ------
    ValueError
        For a column that is missing, nulls, or where no line is left.
    TypeError
        For a column of the wrong kind.

    Notes
    -----
    O(n log n) time, about 60 bytes of memory for each line.

    Examples
    --------
    >>> from aimass_core.segmentation import rfm
    >>> lines = {
    ...     "who": ["ann", "bob", "ann", "ann"],
    ...     "when": np.array(["2024-01-01", "2024-01-05", "2024-01-31", "2024-01-31"], "M8[D]"),
    ...     "paid": [10.0, 5.0, 20.0, -4.0],
    ... }
    >>> table = rfm(lines, user="who", time="when", amount="paid")
    >>> {name: values.tolist() for name, values in table.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'who': ['ann', 'bob'], 'recency': [0.0, 26.0], 'frequency': [2, 1],
     'monetary': [26.0, 5.0]}
    """
    as_choice(nulls, "nulls", ("error", "drop"))
    if user in ("recency", "frequency", "monetary"):
        raise ValueError(f"user={user!r} is a name of the result: rename the column")
    factors = (amount,) if isinstance(amount, str) else tuple(amount)
    if not 1 <= len(factors) <= 2:
        raise ValueError(f"amount must be a column or a pair of columns, got {amount!r}")
    wanted = {"user": user, "time": time}
    wanted |= {("amount", "price")[i]: name for i, name in enumerate(factors)}
    if order is not None:
        wanted["order"] = order
    columns = read_columns(table, wanted)
    labels = {role: f"{role}={name!r}" for role, name in wanted.items()}
    threads = resolve_n_threads(n_threads)
    keep = _complete(columns, labels, nulls)

    codes, ids = IdMap._number(columns.pop("user"), labels["user"], threads)
    codes = codes[keep]
    when = columns.pop("time")
    if when.offsets is not None:
        raise TypeError(
            f"{labels['time']} must hold datetimes or whole numbers, not text: convert the column"
        )
    times, unit = column_times(when, keep, labels["time"])
    paid = column_values(columns.pop("amount"), keep, labels["amount"]).astype(np.float64)
    if "price" in columns:
        paid *= column_values(columns.pop("price"), keep, labels["price"])
    orders: NDArray[Any] = times // _DAY if unit == "ns" else times
    if order is not None:
        orders, _ = IdMap._number(columns.pop("order"), labels["order"], threads)
        orders = orders[keep]
    if not len(times):
        raise ValueError("no line of the table can be used: it is empty or has nulls in each line")
    last = int(times.max()) if now is None else _point(now, unit)
    before = times <= last
    codes, times, paid, orders = codes[before], times[before], paid[before], orders[before]
    bought = paid > 0
    if not bought.any():
        raise ValueError(
            f"no line has a positive {' * '.join(factors)}"
            + ("" if now is None else f" at or before now={now!r}")
        )
    n = len(ids)
    latest = np.full(n, np.iinfo(np.int64).min)
    np.maximum.at(latest, codes[bought], times[bought])
    pairs = np.stack([codes[bought].astype(np.int64), orders[bought].astype(np.int64)])
    pairs = pairs[:, np.lexsort(pairs[::-1])]
    fresh = np.append(True, np.any(pairs[:, 1:] != pairs[:, :-1], axis=0))
    frequency = np.bincount(pairs[0][fresh], minlength=n)
    there = frequency > 0
    recency = (last - latest[there]) / (_DAY if unit == "ns" else 1)
    monetary = np.bincount(codes, paid, minlength=n)[there]
    return {
        user: ids.ids[np.flatnonzero(there)],
        "recency": recency.astype(np.float64),
        "frequency": frequency[there].astype(np.int64),
        "monetary": monetary,
    }


def _complete(columns: dict[str, Column], labels: dict[str, str], nulls: str) -> NDArray[np.bool_]:
    """Which lines have everything."""
    keep = np.ones(next(iter(columns.values())).n_rows, dtype=bool)
    for role, column in columns.items():
        if column.null is None:
            continue
        if nulls == "error":
            raise ValueError(
                f"{labels[role]} holds {int(column.null.sum())} nulls, the first in row "
                f"{int(column.null.argmax())}: pass nulls='drop' to leave these lines out"
            )
        keep &= ~column.null
    return keep


def _point(now: Any, unit: str) -> int:
    """A point in time in the unit of the times."""
    if unit != "ns":
        if isinstance(now, (str, datetime.date, np.datetime64)):
            raise TypeError(f"now must be a number, as the times are whole numbers, got {now!r}")
        return int(np.floor(as_float(now, "now")))
    if not isinstance(now, (str, datetime.date, np.datetime64)):
        raise TypeError(f"now must be a datetime or a string like '2024-06-30', got {now!r}")
    return nanoseconds(now, "now")
