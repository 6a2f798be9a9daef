"""Users in the layout of the kernel `reverse_topk`, and lists of users from lists of items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..base.csr import row_range
from ._factors import norms_of
from ._packing import PANEL_COLS, to_panels

if TYPE_CHECKING:
    import scipy.sparse as sp
    from numpy.typing import NDArray

    from ..base.ranking import Ranked
    from ._index import FactorIndex

__all__ = ["RankedUsers", "Thresholds", "invert_lists", "pack_users", "rank_pairs"]

_BLOCK = 1 << 14  # users whose lists are held at once
_LAST_ITEM = np.iinfo(np.int32).max


class RankedUsers(NamedTuple):
    """Users of each item, best first; those of the i-th are from indptr[i] to indptr[i + 1]."""

    indptr: NDArray[np.int64]
    users: NDArray[np.int32]
    scores: NDArray[Any]

    def take(self, positions: NDArray[np.int64]) -> RankedUsers:
        """Return the users of some items, in this order."""
        sizes = np.diff(self.indptr)[positions]
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[positions] - indptr[:-1], sizes)
        return RankedUsers(indptr, self.users[entries], self.scores[entries])


class Thresholds(NamedTuple):
    """Score and row of each user's k-th best item, and the lists where they are kept.

    A user with fewer than k items has the lowest score and the last item, so that every item is in
    the user's top k.
    """

    scores: NDArray[Any]
    items: NDArray[np.int32]
    lists: Ranked | None

    @classmethod
    def of_users(
        cls,
        index: FactorIndex,
        users: NDArray[Any],
        k: int,
        exclude: sp.csr_array | None,
        keep_lists: bool,
        n_threads: int,
    ) -> Thresholds:
        """Return the thresholds of all users, computed in blocks of users."""
        scores = np.full(len(users), np.finfo(users.dtype).min, dtype=users.dtype)
        items = np.full(len(users), _LAST_ITEM, dtype=np.int32)
        if k > index.n_items:
            return cls(scores, items, None)
        shape = (len(users) if keep_lists else 0, k)
        lists = np.empty(shape, np.int32), np.empty(shape, users.dtype)
        for begin in range(0, len(users), _BLOCK):
            end = min(begin + _BLOCK, len(users))
            excluded = None if exclude is None else row_range(exclude, begin, end)
            ranked, values = index.rank(users[begin:end], k, None, excluded, n_threads)
            is_full = ranked[:, -1] >= 0
            scores[begin:end] = np.where(is_full, values[:, -1], scores[begin:end])
            items[begin:end] = np.where(is_full, ranked[:, -1], items[begin:end])
            if keep_lists:
                lists[0][begin:end], lists[1][begin:end] = ranked, values
        return cls(scores, items, lists if keep_lists else None)


def rank_pairs(
    items: NDArray[Any], users: NDArray[np.int32], scores: NDArray[Any], n_items: int
) -> RankedUsers:
    """Return pairs of an item and a user, given by ascending user, as ranked users of each item."""
    if scores.dtype == np.float32:  # item and descending score in one word: one sort, not two
        bits = (scores + np.float32(0)).view(np.uint32)  # -0 and 0 are one score
        descending = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
        keys = items.astype(np.uint64) << np.uint64(32) | descending
        order = np.argsort(keys, kind="stable")
    else:
        order = np.lexsort((-scores, items))
    indptr = np.zeros(n_items + 1, dtype=np.int64)
    np.cumsum(np.bincount(items, minlength=n_items), out=indptr[1:])
    return RankedUsers(indptr, users[order], scores[order])


def invert_lists(lists: Ranked, user_biases: NDArray[Any] | None, n_items: int) -> RankedUsers:
    """Return lists of items of each user as ranked users of each item."""
    indices, scores = lists
    is_item = indices.ravel() >= 0
    users = np.repeat(np.arange(len(indices), dtype=np.int32), indices.shape[1])[is_item]
    values = scores.ravel()[is_item]
    if user_biases is not None:
        values = values + user_biases[users]
    return rank_pairs(indices.ravel()[is_item], users, values, n_items)


def pack_users(users: NDArray[Any], thresholds: Thresholds) -> tuple[Any, ...]:
    """Return users in panels, sorted by the length that an item needs to reach their thresholds."""
    n, cols = len(users), PANEL_COLS
    n_panels = -(-n // cols)
    norms = norms_of(users)
    needed = np.full(n, -np.inf)
    with np.errstate(over="ignore"):
        np.divide(thresholds.scores, norms, out=needed, where=norms > 0, dtype=np.float64)
    order = np.argsort(needed, kind="stable").astype(np.int32)

    def padded(values: NDArray[Any], fill: Any) -> NDArray[Any]:
        out = np.full((n_panels * cols, *values.shape[1:]), fill, dtype=values.dtype)
        out[:n] = values[order]
        return out

    limits = [
        padded(needed, np.inf).reshape(n_panels, cols).min(axis=1),
        padded(norms, np.inf).reshape(n_panels, cols).min(axis=1),
        padded(norms, 0).reshape(n_panels, cols).max(axis=1),
    ]
    rows = np.zeros(n_panels * cols, dtype=np.int32)
    rows[:n] = order
    return (
        to_panels(padded(users, 0), cols),
        rows,
        padded(thresholds.scores, np.nan),
        padded(thresholds.items, -1),
        np.ascontiguousarray(np.stack(limits, axis=1)),
    )
