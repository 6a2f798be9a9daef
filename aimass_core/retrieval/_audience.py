"""Whom to address for which item, under budgets, caps and a minimum size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .._threads import resolve_n_threads
from .._validation import as_bool, as_choice, as_float, as_indices, as_int

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._reverse import AudienceIndex

__all__ = ["Audience", "audience"]

_MOST_EXACT = 300_000  # pairs that are left to the exact solver


@dataclass(frozen=True, eq=False)
class Audience:
    """The users chosen for each item; those of the i-th are ``users[indptr[i]:indptr[i + 1]]``.

    Parameters
    ----------
    items : ndarray of int64, shape (n,)
        The items asked about, in the order given.
    indptr : ndarray of int64, shape (n + 1,)
        Where the users of each item begin.
    users : ndarray of int32
        Best first: score descending, then user ascending.
    scores : ndarray
        Their scores.
    value : float
        Sum of the scores of all pairs, each above ``floor``.
    bound : float
        No choice of pairs under the same limits is worth more.
    floor : float
        0, or the lowest score of a candidate if that is negative.
    dropped : ndarray of int64
        Items left without users because fewer than ``min_size`` could be found.
    """

    items: NDArray[np.int64]
    indptr: NDArray[np.int64]
    users: NDArray[np.int32]
    scores: NDArray[Any]
    value: float
    bound: float
    floor: float
    dropped: NDArray[np.int64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Users of each item."""
        return np.diff(self.indptr)

    def of(self, place: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Users and scores of one of the items.

        Parameters
        ----------
        place : int
            Its place among the items asked about.

        Returns
        -------
        users : ndarray of int32
            Best first.
        scores : ndarray
            Their scores.
        """
        part = slice(self.indptr[place], self.indptr[place + 1])
        return self.users[part], self.scores[part]


@dataclass(frozen=True)
class _Pairs:
    """Candidates in order of score; ``whole``: whether an item's list was not cut."""

    users: NDArray[np.int32]
    places: NDArray[np.int32]
    scores: NDArray[Any]
    whole: NDArray[np.bool_]

    def take(self, keep: NDArray[np.bool_]) -> _Pairs:
        return _Pairs(self.users[keep], self.places[keep], self.scores[keep], self.whole)


def audience(
    index: AudienceIndex,
    items: Any,
    *,
    size: Any,
    in_top_k: bool = False,
    threshold: float | None = None,
    max_per_user: Any = None,
    exclude_users: Any = None,
    min_size: int = 0,
    method: str = "greedy",
    n_threads: int | None = None,
) -> Audience:
    """Choose users for items so that the sum of scores is largest under the limits.

    Parameters
    ----------
    index : AudienceIndex
        Users and items; who has an item is never in its audience.
    items : array-like of int, shape (n,)
        Items to find users for, each once.
    size : int or array-like of int, shape (n,)
        The budget: at most so many users for each item.
    in_top_k : bool, default=False
        Only users in whose k best items (``index.k``) the item stands.
    threshold : float, optional
        Only pairs with at least this score.
    max_per_user : int or array-like of int, shape (n_users,), optional
        The frequency cap: at most so many of the items for each user. Default: no cap.
    exclude_users : array-like, optional
        Users who must not be addressed: their numbers, or flags of all users.
    min_size : int, default=0
        An item with fewer users gets none at all (a guard of privacy): the smallest audience below
        it is given up and its users are free again, until none is below.
    method : {"greedy", "exact"}, default="greedy"
        Greedy takes pairs by falling score while both sides have room: at least half of the largest
        sum, mostly nearly all of it, in the time of a sort. Exact solves the assignment by HiGHS,
        for at most some hundred thousand pairs; with ``min_size`` it chooses best whom to give up.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Returns
    -------
    Audience
        Users of each item, the sum reached and a bound of what is possible.

    Raises
    ------
    KeyError
        For an item or user number out of range.
    ValueError
        For limits that make no sense, or too many pairs for ``method="exact"``.

    Examples
    --------
    >>> from aimass_core.retrieval import AudienceIndex, audience
    >>> index = AudienceIndex([[3.0, 2.0], [2.0, 1.9], [0.1, 0.1]], [[1.0, 0.0], [0.0, 1.0]])
    >>> chosen = audience(index, [0, 1], size=1, max_per_user=1)
    >>> chosen.of(0)[0].tolist(), chosen.of(1)[0].tolist()
    ([0], [1])
    """
    asked = as_indices(items, "items", index.n_items, what="items")
    if len(np.unique(asked)) != len(asked):
        raise ValueError("items must be given once each: an item has one audience")
    n = len(asked)
    room = _limits(size, "size", n)
    caps = _limits(n if max_per_user is None else max_per_user, "max_per_user", index.n_users)
    least = as_int(min_size, "min_size", minimum=0)
    in_lists = as_bool(in_top_k, "in_top_k")
    as_choice(method, "method", ("greedy", "exact"))
    if threshold is not None:
        threshold = as_float(threshold, "threshold")
    eligible = _eligible(exclude_users, index.n_users) & (caps > 0)
    caps = np.where(eligible, caps, 0)
    threads = resolve_n_threads(n_threads)
    # An item's choice lies within its best sum(size): so many at most are taken by the others.
    most = int(min(index.n_users, room.sum()))
    count = most if method == "exact" else int(min(most, 2 * room.max(initial=0)))

    def candidates(count: int) -> _Pairs:
        if in_lists:
            reached = index.reverse_topk(asked, n_threads=threads)
            places = np.repeat(np.arange(n, dtype=np.int32), np.diff(reached.indptr))
            pairs = _Pairs(reached.users, places, reached.scores, np.ones(n, bool))
            pairs = pairs.take(eligible[pairs.users])
        else:
            users, scores = index.best_users(
                asked, max(count, 1), eligible=eligible, n_threads=threads
            )
            places = np.repeat(np.arange(n, dtype=np.int32), users.shape[1])
            whole = (users[:, -1] < 0) | (count >= most) if users.shape[1] else np.ones(n, bool)
            if threshold is not None and users.shape[1]:
                whole |= scores[:, -1] < threshold
            pairs = _Pairs(users.ravel(), places, scores.ravel(), whole)
            pairs = pairs.take(pairs.users >= 0)
        if threshold is not None:
            pairs = pairs.take(pairs.scores >= threshold)
        order = np.lexsort((pairs.users, pairs.places, -pairs.scores))
        return _Pairs(pairs.users[order], pairs.places[order], pairs.scores[order], pairs.whole)

    pairs = candidates(count)
    if method == "exact":
        return _exact(asked, pairs, room, caps, least)
    while True:
        result, unsure = _greedy(asked, pairs, room, caps, least)
        if not unsure:
            return result
        count = min(4 * count, most)
        pairs = candidates(count)


def _limits(value: Any, name: str, n: int) -> NDArray[np.int64]:
    """One whole number for all, or one for each."""
    if np.ndim(value) == 0:
        return np.full(n, as_int(value, name, minimum=0), dtype=np.int64)
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, got {array.dtype}")
    if array.shape != (n,):
        raise ValueError(f"{name} must be one number or have shape ({n},), got {array.shape}")
    if (array < 0).any():
        raise ValueError(f"{name} must be at least 0, got {array.min()}")
    return array.astype(np.int64)


def _eligible(exclude_users: Any, n_users: int) -> NDArray[np.bool_]:
    eligible = np.ones(n_users, dtype=bool)
    if exclude_users is None:
        return eligible
    array = np.asarray(exclude_users)
    if array.dtype == np.bool_:
        if array.shape != (n_users,):
            raise ValueError(
                f"exclude_users must have one flag for each of the {n_users} users, got shape "
                f"{array.shape}"
            )
        return ~array
    eligible[as_indices(array, "exclude_users", n_users, what="users")] = False
    return eligible


def _result(
    asked: NDArray[np.int64],
    chosen: _Pairs,
    floor: float,
    bound: float | None,
    dropped: NDArray[np.int64],
) -> Audience:
    n = len(asked)
    order = np.lexsort((chosen.users, -chosen.scores, chosen.places))
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(chosen.places, minlength=n), out=indptr[1:])
    value = float((chosen.scores.astype(np.float64) - floor).sum())
    return Audience(
        asked,
        indptr,
        chosen.users[order],
        chosen.scores[order],
        value,
        value if bound is None else bound,
        floor,
        asked[dropped],
    )


def _floor(pairs: _Pairs) -> float:
    return float(min(pairs.scores.min(initial=0), 0))


def _greedy(
    asked: NDArray[np.int64],
    pairs: _Pairs,
    room: NDArray[np.int64],
    caps: NDArray[np.int64],
    least: int,
) -> tuple[Audience, bool]:
    """The choice, and whether an item lacks users only because its list was cut."""
    from ..jit.assign_greedy import assign_greedy

    room, taken = room.copy(), np.empty(len(pairs.users), dtype=bool)
    dropped: list[int] = []
    while True:
        left = room.copy()
        assign_greedy(pairs.users, pairs.places, caps.copy(), left, taken)
        found = room - left
        if ((left > 0) & ~pairs.whole).any():
            return _result(asked, pairs.take(taken), 0.0, None, np.empty(0, np.int64)), True
        below = np.flatnonzero((found < least) & (room > 0))
        if not len(below):
            break
        smallest = int(below[np.lexsort((-below, found[below]))[0]])
        dropped.append(smallest)
        room[smallest] = 0
    floor = _floor(pairs)
    value = float((pairs.scores[taken].astype(np.float64) - floor).sum())
    # Each item's best users alone, and twice what greedy reached.
    place = np.argsort(pairs.places, kind="stable")
    starts = np.searchsorted(pairs.places[place], np.arange(len(room)))
    rank = np.arange(len(place)) - starts[pairs.places[place]]
    best = place[(rank < room[pairs.places[place]]) & (caps[pairs.users[place]] > 0)]
    alone = float((pairs.scores[best].astype(np.float64) - floor).sum())
    bound = max(value, min(2 * value, alone))
    return _result(asked, pairs.take(taken), floor, bound, np.array(sorted(dropped), int)), False


def _exact(
    asked: NDArray[np.int64],
    pairs: _Pairs,
    room: NDArray[np.int64],
    caps: NDArray[np.int64],
    least: int,
) -> Audience:
    """HiGHS on one 0/1 variable for each pair, and with a least size one for each item."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    n, n_pairs = len(asked), len(pairs.users)
    if n_pairs > _MOST_EXACT:
        raise ValueError(
            f"method='exact' is for at most {_MOST_EXACT} pairs, these are {n_pairs}: lower size, "
            "set in_top_k or a threshold, or use method='greedy'"
        )
    floor = _floor(pairs)
    who, user = np.unique(pairs.users, return_inverse=True)
    row = np.arange(n_pairs)
    extra = n if least > 0 else 0
    ones = np.ones(n_pairs)
    by_user = sp.csr_array((ones, (user, row)), shape=(len(who), n_pairs + extra))
    by_item = sp.csr_array((ones, (pairs.places, row)), shape=(n, n_pairs + extra))
    limits = [LinearConstraint(by_user, ub=caps[who])] if n_pairs else []
    if least > 0:  # least * open <= users of the item <= room * open
        opened = sp.csr_array((np.ones(n), (np.arange(n), n_pairs + np.arange(n))), by_item.shape)
        limits.append(
            LinearConstraint(by_item - sp.diags_array(room.astype(np.float64)) @ opened, ub=0)
        )
        limits.append(LinearConstraint(by_item - least * opened, lb=0))
    elif n_pairs:
        limits.append(LinearConstraint(by_item, ub=room))
    taken = np.zeros(n_pairs, dtype=bool)
    if n_pairs:
        # Among equal sums the one with more pairs.
        worth = pairs.scores.astype(np.float64) - floor
        cost = np.concatenate([-(worth + 1e-9 * max(worth.max(), 1e-9)), np.zeros(extra)])
        found = milp(
            cost,
            integrality=np.ones(n_pairs + extra),
            bounds=Bounds(0, 1),
            constraints=limits,
            options={"mip_rel_gap": 0.0},
        )
        if not found.success:
            raise RuntimeError(f"HiGHS did not solve the assignment: {found.message}")
        taken = found.x[:n_pairs] > 0.5
    sizes = np.bincount(pairs.places[taken], minlength=n)
    dropped = np.flatnonzero((sizes < least) & (room > 0))
    return _result(asked, pairs.take(taken), floor, None, dropped)
