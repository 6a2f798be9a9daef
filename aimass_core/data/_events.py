"""The single events behind entries that were merged from several rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from ..base.events import check_events, group_rows

__all__ = ["Events", "UngroupedEvents"]


@dataclass(frozen=True, slots=True)
class Events:
    """Events with their own values and times, grouped by the entry that they were merged into.

    Parameters
    ----------
    indptr : ndarray of int64, shape (n_entries + 1,)
        The events of entry ``i`` are ``indptr[i]`` to ``indptr[i + 1]``, at least one, in the order
        of the rows of the table.
    values : ndarray of float32 or float64, shape (n_events,)
        Value of each event.
    times : ndarray of int64, shape (n_events,)
        Time of each event.
    rule : str
        How the values of an entry are combined: "sum", "last", "first", "mean", "max" or "min".
    """

    indptr: NDArray[np.int64]
    values: NDArray[Any]
    times: NDArray[np.int64]
    rule: str

    def __len__(self) -> int:
        return len(self.times)

    def entries(self) -> NDArray[np.int64]:
        """Return the entry of each event."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def first_times(self) -> NDArray[np.int64]:
        """Return the earliest time of each entry."""
        return np.minimum.reduceat(self.times, self.indptr[:-1]) if len(self) else self.times

    def last_times(self) -> NDArray[np.int64]:
        """Return the latest time of each entry."""
        return np.maximum.reduceat(self.times, self.indptr[:-1]) if len(self) else self.times

    def take(self, entries: NDArray[Any]) -> Events:
        """Return the events of some entries, in the order given."""
        indptr, rows = group_rows(self.indptr, entries)
        return Events(indptr, self.values[rows], self.times[rows], self.rule)

    def rescaled(self, old: NDArray[Any], new: NDArray[Any]) -> Events:
        """Return events whose values combine to ``new`` where they combined to ``old``."""
        lengths = np.diff(self.indptr)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            factors = np.where(old == new, 1.0, new.astype(np.float64) / old)
            even = new / (lengths if self.rule == "sum" else 1)
        usable = np.isfinite(factors)
        if self.rule in ("max", "min"):  # a negative factor would turn one into the other
            usable &= factors >= 0
        values = self.values * np.where(usable, factors, 0.0).repeat(lengths)
        values = np.where(usable.repeat(lengths), values, even.repeat(lengths))
        return Events(self.indptr, values.astype(new.dtype), self.times, self.rule)

    def to_arrays(self) -> dict[str, Any]:
        """Return the arrays and the rule, for files."""
        return {
            "indptr": self.indptr,
            "values": self.values,
            "times": self.times,
            "rule": self.rule,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], n_entries: int, dtype: Any) -> Events:
        """Return the events that a file holds, refused if they do not fit the entries."""
        check_events(arrays, n_entries, dtype)
        return cls(arrays["indptr"], arrays["values"], arrays["times"], arrays["rule"])


@dataclass(frozen=True, slots=True)
class UngroupedEvents:
    """Events in the order of the rows of a table, whose grouping waits until it is needed.

    Parameters
    ----------
    rows, cols : ndarray of int32, shape (n_events,)
        The entry of each event.
    values : ndarray of float32 or float64, shape (n_events,)
        Value of each event.
    times : ndarray of int64, shape (n_events,)
        Time of each event.
    rule : str
        How the values of an entry are combined; "count" counts its events.
    n_threads : int
        For the grouping.
    """

    rows: NDArray[np.int32]
    cols: NDArray[np.int32]
    values: NDArray[Any]
    times: NDArray[np.int64]
    rule: str
    n_threads: int

    def group(self, n_entries: int, n_cols: int) -> Events:
        """Return the events by entry, in the order of a canonical CSR: O(n) time."""
        keys = self.rows.astype(np.int64) * max(n_cols, 1) + self.cols
        codes, _ = kernels.factorize_int64(keys, self.n_threads)
        order = np.arange(len(codes), dtype=np.int32)
        values = np.ones_like(self.values) if self.rule == "count" else self.values
        indptr, _, values, times = kernels.coo_to_csr(
            codes, order, values, self.times, n_entries, len(codes), "error", self.n_threads
        )
        return Events(indptr, values, times, "sum" if self.rule == "count" else self.rule)
