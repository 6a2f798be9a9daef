"""Reference of the kernel ``score_topk``."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def score_topk(
    queries: Array,
    items: Array,
    biases: Array | None,
    k: int,
    exclude_indptr: Array | None = None,
    exclude_indices: Array | None = None,
    allow_indptr: Array | None = None,
    allow_indices: Array | None = None,
) -> tuple[Array, Array]:
    """Return the k best items of every query: score = bias + query . item.

    The kernel takes the items in the layout of the machine that it runs on; `pack` of
    ``aimass_core.retrieval`` makes it from `items` and `biases`.

    Parameters
    ----------
    queries : ndarray, shape (n_queries, depth)
        Float32 or float64, finite.
    items : ndarray, shape (n_items, depth)
        Of the same dtype.
    biases : ndarray, shape (n_items,), or None
        Added to the scores; -inf: no candidate. None: 0.
    k : int
        Items kept per query.
    exclude_indptr, exclude_indices : ndarray or None
        CSR pattern of shape (n_queries, n_items): pairs that are no candidates.
    allow_indptr, allow_indices : ndarray or None
        CSR pattern of the only pairs that are candidates.

    Returns
    -------
    indices : ndarray of int32, shape (n_queries, k)
        Best first, ties: lower index first; missing places are -1.
    scores : ndarray, shape (n_queries, k)
        Their scores; missing places are -inf. A score of -inf or nan is no candidate.

    Notes
    -----
    O(n_queries * n_items * depth) time, a block of 256 queries times ``n_items`` memory.
    """
    n_queries, n_items = len(queries), len(items)
    bias = np.zeros(n_items, queries.dtype) if biases is None else biases
    out_indices = np.full((n_queries, k), -1, np.int32)
    out_scores = np.full((n_queries, k), -np.inf, queries.dtype)
    for begin in range(0, n_queries, 256):
        with np.errstate(over="ignore", invalid="ignore"):
            block = queries[begin : begin + 256] @ items.T + bias
        for row, score in enumerate(block, begin):
            score[np.isnan(score)] = -np.inf
            if exclude_indptr is not None and exclude_indices is not None:
                score[exclude_indices[exclude_indptr[row] : exclude_indptr[row + 1]]] = -np.inf
            if allow_indptr is not None and allow_indices is not None:
                allowed = np.zeros(n_items, bool)
                allowed[allow_indices[allow_indptr[row] : allow_indptr[row + 1]]] = True
                score[~allowed] = -np.inf
            best = np.argsort(-score, kind="stable")[:k]
            best = best[score[best] > -np.inf]
            out_indices[row, : len(best)] = best
            out_scores[row, : len(best)] = score[best]
    return out_indices, out_scores
