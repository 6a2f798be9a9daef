"""The choice of pairs of users and items under limits: greedy, and exact by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ._reached import Reached

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Audience", "Pairs", "choose_exact", "choose_greedy"]

_LARGEST_WORTH = 1e4  # of a pair, to the exact solver
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
        return Reached(self.indptr, self.users, self.scores).of(place)


@dataclass(frozen=True)
class Pairs:
    """Candidates in order of score; ``whole``: whether an item's list was not cut."""

    users: NDArray[np.int32]
    places: NDArray[np.int32]
    scores: NDArray[Any]
    whole: NDArray[np.bool_]

    def take(self, keep: NDArray[np.bool_]) -> Pairs:
        return Pairs(self.users[keep], self.places[keep], self.scores[keep], self.whole)


def _result(
    asked: NDArray[np.int64],
    chosen: Pairs,
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


def _floor(pairs: Pairs) -> float:
    return float(min(pairs.scores.min(initial=0), 0))


def choose_greedy(
    asked: NDArray[np.int64],
    pairs: Pairs,
    room: NDArray[np.int64],
    caps: NDArray[np.int64],
    least: int,
) -> tuple[Audience, bool]:
    """The choice, and whether an item lacks users only because its list was cut."""
    from ..jit.assign_greedy import assign_greedy

    offered, room, taken = room, room.copy(), np.empty(len(pairs.users), dtype=bool)
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
    # Each item's best users alone, and, where nothing was given up, twice what greedy reached.
    place = np.argsort(pairs.places, kind="stable")
    starts = np.searchsorted(pairs.places[place], np.arange(len(room)))
    rank = np.arange(len(place)) - starts[pairs.places[place]]
    best = place[(rank < offered[pairs.places[place]]) & (caps[pairs.users[place]] > 0)]
    alone = float((pairs.scores[best].astype(np.float64) - floor).sum())
    bound = max(value, alone if dropped else min(2 * value, alone))
    return _result(asked, pairs.take(taken), floor, bound, np.array(sorted(dropped), int)), False


def choose_exact(
    asked: NDArray[np.int64],
    pairs: Pairs,
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
        worth = pairs.scores.astype(np.float64) - floor
        if (top := worth.max()) > 0:  # the tolerances of HiGHS are absolute
            worth *= _LARGEST_WORTH / top
        # Among equal sums the one with more pairs.
        cost = np.concatenate([-(worth + 1e-9 * _LARGEST_WORTH), np.zeros(extra)])
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
