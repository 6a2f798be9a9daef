"""The target audience of items under sizes, caps, quotas, a budget and a minimum size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.arguments import explains_names
from ..base.csr import renumber_columns, row_numbers, take_rows_or_empty, transpose
from ..base.filters import Catalog, as_filters
from ..base.progress import log_duration, logger
from ..base.threads import resolve_n_threads
from ..base.validation import as_bool, as_choice, as_csr, as_float, as_int
from ..base.with_ids import MatrixWithIds
from ._audience_index import AudienceIndex
from ._candidates import FixedLists, RankedLists
from ._exact import choose_exactly
from ._greedy import GreedyChoice
from ._hashed_ids import HashedIds
from ._limits import Limits, per_item_numbers, quotas_of, whole_limits
from ._user_lists import Audience

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.filters import Filter
    from ._candidates import CandidateSource
    from ._greedy import Choice

__all__ = ["audience"]


@explains_names
def audience(
    model: Any,
    items: Any,
    *,
    size: Any = None,
    budget: float | None = None,
    cost: Any = None,
    item_values: Any = None,
    groups: Any = None,
    max_per_group: Any = None,
    in_top_k: bool | int = False,
    threshold: float | None = None,
    max_per_user: Any = None,
    candidates: Any = None,
    exclude: Any = None,
    min_size: int = 0,
    method: str = "greedy",
    item_features: Any = None,
    n_threads: int | None = None,
) -> Audience:
    """Choose users for items so that the total value is largest under the limits.

    The value of a pair of a user and an item is its score times the item's value. Users who have an
    item are never in its audience.

    Parameters
    ----------
    model : fitted factor model or AudienceIndex
        Users and items. For several calls with one model, build the index once by
        `AudienceIndex.from_model`.
    items : id or array-like of ids, shape (n,)
        Items to find users for, each once.
    size : int, array-like of int of shape (n,) or mapping of item id to int, optional
        Upper limit of the users of each item. May be left out where there is a budget.
    budget : float, optional
        Upper limit of the cost of all contacts together; needs ``cost``. Then only users with a
        positive score are chosen.
    cost : float, array-like of shape (n,) or mapping of item id to float, optional
        Cost of a contact.
    item_values : float, array-like of shape (n,) or mapping of item id to float, optional
        What a score of 1 is worth for an item, such as its margin. Default: 1.
    groups : mapping of user id to label, or array-like of shape (n_users,), optional
        Group of each user, such as a region; needs ``max_per_group``. An array has the order of the
        rows of the model.
    max_per_group : int or mapping of label to int, optional
        Quota: at most so many contacts with users of each group.
    in_top_k : bool or int, default=False
        Only users whose k best items contain the item. True: the k of the index, 10 for a model.
    threshold : float, optional
        Only pairs with at least this score.
    max_per_user : int, array-like of shape (n_users,) or mapping of user id to int, optional
        Frequency cap: at most so many of the items for each user. Default: no cap.
    candidates : collection of user ids, mask, HashedIds, sparse matrix, Interactions or dict
        Only these users. A collection, a mask or `HashedIds` hold for all items; a sparse matrix of
        shape (n, n_users), or a dict of item id to user ids, gives each item its own users;
        `Interactions` allow the pairs that they hold. Unknown ids have no effect. Default: all.
    exclude : as ``candidates``, optional
        Not these users, such as an opt-out list.
    min_size : int, default=0
        Minimum audience size: an item with fewer users gets none at all. Greedy gives up the
        smallest audience below it, whose users are free again, until none is below.
    method : {"greedy", "exact"}, default="greedy"
        Greedy takes pairs by falling value (with a budget: value per cost) while all limits allow
        it. Without ``min_size``, and with equal costs, it reaches at least half of the optimum,
        mostly nearly all of it. Exact solves the assignment by HiGHS, for at most 300,000 pairs.
    item_features : FeatureTable, table or matrix, optional
        Features of new items, which may be among ``items``; for models that use features, such as
        `HybridALS`. For an index, give them to `AudienceIndex.from_model`.
    n_threads : int, optional
        Default: ``AIMASS_NUM_THREADS``, else the CPUs of this process.

    Returns
    -------
    Audience
        Users of each item, the total value, and an upper bound on the optimal total value.

    Raises
    ------
    KeyError
        For an unknown item.
    ValueError
        For limits that contradict each other, or too many pairs for ``method="exact"``.
    TypeError
        For a model without factors, and for the path of a file as a filter.

    Notes
    -----
    A pandas Series counts as a mapping if its index holds ids, as after ``set_index("user_id")``.

    Greedy holds some candidates of each item at a time, not all pairs, and ranks further ones when
    they are used up. In "exact", Ctrl-C is noticed at once where SciPy's HiGHS releases the GIL
    (SciPy 1.15 and later).

    Examples
    --------
    >>> from aimass_core.retrieval import AudienceIndex, audience
    >>> index = AudienceIndex(
    ...     [[3.0, 2.0], [2.0, 1.9], [0.1, 0.1]],
    ...     [[1.0, 0.0], [0.0, 1.0]],
    ...     user_ids=["ann", "bob", "eve"],
    ...     item_ids=["tea", "pie"],
    ... )
    >>> chosen = audience(index, ["tea", "pie"], size=1, max_per_user=1)
    >>> chosen.of("tea")[0].tolist(), chosen.of("pie")[0].tolist()
    (['ann'], ['bob'])
    >>> chosen = audience(index, ["tea", "pie"], budget=5.0, cost=2.0, exclude=["ann", "dan"])
    >>> chosen.to_dict()["user"], chosen.cost
    (['bob', 'bob'], 4.0)
    """
    index, k = _index_of(model, in_top_k, item_features, n_threads)
    rows = index._rows_of_items(items)
    if len(np.unique(rows)) != len(rows):
        raise ValueError("items must be given once each: an item has one audience")
    as_choice(method, "method", ("greedy", "exact"))
    threads = resolve_n_threads(n_threads)
    limits = _limits(
        index, rows, size, budget, cost, item_values, groups, max_per_group, max_per_user, min_size
    )
    allowed, excluded = _filters(index, rows, candidates, exclude, threads)
    if isinstance(allowed, np.ndarray):
        limits.caps[allowed == 0] = 0
        allowed = None
    source = _source(index, rows, limits, k, threshold, allowed, excluded, threads)
    with log_duration("audience: %d items, %d users, method %s", len(rows), index.n_users, method):
        if method == "exact":
            choice = choose_exactly(source, limits)
        else:
            choice = GreedyChoice(source, limits).solve()
    chosen = _result(index, rows, limits, choice)
    logger.info(
        "audience: %d contacts, value %.6g, at most %.6g possible, cost %.6g",
        len(chosen.user_rows),
        chosen.value,
        chosen.bound,
        chosen.cost,
    )
    return chosen


def _index_of(
    model: Any, in_top_k: bool | int, item_features: Any, n_threads: int | None
) -> tuple[AudienceIndex, int | None]:
    """Return the index of a model, and the k of ``in_top_k``, None where it is False."""
    is_flag = isinstance(in_top_k, (bool, np.bool_))
    k = None if is_flag else as_int(in_top_k, "in_top_k", minimum=1)
    if isinstance(model, AudienceIndex):
        if k is not None and k != model.k:
            raise ValueError(
                f"in_top_k is {k}, but the index has k={model.k}: pass in_top_k=True, or build the "
                f"index with k={k}"
            )
        if item_features is not None:
            raise TypeError(
                "item_features must be given to AudienceIndex.from_model, because an index holds "
                "its items"
            )
        index = model
    else:
        index = AudienceIndex.from_model(
            model, k=10 if k is None else k, item_features=item_features, n_threads=n_threads
        )
    if is_flag and as_bool(in_top_k, "in_top_k"):
        k = index.k
    return index, k


def _limits(
    index: AudienceIndex,
    rows: NDArray[np.int64],
    size: Any,
    budget: Any,
    cost: Any,
    item_values: Any,
    groups: Any,
    max_per_group: Any,
    max_per_user: Any,
    min_size: Any,
) -> Limits:
    n, n_users = len(rows), index.n_users
    items = Catalog(index.item_ids, index.n_items, "item")
    users = Catalog(index.user_ids, n_users, "user")
    if size is None and budget is None:
        raise TypeError("audience needs size, the users of each item, or a budget with a cost")
    if budget is not None and cost is None:
        raise TypeError("budget needs cost, the cost of a contact")
    everyone = np.arange(n_users)
    group_of_user, quotas = quotas_of(groups, max_per_group, users, n * n_users)
    return Limits(
        sizes=whole_limits(n_users if size is None else size, "size", items, rows, n_users),
        caps=whole_limits(
            n if max_per_user is None else max_per_user, "max_per_user", users, everyone, n
        ),
        groups=group_of_user,
        quotas=quotas,
        costs=np.zeros(n) if cost is None else per_item_numbers(cost, "cost", items, rows),
        values=per_item_numbers(
            1.0 if item_values is None else item_values, "item_values", items, rows
        ),
        budget=np.inf if budget is None else as_float(budget, "budget", minimum=0.0),
        min_size=min(as_int(min_size, "min_size", minimum=0), n_users + 1),
    )


def _filters(
    index: AudienceIndex,
    rows: NDArray[np.int64],
    candidates: Any,
    exclude: Any,
    n_threads: int,
) -> tuple[Filter, sp.csr_array | None]:
    """Return both filters of users: a mask of users or lists of each item, and lists of each."""
    catalog = Catalog(index.user_ids, index.n_users, "user")
    queries = rows if index.item_ids is None else index.item_ids.ids[rows]
    filters = []
    for name, values in (("candidates", candidates), ("exclude", exclude)):
        if isinstance(values, HashedIds):
            values = values.mask(catalog)
        if isinstance(values, MatrixWithIds):
            values = _matrix_of_pairs(values, name, index, rows, n_threads)
        filters.append(values)
    return as_filters(filters[0], filters[1], catalog, queries)


def _matrix_of_pairs(
    pairs: Any, name: str, index: AudienceIndex, rows: NDArray[np.int64], n_threads: int
) -> sp.csr_array:
    """Return Interactions, which are users x items, as a matrix of the call's items x users."""
    if index.user_ids is None or index.item_ids is None:
        raise TypeError(
            f"{name}: Interactions are matched by id, but the index has no ids; give a sparse "
            f"matrix of shape {(len(rows), index.n_users)}"
        )
    items = transpose(as_csr(pairs, name, n_threads=n_threads), n_threads)
    by_user = renumber_columns(items, index.user_ids.get(pairs.users.ids), index.n_users)
    return take_rows_or_empty(by_user, pairs.items.get(index.item_ids.ids[rows]))


def _source(
    index: AudienceIndex,
    rows: NDArray[np.int64],
    limits: Limits,
    k: int | None,
    threshold: float | None,
    allowed: sp.csr_array | None,
    excluded: sp.csr_array | None,
    n_threads: int,
) -> CandidateSource:
    dtype = index._users.dtype
    minimum: Any = -np.inf
    if threshold is not None:
        minimum = as_float(threshold, "threshold")
    if limits.has_budget:
        minimum = max(minimum, np.nextafter(dtype.type(0), dtype.type(1)))
    if k is None:
        return RankedLists(index, rows, allowed, excluded, minimum, n_threads)
    lists = index._reverse_topk(rows, n_threads)
    if allowed is not None or excluded is not None:
        kept = np.ones(len(lists.users), dtype=bool)
        entries = np.repeat(np.arange(len(rows)), np.diff(lists.indptr)), lists.users
        for matrix, is_wanted in ((allowed, True), (excluded, False)):
            if matrix is not None:
                kept &= _has_entry(matrix, *entries) == is_wanted
        sizes = np.bincount(entries[0][kept], minlength=len(rows))
        indptr = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        lists = type(lists)(indptr, lists.users[kept], lists.scores[kept])
    return FixedLists(lists, minimum)


def _has_entry(
    matrix: sp.csr_array, rows: NDArray[Any], columns: NDArray[Any]
) -> NDArray[np.bool_]:
    """Return for each pair whether the matrix has a stored entry there."""
    width = np.int64(matrix.shape[1])
    stored = row_numbers(matrix).astype(np.int64) * width + matrix.indices
    return np.isin(rows * width + columns, stored)


def _result(
    index: AudienceIndex, rows: NDArray[np.int64], limits: Limits, choice: Choice
) -> Audience:
    pairs, n = choice.pairs, len(rows)
    order = np.lexsort((pairs.users, -pairs.scores, pairs.positions))
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(pairs.positions, minlength=n), out=indptr[1:])
    dropped = rows[choice.dropped]
    user_name, item_name = index._names
    return Audience(
        item_rows=rows,
        indptr=indptr,
        user_rows=pairs.users[order],
        scores=pairs.scores[order],
        item_map=index.item_ids,
        user_map=index.user_ids,
        item_name=item_name,
        user_name=user_name,
        value=choice.value,
        bound=choice.bound,
        floor=choice.floor,
        cost=float(np.diff(indptr) @ limits.costs),
        dropped=dropped if index.item_ids is None else index.item_ids.ids[dropped],
    )
