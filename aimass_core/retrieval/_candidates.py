"""Pairs of a user and an item that an audience may be chosen from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from ..base.csr import patterns_union, take_rows
from ..base.filters import combine_filters
from ..base.validation import as_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.filters import Filter
    from ._audience_index import AudienceIndex
    from ._packed_users import RankedUsers

__all__ = ["CandidateSource", "FixedLists", "Pairs", "RankedLists"]


@dataclass(frozen=True)
class Pairs:
    """Pairs of a user and an item, item by item, each item's best users first.

    Parameters
    ----------
    users : ndarray of int32
        Rows of users.
    positions : ndarray of int32
        Positions of the items in the call.
    scores : ndarray of float
        Scores of the pairs.
    is_last : ndarray of bool
        Whether the item has further candidates and this is the last one given.
    """

    users: NDArray[np.int32]
    positions: NDArray[np.int32]
    scores: NDArray[Any]
    is_last: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.users)

    def take(self, entries: NDArray[Any]) -> Pairs:
        """Return some of the pairs."""
        return Pairs(
            self.users[entries],
            self.positions[entries],
            self.scores[entries],
            self.is_last[entries],
        )

    @classmethod
    def join(cls, parts: list[Pairs], dtype: Any) -> Pairs:
        """Return the pairs of several objects, one after another."""
        if not parts:
            nothing = np.empty(0, dtype=np.int32)
            return cls(nothing, nothing, np.empty(0, dtype=dtype), np.empty(0, dtype=bool))
        return cls(
            np.concatenate([part.users for part in parts]),
            np.concatenate([part.positions for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.is_last for part in parts]),
        )


class CandidateSource(Protocol):
    """Source of the best candidates of items."""

    @property
    def dtype(self) -> Any:
        """Type of the scores."""
        ...

    def pairs(
        self,
        active: NDArray[np.int64],
        eligible: NDArray[np.bool_],
        chosen: Pairs,
        count: int,
    ) -> Pairs:
        """Return at least the ``count`` best pairs of each active item, without chosen ones.

        Parameters
        ----------
        active : ndarray of int64
            Positions of items.
        eligible : ndarray of bool, shape (n_users,)
            Users who may still be chosen.
        chosen : Pairs
            Pairs that are chosen already.
        count : int
            Number of users for each item.
        """
        ...


@dataclass(frozen=True)
class FixedLists:
    """Candidates from complete lists, such as those of users whose top-k contains the item."""

    lists: RankedUsers
    minimum: float

    @property
    def dtype(self) -> Any:
        """Type of the scores."""
        return self.lists.scores.dtype

    def pairs(
        self,
        active: NDArray[np.int64],
        eligible: NDArray[np.bool_],
        chosen: Pairs,
        count: int,
    ) -> Pairs:
        """Return all pairs of active items with eligible users, without chosen ones."""
        lists = self.lists.take(active)
        positions = np.repeat(active.astype(np.int32), np.diff(lists.indptr))
        kept = eligible[lists.users] & (lists.scores >= self.minimum)
        if len(chosen):
            n_users = np.int64(len(eligible))
            keys = positions * n_users + lists.users
            kept &= ~np.isin(keys, chosen.positions * n_users + chosen.users)
        users = lists.users[kept]
        return Pairs(users, positions[kept], lists.scores[kept], np.zeros(len(users), dtype=bool))


@dataclass(frozen=True)
class RankedLists:
    """Candidates ranked by score on demand.

    Parameters
    ----------
    index : AudienceIndex
        Users and items.
    rows : ndarray of int64
        Rows of the items of the call.
    candidates : csr_array of shape (n_items, n_users) or None
        The only users that each item may get; a mask for all items is part of ``eligible``.
    exclude : csr_array of shape (n_items, n_users) or None
        Users that each item must not get.
    minimum : float
        Lowest score of a candidate.
    n_threads : int
        Threads to use.
    """

    index: AudienceIndex
    rows: NDArray[np.int64]
    candidates: sp.csr_array | None
    exclude: sp.csr_array | None
    minimum: float
    n_threads: int

    @property
    def dtype(self) -> Any:
        """Type of the scores."""
        return self.index._users.dtype

    def pairs(
        self,
        active: NDArray[np.int64],
        eligible: NDArray[np.bool_],
        chosen: Pairs,
        count: int,
    ) -> Pairs:
        """Return the ``count`` best pairs of each active item."""
        allowed: Filter = None
        if self.candidates is not None:
            allowed = take_rows(self.candidates, active)
        ineligible = None if eligible.all() else (~eligible).astype(np.uint8)
        excluded = None if self.exclude is None else take_rows(self.exclude, active)
        if len(chosen):
            excluded = patterns_union(excluded, self._rows_of(chosen, active))
        allowed, excluded = combine_filters(allowed, ineligible, excluded)
        users, scores = self.index._rank_users(
            self.rows[active], max(count, 1), allowed, excluded, self.n_threads
        )
        is_candidate = (users >= 0) & (scores >= self.minimum)
        is_last = np.zeros(users.shape, dtype=bool)
        if users.shape[1] and users.shape[1] < self.index.n_users:
            is_last[:, -1] = is_candidate[:, -1]
        positions = np.repeat(active.astype(np.int32), users.shape[1]).reshape(users.shape)
        return Pairs(
            users[is_candidate],
            positions[is_candidate],
            scores[is_candidate],
            is_last[is_candidate],
        )

    def _rows_of(self, chosen: Pairs, active: NDArray[np.int64]) -> sp.csr_array:
        """Return chosen pairs as a matrix with a row for each active item."""
        row_of = np.full(len(self.rows), -1, dtype=np.int64)
        row_of[active] = np.arange(len(active))
        rows = row_of[chosen.positions]
        kept = rows >= 0
        entries = (np.ones(int(kept.sum()), dtype=np.float32), (rows[kept], chosen.users[kept]))
        return as_csr(sp.csr_array(entries, shape=(len(active), self.index.n_users)))
