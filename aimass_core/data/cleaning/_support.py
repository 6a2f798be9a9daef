"""Too few entries, or too many: users and items that are removed or capped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.validation import as_choice, as_float, as_int
from .._checked import takes_interactions
from .._time import needed_times
from ..interactions import Interactions

__all__ = ["cap_items", "cap_users", "drop_bots", "k_core", "min_support", "rank_within"]


@takes_interactions
def k_core(x: Interactions, *, users: int = 5, items: int = 5) -> Interactions:
    """Return the largest part in which every user and every item has enough entries.

    Users and items below the bound are removed again and again, until none is left.

    Parameters
    ----------
    x : Interactions
        To be filtered.
    users : int, default 5
        Entries that every user must keep.
    items : int, default 5
        Entries that every item must keep.

    Returns
    -------
    Interactions
        Perhaps empty.

    Notes
    -----
    The result is unique: it does not depend on the order of removal.

    References
    ----------
    S. B. Seidman, "Network structure and minimum degree", Social Networks 5(3), 1983; for
    bipartite graphs with two bounds: A. Ahmed et al., "Visualisation and analysis of the Internet
    movie database", APVIS 2007.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_csr([[1, 1, 0], [1, 1, 0], [1, 0, 1]])
    >>> cleaning.k_core(x, users=2, items=2).shape
    (2, 2)
    """
    users, items = as_int(users, "users", minimum=0), as_int(items, "items", minimum=0)
    rows, cols = x.row_indices(), x.matrix.indices
    keep_user = np.ones(x.n_users, dtype=bool)
    keep_item = np.ones(x.n_items, dtype=bool)
    while True:
        few_users = keep_user & (np.bincount(rows, minlength=x.n_users) < users)
        few_items = keep_item & (np.bincount(cols, minlength=x.n_items) < items)
        if not few_users.any() and not few_items.any():
            return _kept(x, keep_user, keep_item)
        keep_user &= ~few_users
        keep_item &= ~few_items
        alive = keep_user[rows] & keep_item[cols]
        rows, cols = rows[alive], cols[alive]


def _kept(
    x: Interactions, keep_user: NDArray[np.bool_], keep_item: NDArray[np.bool_]
) -> Interactions:
    if keep_user.all() and keep_item.all():
        return x
    return x.take(np.flatnonzero(keep_user), np.flatnonzero(keep_item))


@takes_interactions
def min_support(x: Interactions, *, users: int = 0, items: int = 0) -> Interactions:
    """Remove users and items with too few entries, once.

    Parameters
    ----------
    x : Interactions
        To be filtered.
    users : int, default 0
        Entries that a user must have.
    items : int, default 0
        Entries that an item must have.

    Returns
    -------
    Interactions
        Both bounds are applied to ``x`` as it is, so some may be below them afterwards; `k_core`
        goes on until none is.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_csr([[1, 1, 0], [1, 1, 0], [1, 0, 1]])
    >>> cleaning.min_support(x, items=2).shape
    (3, 2)
    """
    per_user, per_item = (
        np.diff(x.matrix.indptr),
        np.bincount(x.matrix.indices, minlength=x.n_items),
    )
    return _kept(
        x,
        per_user >= as_int(users, "users", minimum=0),
        per_item >= as_int(items, "items", minimum=0),
    )


@takes_interactions
def cap_users(
    x: Interactions, n: int, *, keep: str = "last", random_state: Any = None
) -> Interactions:
    """Keep at most n entries of each user.

    Parameters
    ----------
    x : Interactions
        To be capped.
    n : int
        Entries that a user may keep.
    keep : {"last", "largest", "random"}, default "last"
        Which ones: the newest (needs timestamps), those of the largest value, or a sample.
        Ties go to the item with the lower column.
    random_state : int or numpy.random.Generator, optional
        For ``"random"``.

    Returns
    -------
    Interactions
        Of the same shape.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_csr([[3, 1, 2], [0, 5, 0]])
    >>> cleaning.cap_users(x, 2, keep="largest").matrix.toarray().tolist()
    [[3.0, 0.0, 2.0], [0.0, 5.0, 0.0]]
    """
    return _cap(x, n, x.row_indices(), keep, random_state)


@takes_interactions
def cap_items(
    x: Interactions, n: int, *, keep: str = "last", random_state: Any = None
) -> Interactions:
    """Keep at most n entries of each item.

    Parameters
    ----------
    x : Interactions
        To be capped.
    n : int
        Entries that an item may keep.
    keep : {"last", "largest", "random"}, default "last"
        Which ones, as in `cap_users`; ties go to the user with the lower row.
    random_state : int or numpy.random.Generator, optional
        For ``"random"``.

    Returns
    -------
    Interactions
        Of the same shape.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_csr([[3, 1], [4, 5]])
    >>> cleaning.cap_items(x, 1, keep="largest").matrix.toarray().tolist()
    [[0.0, 0.0], [4.0, 5.0]]
    """
    return _cap(x, n, x.matrix.indices, keep, random_state)


def _cap(
    x: Interactions, n: int, groups: NDArray[np.int32], keep: str, random_state: Any
) -> Interactions:
    n = as_int(n, "n", minimum=1)
    as_choice(keep, "keep", ("last", "largest", "random"))
    key: NDArray[Any]
    if keep == "last":
        key = -needed_times(x, "keep='last'")
    elif keep == "largest":
        key = -x.matrix.data
    else:
        key = np.random.default_rng(random_state).random(x.nnz)
    return x.keep_entries(rank_within(groups, key) < n)


def rank_within(groups: NDArray[Any], key: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rank of each entry within its group by ascending key; ties keep their order."""
    order = np.lexsort((key, groups))
    sizes = np.bincount(groups) if len(groups) else np.zeros(0, dtype=np.int64)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - starts
    return rank


@takes_interactions
def drop_bots(
    x: Interactions, *, quantile: float = 0.999, max_entries: int | None = None
) -> Interactions:
    """Remove users who are far more active than the rest.

    Parameters
    ----------
    x : Interactions
        To be filtered.
    quantile : float in (0, 1], default 0.999
        Users with more entries than this quantile of all users' numbers of entries go.
    max_entries : int, optional
        A bound on the number of entries instead of the quantile.

    Returns
    -------
    Interactions
        Without these users; all items stay.

    Notes
    -----
    The quantile is one of the numbers that occur (NumPy's "lower" method), so with few users, or
    with equally active ones, nobody is removed by chance of interpolation.

    Examples
    --------
    >>> from aimass_core import Interactions
    >>> from aimass_core.data import cleaning
    >>> x = Interactions.from_csr([[1, 0, 0], [0, 1, 0], [1, 1, 1]])
    >>> cleaning.drop_bots(x, quantile=0.9).shape
    (2, 3)
    """
    per_user = np.diff(x.matrix.indptr)
    if max_entries is not None:
        bound: float = as_int(max_entries, "max_entries", minimum=1)
    else:
        quantile = as_float(quantile, "quantile", above=0.0, maximum=1.0)
        bound = np.quantile(per_user, quantile, method="lower") if len(per_user) else 0
    return _kept(x, per_user <= bound, np.ones(x.n_items, dtype=bool))
