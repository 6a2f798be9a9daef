"""A sparse matrix that remembers the ids of its rows and columns, and what can be made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ..base.threads import resolve_n_threads
from ..base.validation import _wrap_csr, as_choice, as_csr
from ._triplets import RULES, merge_triplets
from .idmap import IdMap

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["IdMatrix"]


class IdMatrix:
    """Users x items in canonical CSR with the ids of both sides; for its parts see `Interactions`.

    Parameters
    ----------
    matrix : sparse array of shape (n_users, n_items)
    users, items : IdMap
    timestamps : ndarray of int64, shape (nnz,), optional
    time_unit : {"ns", "raw"}, optional
    report : dict, optional
    """

    def __init__(
        self,
        matrix: Any,
        users: IdMap,
        items: IdMap,
        *,
        timestamps: NDArray[np.int64] | None = None,
        time_unit: str | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        self.matrix: sp.csr_array = as_csr(matrix, "matrix")
        if self.matrix.shape != (len(users), len(items)):
            raise ValueError(
                f"matrix is {self.matrix.shape[0]} x {self.matrix.shape[1]}, but there are "
                f"{len(users)} user ids and {len(items)} item ids; is it transposed?"
            )
        if timestamps is not None and timestamps.shape != self.matrix.data.shape:
            raise ValueError(
                f"timestamps must have one entry for each of the {self.matrix.nnz} stored values, "
                f"got shape {timestamps.shape}"
            )
        if timestamps is not None and not getattr(matrix, "has_canonical_format", False):
            raise ValueError(
                "matrix must be a CSR with sorted rows and without duplicates, so that timestamps "
                "can go with its entries: call matrix.sum_duplicates() first"
            )
        self.users = users
        self.items = items
        self.timestamps = timestamps
        self.time_unit = time_unit if timestamps is not None else None
        self.report: dict[str, Any] = dict(report or {})

    @property
    def shape(self) -> tuple[int, int]:
        """Number of users and number of items."""
        return len(self.users), len(self.items)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def nnz(self) -> int:
        """Number of stored entries, explicit zeros included."""
        return int(self.matrix.nnz)

    def __repr__(self) -> str:
        times = ", with times" if self.timestamps is not None else ""
        return (
            f"Interactions({self.n_users} users x {self.n_items} items, {self.nnz} interactions, "
            f"{self.matrix.dtype}{times})"
        )

    def __iter__(self) -> Iterator[tuple[Any, Any, float]]:
        users = self.users.ids[self.row_indices()].tolist()
        items = self.items.ids[self.matrix.indices].tolist()
        return iter(zip(users, items, self.matrix.data.tolist(), strict=True))

    def row_indices(self) -> NDArray[np.int32]:
        """The row of each stored entry.

        Returns
        -------
        ndarray of int32, shape (nnz,)
            Beside ``matrix.indices`` and ``matrix.data``, the third column of the triplets.
        """
        return np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.matrix.indptr))

    @property
    def T(self) -> Self:
        """Items x users."""
        rows = np.ascontiguousarray(self.matrix.indices)
        matrix, times = merge_triplets(
            rows, self.row_indices(), self.matrix.data, self.timestamps, self.items, self.users,
            "sum", resolve_n_threads(None),
        )  # fmt: skip
        return type(self)(
            matrix, self.items, self.users,
            timestamps=times, time_unit=self.time_unit, report=self.report,
        )  # fmt: skip

    def with_matrix(self, matrix: Any) -> Self:
        """The same ids around another matrix, e.g. a weighted one.

        Parameters
        ----------
        matrix : sparse matrix of the same shape
            The timestamps are kept if it stores exactly the same places.

        Returns
        -------
        Interactions
            With these users and items.
        """
        out = type(self)(matrix, self.users, self.items, report=self.report)
        same = np.array_equal(out.matrix.indptr, self.matrix.indptr) and np.array_equal(
            out.matrix.indices, self.matrix.indices
        )
        if same:
            out.timestamps, out.time_unit = self.timestamps, self.time_unit
        return out

    def keep_entries(self, keep: NDArray[np.bool_]) -> Self:
        """Some of the stored entries; shape and ids stay.

        Parameters
        ----------
        keep : ndarray of bool, shape (nnz,)
            Aligned with ``matrix.data``.

        Returns
        -------
        Interactions
            Of the same shape.
        """
        keep = np.asarray(keep)
        if keep.dtype != bool or keep.shape != (self.nnz,):
            raise ValueError(
                f"keep must be a boolean array of shape ({self.nnz},), got {keep.dtype} of shape "
                f"{keep.shape}"
            )
        before = np.zeros(self.nnz + 1, dtype=np.int64)
        np.cumsum(keep, out=before[1:])
        matrix = _wrap_csr(
            before[self.matrix.indptr],
            self.matrix.indices[keep],
            self.matrix.data[keep],
            self.shape,
        )
        times = None if self.timestamps is None else self.timestamps[keep]
        return type(self)(
            matrix, self.users, self.items,
            timestamps=times, time_unit=self.time_unit, report=self.report,
        )  # fmt: skip

    def take(self, users: NDArray[Any] | None = None, items: NDArray[Any] | None = None) -> Self:
        """Some of the users and items, by their row and column numbers.

        Parameters
        ----------
        users, items : ndarray of int, optional
            Distinct numbers, in the order wanted. None: all.

        Returns
        -------
        Interactions
            Of shape (len(users), len(items)).
        """
        rows, cols = self.row_indices(), self.matrix.indices
        entries = np.ones(self.nnz, dtype=bool)
        new_rows, user_map = _renumber(users, self.users, rows, entries)
        new_cols, item_map = _renumber(items, self.items, cols, entries)
        times = None if self.timestamps is None else self.timestamps[entries]
        matrix, times = merge_triplets(
            new_rows[rows[entries]], new_cols[cols[entries]], self.matrix.data[entries], times,
            user_map, item_map, "error", resolve_n_threads(None),
        )  # fmt: skip
        return type(self)(
            matrix, user_map, item_map,
            timestamps=times, time_unit=self.time_unit, report=self.report,
        )  # fmt: skip

    def subset(self, users: Any = None, items: Any = None) -> Self:
        """Some of the users and items, by their ids.

        Parameters
        ----------
        users, items : array-like of ids, optional
            Distinct ids, in the order wanted. None: all.

        Returns
        -------
        Interactions
            Of shape (len(users), len(items)).

        Raises
        ------
        KeyError
            For an id that is not there.
        """
        rows = None if users is None else self.users.index(users, what="user")
        cols = None if items is None else self.items.index(items, what="item")
        return self.take(rows, cols)

    def drop_empty(self) -> Self:
        """Leave out users and items without a stored entry.

        Returns
        -------
        Interactions
            Perhaps smaller.
        """
        rows = np.flatnonzero(np.diff(self.matrix.indptr))
        cols = np.flatnonzero(np.bincount(self.matrix.indices, minlength=self.n_items))
        if len(rows) == self.n_users and len(cols) == self.n_items:
            return self
        return self.take(rows, cols)

    def merge(self, other: IdMatrix, *, duplicates: str | None = None) -> Self:
        """These interactions and newer ones; ids may be new.

        Parameters
        ----------
        other : Interactions
            Its ids must be of the same type; it has timestamps of the same unit if this one has.
        duplicates : str, optional
            As in `from_table`, for pairs that both hold. Default: the rule that this object was
            built with (``count`` adds the counts up; a mean cannot be continued and is refused).

        Returns
        -------
        Interactions
            The users and items of this one keep their rows and columns, new ones follow in
            ascending order: by id it equals what building from all rows at once gives.
        """
        if not isinstance(other, IdMatrix):
            raise TypeError(f"other must be Interactions, got {type(other).__name__}")
        rule = duplicates or self.report.get("duplicates", "error")
        if duplicates is None and rule in ("mean", "count"):
            if rule == "mean":
                raise ValueError(
                    "these interactions are means of their duplicates, which cannot be continued: "
                    "pass duplicates= or rebuild from all rows"
                )
            rule = "sum"
        as_choice(rule, "duplicates", RULES)
        if self.time_unit != other.time_unit:
            raise ValueError(
                f"timestamps do not match: this has unit {self.time_unit}, other {other.time_unit}"
            )
        rows, users = self.users._merge(other.users)
        cols, items = self.items._merge(other.items)
        times = None
        if self.timestamps is not None and other.timestamps is not None:
            times = np.concatenate([self.timestamps, other.timestamps])
        matrix, times = merge_triplets(
            np.concatenate([self.row_indices(), rows[other.row_indices()].astype(np.int32)]),
            np.concatenate([self.matrix.indices, cols[other.matrix.indices].astype(np.int32)]),
            np.concatenate([self.matrix.data, other.matrix.data]),
            times, users, items, rule, resolve_n_threads(None),
        )  # fmt: skip
        report = {**self.report, "interactions": matrix.nnz}
        return type(self)(
            matrix, users, items, timestamps=times, time_unit=self.time_unit, report=report
        )


def _renumber(
    wanted: NDArray[Any] | None, ids: IdMap, codes: NDArray[np.int32], entries: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], IdMap]:
    """New number of each old one (-1: gone) and the new map; narrows ``entries`` in place."""
    if wanted is None:
        return np.arange(len(ids), dtype=np.int32), ids
    new = np.full(len(ids), -1, dtype=np.int32)
    new[wanted] = np.arange(len(wanted), dtype=np.int32)
    if np.count_nonzero(new >= 0) != len(wanted):
        raise ValueError("users and items must be distinct")
    entries &= new[codes] >= 0
    return new, ids.take(wanted)
