"""Single events behind entries that were merged from several rows, as arrays of a model's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EVENT_RULES", "check_events", "group_rows", "take_events"]

EVENT_RULES = ("sum", "last", "first", "mean", "max", "min")


def group_rows(
    indptr: NDArray[np.int64], groups: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bounds and the positions of the members of some groups, in the order given."""
    lengths = np.diff(indptr)[groups]
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return bounds, np.arange(bounds[-1]) + np.repeat(indptr[groups] - bounds[:-1], lengths)


def take_events(events: Mapping[str, Any], entries: NDArray[Any]) -> dict[str, Any]:
    """Return the events of some entries, in the order given."""
    indptr, rows = group_rows(events["indptr"], entries)
    return {
        **events,
        "indptr": indptr,
        "values": events["values"][rows],
        "times": events["times"][rows],
    }


def check_events(events: Any, n_entries: int, dtype: Any) -> None:
    """Raise ValueError where arrays of events do not fit the entries (a file by others)."""
    names = {"indptr", "values", "times", "rule"}
    if not isinstance(events, Mapping) or set(events) != names:
        raise ValueError("the events do not fit the entries of the matrix")
    indptr, values, times = (np.asarray(events[name]) for name in ("indptr", "values", "times"))
    good = (
        indptr.dtype == times.dtype == np.int64
        and values.dtype == dtype
        and indptr.ndim == values.ndim == times.ndim == 1
        and len(indptr) == n_entries + 1
        and indptr[0] == 0
        and indptr[-1] == len(values) == len(times)
        and bool((np.diff(indptr) > 0).all())
        and bool(np.isfinite(values).all())
        and events["rule"] in EVENT_RULES
    )
    if not good:
        raise ValueError("the events do not fit the entries of the matrix")
