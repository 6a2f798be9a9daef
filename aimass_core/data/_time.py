"""Timestamps: whole numbers as given ("raw"), or nanoseconds since 1970 ("ns")."""

from __future__ import annotations

import datetime
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..base.validation import as_float
from ._column import Column
from ._datetimes import ATTOSECONDS, in_unit
from ._text import Where, dates_of_numbers, dates_of_text, looks_like_dates
from .readers.options import ReadOptions

if TYPE_CHECKING:
    from .interactions import Interactions

__all__ = ["column_times", "duration", "nanoseconds", "needed_times", "time_point"]


def column_times(
    column: Column,
    keep: NDArray[np.bool_] | None,
    name: str,
    options: ReadOptions | None = None,
    where: Where = lambda text: "",
) -> tuple[NDArray[np.int64], str]:
    """Return datetimes as nanoseconds since 1970, whole numbers as they are; and which of both."""
    date_format = None if options is None else options.date_format
    if column.kind == "str":
        form = None if date_format == "number" else date_format
        column = dates_of_text(column, name, form, where)
    elif column.kind in ("int", "float", "decimal") and date_format not in (None, "number"):
        column = dates_of_numbers(column, name, date_format, where)
    numbers = column.numbers()
    numbers = numbers if keep is None else numbers[keep]
    if column.kind.startswith("datetime64"):
        stamps = numbers.astype(np.int64).view(column.kind)
        exact, is_exact = in_unit(stamps, "datetime64[ns]")
        if not is_exact.all():
            raise ValueError(
                f"{name} holds dates outside of 1678 to 2262, which nanoseconds cannot count"
            )
        return exact.view(np.int64), "ns"
    if column.kind not in ("int", "null", "float", "decimal"):
        raise TypeError(
            f"{name} must hold datetimes or whole numbers, not {column.kind}: convert the column"
        )
    times = numbers.astype(np.int64) if column.kind in ("int", "null") else _whole(numbers, name)
    if options is not None and date_format is None and looks_like_dates(times):
        raise ValueError(
            f"{name} holds whole numbers such as {times[0]}, which look like dates: pass "
            "date_format='%Y%m%d' to read them as dates, or date_format='number'"
        )
    return np.ascontiguousarray(times, dtype=np.int64), "raw"


def _whole(numbers: NDArray[Any], name: str) -> NDArray[np.int64]:
    is_integer = (np.abs(numbers) < 2.0**63) & (numbers == np.floor(numbers))
    if is_integer.all():
        return np.asarray(numbers.astype(np.int64))
    raise ValueError(
        f"{name} holds {numbers[~is_integer][0]}, not a whole number: pass "
        "date_format='s' for seconds since 1970, or 'excel' for serial numbers of days"
    )


def needed_times(x: Interactions, purpose: str) -> NDArray[np.int64]:
    """Return the timestamps, or raise an error that says how to get them."""
    if x.timestamps is None:
        raise ValueError(f"{purpose} needs timestamps: build the interactions with time=<column>")
    return x.timestamps


def time_point(unit: str | None, at: Any, name: str) -> int:
    """Return a point in time in a unit of timestamps, "ns" or "raw" (then rounded up)."""
    if unit == "raw":
        if isinstance(at, (str, datetime.date, np.datetime64)):
            raise TypeError(
                f"{name} must be a number, because the timestamps are whole numbers (pass "
                f"date_format='s' to from_table for seconds since 1970), got {at!r}"
            )
        if isinstance(at, (int, np.integer)) and not isinstance(at, bool):
            return int(at)
        return int(np.ceil(as_float(at, name)))
    if not isinstance(at, (str, datetime.date, np.datetime64)):
        raise TypeError(
            f"{name} must be a datetime or a string like '2024-06-30', because the timestamps "
            f"are datetimes, got {at!r}"
        )
    return nanoseconds(at, name)


def nanoseconds(at: str | datetime.date | np.datetime64, name: str) -> int:
    """Return a point in time as nanoseconds since 1970; one with a time zone is converted to UTC.

    Raises
    ------
    ValueError
        If it is no point in time, or lies outside of the years 1678 to 2261.
    """
    if isinstance(at, datetime.datetime) and at.tzinfo is not None:
        at = at.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    try:
        with warnings.catch_warnings():  # NumPy warns of time zones and of units in what is no date
            warnings.simplefilter("ignore")
            point = np.datetime64(at)
    except (ValueError, OverflowError):
        point = np.datetime64("NaT", "ns")
    if np.isnat(point):
        raise ValueError(
            f"{name} must be a point in time like '2024-06-30' or '2024-06-30T18:00', got {at!r}"
        )
    if not 1678 <= int(point.astype("datetime64[Y]").astype(np.int64)) + 1970 < 2262:
        raise ValueError(
            f"{name} must be a date from 1678 to 2261, which nanoseconds can count, got {at!r}"
        )
    return int(point.astype("datetime64[ns]").astype(np.int64))


def duration(unit: str | None, length: Any, name: str) -> float:
    """Return a positive length of time in a unit of timestamps, "ns" or "raw"."""
    is_delta = isinstance(length, (datetime.timedelta, np.timedelta64))
    if unit == "raw":
        if is_delta:
            raise TypeError(
                f"{name} must be a number in the unit of the timestamps, because these are whole "
                f"numbers (86400 for a day in Unix seconds), got {length!r}"
            )
        return as_float(length, name, above=0.0)
    if not is_delta:
        raise TypeError(
            f"{name} must be a timedelta such as timedelta(days=30), because the timestamps are "
            f"datetimes, got {length!r}"
        )
    return as_float(_length(length, name), name, above=0.0)


def _length(delta: datetime.timedelta | np.timedelta64, name: str) -> float:
    """Return a length of time in nanoseconds."""
    if isinstance(delta, datetime.timedelta):
        return delta / datetime.timedelta(microseconds=1) * 1e3
    unit, count = np.datetime_data(delta.dtype)
    if unit in ("Y", "M", "generic") or np.isnat(delta):
        raise ValueError(
            f"{name} must have a unit of fixed length, such as days, got {delta!r}: pass for "
            "example timedelta(days=30)"
        )
    return int(delta.astype(np.int64)) * count * ATTOSECONDS[unit] / ATTOSECONDS["ns"]
