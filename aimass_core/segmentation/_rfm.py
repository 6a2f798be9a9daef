"""Recency, frequency and monetary value of each customer out of a table of transactions."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.caller import warn_caller
from ..base.progress import logger
from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_float
from ..data._time import column_times, nanoseconds
from ..data._values import column_values
from ..data.idmap import IdMap
from ..data.readers import ReadOptions
from ..data.tables import opened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data._column import Column
    from ..data.tables import OpenTable, Table

__all__ = ["rfm"]

_DAY = 86_400_000_000_000  # nanoseconds
_IS_DAY = re.compile(r"\s*\d{4}-\d{2}-\d{2}\s*")


def rfm(
    table: Table,
    *,
    user: str,
    time: str,
    amount: str | tuple[str, str],
    order: str | None = None,
    now: Any = None,
    nulls: str = "error",
    date_format: str | None = None,
    n_threads: int | None = None,
    **reading: Any,
) -> dict[str, NDArray[Any]]:
    """Return recency, frequency and monetary value of each customer.

    A purchase is a line with a positive amount. Lines of zero or less (returns, cancellations,
    corrections) count for the monetary value only.

    Parameters
    ----------
    table : table or path
        One row for each line of a transaction; see `Interactions.from_table`.
    user, time : str
        Columns of customers and of times: datetimes, also as text, or whole numbers.
    amount : str or pair of str
        Column of what was paid, or two columns to be multiplied: ``("quantity", "price")``, also
        as ``"quantity*price"`` (where no column has this name).
    order : str, optional
        Column of orders (invoices), to count each once. Without it frequency counts the different
        days with a purchase (different times, where these are numbers).
    now : datetime, str or number, optional
        The point in time that recency looks back from; lines after it are left out. A day
        ("2025-01-31", a date) includes its lines: recency then counts from the end of the day, or
        from the day itself where no line has a time of day. By default the last time of the table.
    nulls : {"error", "drop"}, default="error"
        What happens to lines with a null in one of these columns.
    date_format : str, optional
        Format of dates in text, as in `Interactions.from_table`.
    n_threads : int, optional
        By default the CPUs of this process.
    **reading
        How a file or a database is read: the arguments of `Interactions.from_table` from ``format``
        on, such as ``decimal=","``.

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
        For a column of the wrong kind, or an argument that does not exist.

    Warns
    -----
    UserWarning
        Without ``now``, where lines lie in the future: recency of all customers would count from
        the latest of them.

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
    own = ("user", "time", "amount", "order", "now", "nulls", "date_format", "n_threads")
    source = opened(table, ReadOptions.of(reading, (*own, *ReadOptions.names_of_fields())))
    factors = _factors(amount, [str(name) for name in source.names()])
    wanted = {"user": user, "time": time}
    wanted |= {("amount", "price")[i]: name for i, name in enumerate(factors)}
    if order is not None:
        wanted["order"] = order
    lines = _read_lines(source, wanted, nulls, date_format, resolve_n_threads(n_threads))
    if now is None:
        _warn_of_future(lines.times, lines.unit, f"time={time!r}")
        last = end = int(lines.times.max())
    else:
        last, end = _point(now, lines.unit, lines.times)
    before = lines.times <= end
    if not before.all():
        logger.info("rfm: %d lines after now=%s are left out", int((~before).sum()), now)
    lines = lines.take(before)
    if not (lines.paid > 0).any():
        raise ValueError(
            f"no line has a positive {' * '.join(factors)}"
            + ("" if now is None else f" at or before now={now!r}")
        )
    ids, values = lines.by_customer(last)
    return {user: ids, **values}


@dataclass(frozen=True)
class _Lines:
    """Lines of transactions.

    Parameters
    ----------
    ids : IdMap
        The customers.
    codes : ndarray of int, shape (n,)
        Customer of each line.
    times : ndarray of int64, shape (n,)
        Nanoseconds for the unit "ns", else numbers as given.
    unit : str
        Of the times.
    paid : ndarray of float64, shape (n,)
        Amounts.
    orders : ndarray of int, shape (n,)
        Lines of one customer with equal numbers are one purchase.
    """

    ids: IdMap
    codes: NDArray[Any]
    times: NDArray[np.int64]
    unit: str
    paid: NDArray[np.float64]
    orders: NDArray[Any]

    def take(self, keep: NDArray[np.bool_]) -> _Lines:
        """Return some of the lines."""
        parts = {name: getattr(self, name)[keep] for name in ("codes", "times", "paid", "orders")}
        return replace(self, **parts)

    def by_customer(self, last: int) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        """Return the ids of customers with a purchase, and their three values."""
        bought = self.paid > 0
        n = len(self.ids)
        latest = np.full(n, np.iinfo(np.int64).min)
        np.maximum.at(latest, self.codes[bought], self.times[bought])
        pairs = np.stack(
            [self.codes[bought].astype(np.int64), self.orders[bought].astype(np.int64)]
        )
        pairs = pairs[:, np.lexsort(pairs[::-1])]
        is_first = np.append(True, np.any(pairs[:, 1:] != pairs[:, :-1], axis=0))
        frequency = np.bincount(pairs[0][is_first], minlength=n)
        has_purchase = frequency > 0
        recency = (last - latest[has_purchase]) / (_DAY if self.unit == "ns" else 1)
        return self.ids.ids[np.flatnonzero(has_purchase)], {
            "recency": recency.astype(np.float64),
            "frequency": frequency[has_purchase].astype(np.int64),
            "monetary": np.bincount(self.codes, self.paid, minlength=n)[has_purchase],
        }


def _read_lines(
    source: OpenTable, wanted: dict[str, str], nulls: str, date_format: str | None, n_threads: int
) -> _Lines:
    """Read the wanted columns of a table, by role; lines with nulls are refused or left out."""
    options = source.options
    if date_format is not None:
        options = options.replaced(date_format=date_format)
    columns = source.read(wanted)
    labels = {role: f"{role}={name!r}" for role, name in wanted.items()}
    keep = _complete(columns, labels, nulls)

    def values(role: str) -> NDArray[Any]:
        where = partial(source.where_text, role)
        return column_values(columns.pop(role), keep, labels[role], options, where)

    codes, ids = IdMap._number(columns.pop("user"), labels["user"], n_threads)
    times, unit = column_times(
        columns.pop("time"), keep, labels["time"], options, partial(source.where_text, "time")
    )
    paid = values("amount").astype(np.float64)
    if "price" in columns:
        paid *= values("price")
    orders: NDArray[Any] = times // _DAY if unit == "ns" else times
    if "order" in columns:
        orders, _ = IdMap._number(columns.pop("order"), labels["order"], n_threads)
        orders = orders[keep]
    if not len(times):
        raise ValueError("no line of the table can be used: it is empty or has nulls in each line")
    return _Lines(ids, codes[keep], times, unit, paid, orders)


def _factors(amount: Any, names: list[str]) -> tuple[str, ...]:
    """Return the columns whose product is the amount."""
    factors = (amount,) if isinstance(amount, str) else tuple(amount)
    if isinstance(amount, str) and amount not in names and "*" in amount:
        factors = tuple(part.strip() for part in amount.split("*"))
    if not 1 <= len(factors) <= 2 or not all(factors):
        raise ValueError(
            f"amount must be a column, a pair of columns or 'quantity*price', got {amount!r}"
        )
    return factors


def _complete(columns: dict[str, Column], labels: dict[str, str], nulls: str) -> NDArray[np.bool_]:
    """Return flags of the lines without nulls."""
    keep = np.ones(next(iter(columns.values())).n_rows, dtype=bool)
    for role, column in columns.items():
        if column.null is None or not len(column.null):
            continue
        if nulls == "error":
            raise ValueError(
                f"{labels[role]} holds {int(column.null.sum())} nulls, the first in row "
                f"{int(column.null.argmax())}: pass nulls='drop' to leave these lines out"
            )
        keep &= ~column.null
    return keep


def _warn_of_future(times: NDArray[np.int64], unit: str, label: str) -> None:
    """Warn of datetimes that lie more than a day after the present."""
    if unit != "ns":
        return
    present = int(np.datetime64("now", "ns").view(np.int64))
    n = int((times > present + _DAY).sum())
    if n:
        latest = np.datetime64(int(times.max()), "ns").astype("datetime64[s]")
        warn_caller(
            f"{label}: {n} lines lie in the future, the latest at {latest}, and recency counts "
            "from there: pass now= to leave them out",
        )


def _point(now: Any, unit: str, times: NDArray[np.int64]) -> tuple[int, int]:
    """Return the time that recency counts from, and that of the last line that is included."""
    if unit != "ns":
        if isinstance(now, (str, datetime.date, np.datetime64)):
            raise TypeError(f"now must be a number, as the times are whole numbers, got {now!r}")
        point = int(np.floor(as_float(now, "now")))
        return point, point
    if not isinstance(now, (str, datetime.date, np.datetime64)):
        raise TypeError(f"now must be a datetime or a string like '2024-06-30', got {now!r}")
    point = nanoseconds(now, "now")
    if not _is_day(now):
        return point, point
    have_hours = bool((times % _DAY != 0).any())
    return point + have_hours * _DAY, point + _DAY - 1


def _is_day(now: Any) -> bool:
    """Return whether a point in time is a day without a time of day."""
    if isinstance(now, str):
        return _IS_DAY.fullmatch(now) is not None
    if isinstance(now, np.datetime64):
        return np.datetime_data(now.dtype)[0] == "D"
    return not isinstance(now, datetime.datetime)
