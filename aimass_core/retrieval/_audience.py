"""Whom to address for which item, under budgets, caps and a minimum size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_float, as_indices, as_int
from ._assignment import Audience, Pairs, choose_exact, choose_greedy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._reverse import AudienceIndex

__all__ = ["audience"]


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
        Greedy takes pairs by falling score while both sides have room: without ``min_size`` at
        least half of the largest sum, mostly nearly all of it, in the time of a sort. Exact solves
        the assignment by HiGHS, for at most some hundred thousand pairs; with ``min_size`` it
        chooses best whom to give up.
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
    room = _limits(size, "size", n, index.n_users)
    caps = _limits(n if max_per_user is None else max_per_user, "max_per_user", index.n_users, n)
    least = min(as_int(min_size, "min_size", minimum=0), index.n_users + 1)
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

    def candidates(count: int) -> Pairs:
        if in_lists:
            reached = index.reverse_topk(asked, n_threads=threads)
            places = np.repeat(np.arange(n, dtype=np.int32), np.diff(reached.indptr))
            pairs = Pairs(reached.users, places, reached.scores, np.ones(n, bool))
            pairs = pairs.take(eligible[pairs.users])
        else:
            users, scores = index.best_users(
                asked, max(count, 1), eligible=eligible, n_threads=threads
            )
            places = np.repeat(np.arange(n, dtype=np.int32), users.shape[1])
            whole = (users[:, -1] < 0) | (count >= most) if users.shape[1] else np.ones(n, bool)
            if threshold is not None and users.shape[1]:
                whole |= scores[:, -1] < threshold
            pairs = Pairs(users.ravel(), places, scores.ravel(), whole)
            pairs = pairs.take(pairs.users >= 0)
        if threshold is not None:
            pairs = pairs.take(pairs.scores >= threshold)
        order = np.lexsort((pairs.users, pairs.places, -pairs.scores))
        return Pairs(pairs.users[order], pairs.places[order], pairs.scores[order], pairs.whole)

    pairs = candidates(count)
    if method == "exact":
        return choose_exact(asked, pairs, room, caps, least)
    while True:
        result, unsure = choose_greedy(asked, pairs, room, caps, least)
        if not unsure:
            return result
        count = min(4 * count, most)
        pairs = candidates(count)


def _limits(value: Any, name: str, n: int, most: int) -> NDArray[np.int64]:
    """One whole number for all, or one for each; above ``most`` it limits nothing."""
    if np.ndim(value) == 0:
        return np.full(n, min(as_int(value, name, minimum=0), most), dtype=np.int64)
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, got {array.dtype}")
    if array.shape != (n,):
        raise ValueError(f"{name} must be one number or have shape ({n},), got {array.shape}")
    if (array < 0).any():
        raise ValueError(f"{name} must be at least 0, got {array.min()}")
    return np.minimum(array.astype(np.uint64), np.uint64(most)).astype(np.int64)


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
