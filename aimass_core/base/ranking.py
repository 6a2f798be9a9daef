"""Ranking by scores that no sparse product gives: one order for everyone, or rated pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .lists import top_of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .query import Ask

__all__ = ["rank_by_rating", "rank_shared"]

_USERS = 1 << 15  # users handled at once
_BLOCK = 1 << 20  # predictions made at once


def rank_shared(item_scores: NDArray[Any], ask: Ask) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """The k best items of each user; -inf is no candidate.

    The j-th best item left to a user has rank j + (excluded ranks at or before it). With a user's
    excluded ranks s_0 < s_1 < ..., those are the m with s_m - m <= j: counted, not searched.
    """
    open_to = item_scores if ask.allowed is None else np.where(ask.allowed, item_scores, -np.inf)
    order = np.argsort(-open_to, kind="stable")
    order = order[: np.count_nonzero(open_to > -np.inf)]
    rank = np.full(len(item_scores), len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    n, k = ask.profiles.shape[0], ask.k
    places = np.empty((n, k), dtype=np.int64)
    for begin in range(0, n, _USERS):
        end = min(begin + _USERS, n)
        skipped = np.zeros((end - begin) * k, dtype=np.int64)
        if ask.exclude is not None:
            lengths = np.diff(ask.exclude.indptr[begin : end + 1])
            rows = np.repeat(np.arange(end - begin), lengths)
            ranks = rank[ask.exclude.indices[ask.exclude.indptr[begin] : ask.exclude.indptr[end]]]
            ranks = ranks[np.lexsort((ranks, rows))]
            starts = np.cumsum(lengths) - lengths
            step = ranks - (np.arange(len(ranks)) - starts[rows])
            kept = (step < k) & (ranks < len(order))
            skipped += np.bincount(rows[kept] * k + step[kept], minlength=len(skipped))
        places[begin:end] = np.arange(k) + np.cumsum(skipped.reshape(-1, k), axis=1)
    found = places < len(order)
    if not len(order):
        return np.full((n, k), -1, dtype=np.int32), np.full((n, k), -np.inf)
    indices = np.where(found, order[np.minimum(places, len(order) - 1)], -1).astype(np.int32)
    return indices, np.where(found, item_scores[indices], -np.inf)


def rank_by_rating(
    ask: Ask, rows: NDArray[np.int64], rate: Callable[..., Any]
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Rate every candidate of every user, block by block, and keep the best.

    ``rate(users, items)`` gives ratings and, for each, whether it counts as a candidate.
    """
    n_items = ask.profiles.shape[1]
    columns = np.arange(n_items) if ask.allowed is None else np.flatnonzero(ask.allowed)
    indices = np.full((len(rows), ask.k), -1, dtype=np.int32)
    scores = np.full((len(rows), ask.k), -np.inf)
    size = max(1, _BLOCK // max(len(columns), 1))
    for begin in range(0, len(rows) if len(columns) else 0, size):
        part = rows[begin : begin + size]
        rated, counts = rate(np.repeat(part, len(columns)), np.tile(columns, len(part)))
        block = np.full((len(part), n_items), -np.inf)
        block[:, columns] = np.where(counts, rated, -np.inf).reshape(len(part), -1)
        if ask.exclude is not None:
            places = ask.exclude.indptr[begin : begin + len(part) + 1]
            excluded = np.repeat(np.arange(len(part)), np.diff(places))
            block[excluded, ask.exclude.indices[places[0] : places[-1]]] = -np.inf
        where = slice(begin, begin + len(part))
        indices[where], scores[where] = top_of_rows(block, ask.k)
    return indices, scores
