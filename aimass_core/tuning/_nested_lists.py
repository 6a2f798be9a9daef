"""Answers of several ItemKNN that differ in the number of neighbours, from one pass over the data.

Where the longest lists are long, evaluating costs several times as much as fitting: a list of a
user adds up the neighbours of every item that the user has. `NestedItemKNN` are the models with the
cut lists. The first that is asked for the lists of some users computes those of all of them, and
the others find theirs there. Scores equal those of separate models to rounding.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.csr import row_numbers, row_range, transpose
from ..base.query import Query
from ..base.ranking import Ranked, padding
from ..base.validation import csr_parts, wrap_csr
from ..neighbors.item_knn import ItemKNN

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_LEVELS", "NestedItemKNN", "NestedLists"]

MAX_LEVELS = 255


class NestedLists:
    """The entries of the longest lists with the level at which each enters, and finished answers.

    Parameters
    ----------
    model : ItemKNN
        The fitted model with the longest lists, which ranks.
    ranks : ndarray of int64, shape (nnz,)
        Rank of each entry of ``model.similarity_`` in its list, from 0.
    lengths : list of int
        Numbers of neighbours, ascending.
    """

    def __init__(self, model: ItemKNN, ranks: NDArray[np.int64], lengths: list[int]) -> None:
        assert model.similarity_ is not None
        self.lengths = lengths
        levels = np.searchsorted(np.array(lengths), ranks, side="right")
        lists = model.similarity_
        marked = wrap_csr(lists.indptr, lists.indices, levels.astype(np.float32), lists.shape)
        if model.neighbors_of == "target":
            lists, marked = transpose(lists, 1), transpose(marked, 1)
        self._indices, self._data, self._bounds = by_level(lists, marked.data, len(lengths))
        self._answers: dict[tuple[bytes, int, bool], Ranked] = {}
        self._lock = threading.Lock()

    def answer(self, level: int, query: Query, profiles: Any) -> Ranked | None:
        """Return the lists of one level; None for a query that the nested pass does not serve."""
        excludes_seen = query.exclude is query.profiles
        served = query.candidates is None and (query.exclude is None or excludes_seen)
        if not served or query.users is None:
            return None
        key = query.users.tobytes(), query.k, excludes_seen
        with self._lock:
            if key not in self._answers:
                self._answers[key] = self._computed(query, profiles)
            indices, scores = self._answers[key]
        return indices[level], scores[level]

    def _computed(self, query: Query, profiles: Any) -> Ranked:
        from ..jit.nested_topk import nested_topk

        n, n_levels = len(query), len(self.lengths)
        flat = padding(n_levels * n, query.k)
        indices, scores = (part.reshape(n_levels, n, query.k) for part in flat)
        nothing = np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32)

        def run(begin: int, end: int) -> None:
            own, own_scores = indices[:, begin:end].copy(), scores[:, begin:end].copy()
            left = csr_parts(row_range(profiles, begin, end))
            excluded = nothing[0][: end - begin + 1], nothing[1]
            if query.exclude is not None:
                excluded = csr_parts(row_range(query.exclude, begin, end))[:2]
            right = self._bounds, self._indices, self._data, query.n_items
            nested_topk(*left, *right, *excluded, own, own_scores)
            indices[:, begin:end], scores[:, begin:end] = own, own_scores

        bounds = np.linspace(0, n, query.n_threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(query.n_threads) as pool:
            for done in [pool.submit(run, *pair) for pair in pairwise(bounds)]:
                done.result()
        return indices, scores.astype(profiles.dtype, copy=False)


class NestedItemKNN(ItemKNN):
    """An ItemKNN whose lists come from a `NestedLists` where it can serve the query."""

    _nested: NestedLists | None = None
    _level: int = 0

    def rank(self, query: Query) -> Ranked:
        """Return the k best items of each user of a query under its filters.

        Parameters
        ----------
        query : Query
            Users, filters and cut-off, in row and column numbers.

        Returns
        -------
        indices, scores : ndarray of shape (n, k)
            Padded with -1 and -inf.
        """
        if self._nested is not None:
            ranked = self._nested.answer(self._level, query, self._weighted_profiles(query))
            if ranked is not None:
                return ranked
        return super().rank(query)


def by_level(
    lists: Any, levels: NDArray[Any], n_levels: int
) -> tuple[NDArray[np.int32], NDArray[Any], NDArray[np.int64]]:
    """Return columns and values with the entries of each row by level, and the bounds of levels."""
    rows = row_numbers(lists).astype(np.int64)
    order = np.lexsort((levels, rows))
    counts = np.bincount(
        rows * np.int64(n_levels) + levels.astype(np.int64), minlength=lists.shape[0] * n_levels
    )
    ends = np.cumsum(counts).reshape(lists.shape[0], n_levels)
    bounds = np.column_stack([lists.indptr[:-1], ends]).astype(np.int64)
    return lists.indices[order], lists.data[order], bounds
