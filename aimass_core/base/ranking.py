"""Rankings from dense scores, from one order for all users, and from scored pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from .csr import row_numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .query import Query

# Row or column numbers and their scores, padded by -1 and -inf.
Ranked: TypeAlias = "tuple[NDArray[np.int32], NDArray[Any]]"

__all__ = [
    "Ranked",
    "filter_lists",
    "padding",
    "rank_by_score",
    "rank_shared",
    "scores_by_pairs",
    "scores_of_pairs",
    "top_of_rows",
]

_USERS = 1 << 15  # users handled at once
_BLOCK = 1 << 20  # scores held at once


def padding(n: int, k: int, dtype: Any = np.float64) -> Ranked:
    """Return n empty lists of length k: rows of -1 and of -inf."""
    return np.full((n, k), -1, dtype=np.int32), np.full((n, k), -np.inf, dtype=dtype)


def top_of_rows(scores: NDArray[Any], k: int) -> Ranked:
    """Return the k best columns of each row of a block of scores; -inf is no candidate."""
    n_columns = scores.shape[1]
    if 4 * k < n_columns:  # all scores at least the k-th best, lowest columns first among equals
        kth = np.partition(scores, n_columns - k, axis=1)[:, n_columns - k, None]
        above = scores > kth
        level = scores == kth
        n_more = k - np.count_nonzero(above, axis=1, keepdims=True)
        kept = above | (level & (np.cumsum(level, axis=1) <= n_more))
        columns = np.nonzero(kept)[1].reshape(len(scores), k)
        values = np.take_along_axis(scores, columns, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        order = np.take_along_axis(columns, order, axis=1)
    else:
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, order, axis=1)
    return np.where(best == -np.inf, -1, order).astype(np.int32), best


def rank_by_score(query: Query, score: Callable[[Query], NDArray[Any]]) -> Ranked:
    """Return the k best items of each user from dense scores, computed in blocks of users.

    Parameters
    ----------
    query : Query
        The users and their filters.
    score : callable
        From a `Query` to scores of shape (n, n_items); -inf or NaN is no candidate.

    Returns
    -------
    indices, scores : ndarray of shape (n, k)
        Padded with -1 and -inf.
    """
    size = max(1, _BLOCK // max(query.n_items, 1))
    blocks = []
    for begin in range(0, len(query), size):
        part = query.rows(begin, min(begin + size, len(query)))
        scores = np.array(score(part), dtype=None)
        if scores.shape != (len(part), query.n_items):
            raise ValueError(
                f"score(query) must return an array of shape {(len(part), query.n_items)} "
                f"(a row for each user of the query), got {scores.shape}"
            )
        if scores.dtype.kind != "f":
            scores = scores.astype(np.float64)
        scores[np.isnan(scores)] = -np.inf
        blocks.append(top_of_rows(part.hide(scores), query.k))
    if not blocks:
        return padding(0, query.k)
    return (
        np.concatenate([indices for indices, _ in blocks]),
        np.concatenate([scores for _, scores in blocks]),
    )


def scores_of_pairs(
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    score_users: Callable[[NDArray[np.int64]], NDArray[Any]],
    n_items: int,
) -> NDArray[np.float64]:
    """Return the score of each (user, item) pair from dense scores of blocks of distinct users."""
    distinct, row = np.unique(users, return_inverse=True)
    out = np.empty(len(users), dtype=np.float64)
    size = max(1, _BLOCK // max(n_items, 1))
    order = np.argsort(row, kind="stable")
    ends = np.searchsorted(row[order], np.arange(0, len(distinct) + size, size))
    for block, begin in enumerate(range(0, len(distinct), size)):
        pairs = order[ends[block] : ends[block + 1]]
        scores = score_users(distinct[begin : begin + size])
        out[pairs] = scores[row[pairs] - begin, items[pairs]]
    return out


def scores_by_pairs(
    query: Query,
    rows: NDArray[np.int64],
    rate: Callable[[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]],
) -> NDArray[np.float64]:
    """Return dense scores of a query from a function that rates pairs.

    Parameters
    ----------
    query : Query
        Only items that some user of it may get are rated.
    rows : ndarray of int64, shape (n,)
        Row of each user, as ``rate`` takes it.
    rate : callable
        From rows and columns of pairs to their ratings, and whether each is a candidate.

    Returns
    -------
    ndarray of float64, shape (n, n_items)
        -inf where an item is not rated or not a candidate.
    """
    scores = np.full((len(query), query.n_items), -np.inf)
    if query.candidate_lists is not None:
        own = query.candidate_lists
        users, items = row_numbers(own), own.indices
    else:
        columns = np.arange(query.n_items) if query.mask is None else np.flatnonzero(query.mask)
        users, items = np.repeat(np.arange(len(query)), len(columns)), np.tile(columns, len(query))
    if len(users):
        ratings, is_candidate = rate(rows[users], items)
        scores[users, items] = np.where(is_candidate, ratings, -np.inf)
    return scores


def filter_lists(
    indices: NDArray[np.int32],
    scores: NDArray[Any],
    k: int,
    candidates: Any = None,
    exclude: Any = None,
) -> Ranked:
    """Return the first k entries of ranked lists that pass the filters of a `Query`."""
    kept = indices >= 0
    safe = np.maximum(indices, 0)
    if candidates is not None and not sp.issparse(candidates):
        kept &= candidates[safe] != 0
    for matrix, is_wanted in ((candidates, True), (exclude, False)):
        if sp.issparse(matrix):
            n_columns = matrix.shape[1]
            stored = row_numbers(matrix).astype(np.int64) * n_columns + matrix.indices
            listed = np.arange(len(indices))[:, None] * n_columns + safe
            kept &= np.isin(listed, stored) == is_wanted
    out_indices, out_scores = padding(len(indices), k, scores.dtype)
    rank = np.cumsum(kept, axis=1) - 1
    kept &= rank < k
    at = np.nonzero(kept)
    out_indices[at[0], rank[at]] = indices[at]
    out_scores[at[0], rank[at]] = scores[at]
    return out_indices, out_scores


def rank_shared(item_scores: NDArray[Any], query: Query) -> Ranked:
    """Return the k best items of each user where all users share the scores; -inf is no candidate.

    The j-th best item left to a user has rank j + (excluded ranks at or before it). With a user's
    excluded ranks s_0 < s_1 < ..., those are the m with s_m - m <= j: counted, not searched.
    """
    if query.candidate_lists is not None:
        return rank_by_score(
            query, lambda part: np.tile(item_scores.astype(np.float64), (len(part), 1))
        )
    mask, n, k = query.mask, len(query), query.k
    shared = item_scores if mask is None else np.where(mask, item_scores, -np.inf)
    order = np.argsort(-shared, kind="stable")
    order = order[: np.count_nonzero(shared > -np.inf)]
    if not len(order):
        return padding(n, k)
    rank = np.full(len(item_scores), len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    positions = np.empty((n, k), dtype=np.int64)
    for begin in range(0, n, _USERS):
        end = min(begin + _USERS, n)
        skipped = np.zeros((end - begin) * k, dtype=np.int64)
        if query.exclude is not None:
            part = query.exclude[begin:end] if (begin, end) != (0, n) else query.exclude
            rows = row_numbers(part)
            ranks = rank[part.indices]
            ranks = ranks[np.lexsort((ranks, rows))]
            step = ranks - (np.arange(len(ranks)) - part.indptr[:-1][rows])
            kept = (step < k) & (ranks < len(order))
            skipped += np.bincount(rows[kept] * np.int64(k) + step[kept], minlength=len(skipped))
        positions[begin:end] = np.arange(k) + np.cumsum(skipped.reshape(-1, k), axis=1)
    is_item = positions < len(order)
    indices = np.where(is_item, order[np.minimum(positions, len(order) - 1)], -1).astype(np.int32)
    return indices, np.where(is_item, item_scores[indices], -np.inf)
