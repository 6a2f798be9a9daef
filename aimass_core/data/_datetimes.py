"""Datetimes from one unit to another, exactly.

NumPy before 2.5 wraps around silently where a unit cannot count a date, and newer versions raise
OverflowError for the whole array. The functions here report for each entry whether it is exact.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ATTOSECONDS", "from_scalars", "in_unit", "single_unit"]

ATTOSECONDS = {  # the length of each unit that has one
    "as": 1,
    "fs": 10**3,
    "ps": 10**6,
    "ns": 10**9,
    "us": 10**12,
    "ms": 10**15,
    "s": 10**18,
    "m": 60 * 10**18,
    "h": 3600 * 10**18,
    "D": 86_400 * 10**18,
    "W": 7 * 86_400 * 10**18,
}
_LARGEST = 2**63 - 1
_FAR = 10**15  # years, months or days: up to here NumPy's calendar does not overflow

Converted = tuple[NDArray[np.int64], NDArray[np.bool_]]


def in_unit(stamps: NDArray[Any], kind: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Convert datetimes to another unit.

    Parameters
    ----------
    stamps : ndarray of datetime64, shape (n,)
        Of any unit.
    kind : str
        The type wanted, such as ``"datetime64[ns]"``; no multiple of a unit.

    Returns
    -------
    converted : ndarray of datetime64, shape (n,)
        The same points in time, with no meaning where ``is_exact`` is False.
    is_exact : ndarray of bool, shape (n,)
        False for NaT, and where the unit is too coarse or cannot count that far.
    """
    old, new = np.datetime_data(stamps.dtype), np.datetime_data(np.dtype(kind))
    values, is_exact = stamps.view(np.int64), ~np.isnat(stamps)
    if old != new:
        if old[1] > 1:
            values, is_exact = _multiply(values, is_exact, old[1])
        unit = old[0]
        if unit in "YM":
            values, is_exact = _calendar(values, is_exact, unit, "D")
            unit = "D"
        target = "D" if new[0] in "YM" else new[0]
        longer, shorter = ATTOSECONDS[unit], ATTOSECONDS[target]
        if longer > shorter:
            values, is_exact = _multiply(values, is_exact, longer // shorter)
        elif longer < shorter:
            values, is_exact = _divide(values, is_exact, shorter // longer)
        if target != new[0]:
            values, is_exact = _calendar(values, is_exact, "D", new[0])
    return values.view(kind), is_exact


def _multiply(values: NDArray[np.int64], is_exact: NDArray[np.bool_], by: int) -> Converted:
    largest = _LARGEST // by
    is_exact = is_exact & (values >= -largest) & (values <= largest)
    factor = by if largest else 0  # beyond 64 bits: zero is all that remains
    return np.where(is_exact, values, 0) * factor, is_exact


def _divide(values: NDArray[np.int64], is_exact: NDArray[np.bool_], by: int) -> Converted:
    if by > _LARGEST:
        return np.zeros_like(values), is_exact & (values == 0)
    quotient, rest = np.divmod(values, by)
    return quotient, is_exact & (rest == 0)


def _calendar(
    values: NDArray[np.int64], is_exact: NDArray[np.bool_], old: str, new: str
) -> Converted:
    """Convert between days and months or years, whose lengths vary."""
    is_exact = is_exact & (np.abs(values) < _FAR)
    given = np.where(is_exact, values, 0).view(f"M8[{old}]")
    converted = given.astype(f"M8[{new}]")
    return converted.view(np.int64), is_exact & (converted.astype(given.dtype) == given)


def single_unit(stamps: NDArray[Any], name: str) -> NDArray[Any]:
    """Return datetimes counted in multiples of a unit (``datetime64[25s]``) in that unit itself."""
    unit, count = np.datetime_data(stamps.dtype)
    if count == 1:
        return stamps
    converted, is_exact = in_unit(stamps, f"datetime64[{unit}]")
    _refuse_unless(is_exact | np.isnat(stamps), name)
    return converted


def from_scalars(values: Sequence[Any], name: str) -> NDArray[Any]:
    """Return dates without time zone in microseconds, or in nanoseconds if one needs them."""
    if set(map(type, values)) <= {datetime.date, datetime.datetime}:
        return np.array(values, "datetime64[us]")
    stamps: dict[np.dtype[Any], list[Any]] = {}
    rows: dict[np.dtype[Any], list[int]] = {}
    for row, value in enumerate(values):
        if hasattr(value, "to_datetime64"):  # pandas.Timestamp
            stamp = value.to_datetime64()
        elif isinstance(value, np.datetime64):
            stamp = value
        else:
            stamp = np.datetime64(value, "us")
        stamps.setdefault(stamp.dtype, []).append(stamp)
        rows.setdefault(stamp.dtype, []).append(row)
    for kind in ("datetime64[us]", "datetime64[ns]"):
        out = np.empty(len(values), kind)
        is_exact = np.empty(len(values), dtype=np.bool_)
        for dtype, part in stamps.items():
            out[rows[dtype]], is_exact[rows[dtype]] = in_unit(np.array(part, dtype), kind)
        if is_exact.all():
            break
    _refuse_unless(is_exact, name)
    return out


def _refuse_unless(is_exact: NDArray[np.bool_], name: str) -> None:
    if not is_exact.all():
        raise ValueError(
            f"{name} holds a date in row {int(is_exact.argmin())} that its unit cannot count "
            "together with the others: convert the dates to one unit first"
        )
