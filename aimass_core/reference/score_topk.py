"""Reference of the kernel ``score_topk``."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


def score_topk(
    queries: Array,
    panels: Array,
    biases: Array,
    order: Array,
    norms: Array,
    offsets: Array,
    codes: Array,
    grids: Array,
    n_items: int,
    k: int,
    exclude_indptr: Array | None,
    exclude_indices: Array | None,
    allow_indptr: Array | None,
    allow_indices: Array | None,
    n_threads: int,
) -> tuple[Array, Array]:
    """Return the k best items of every query: score = bias + query . item.

    Parameters
    ----------
    queries : ndarray, shape (n_queries, depth)
        Float32 or float64, finite.
    panels : ndarray, shape (n_panels, depth, cols)
        Packed items of the same dtype; ``cols`` is 48.
    biases : ndarray, shape (n_panels * cols,)
        By position; -inf: no candidate.
    order : ndarray of int32, shape (n_panels * cols,)
        The item at a position; any number at positions without one.
    norms, offsets : ndarray of float64, shape (n_panels,)
        The largest norm and bias in a panel and those after it. Not used here: bounds by which
        the kernel ends early.
    codes : ndarray of uint8, shape (n_panels, ceil(depth / 4), cols, 4)
        The items as integers from -127 to 127, plus 128. Not used here: bounds of the scores.
    grids : ndarray of float64, shape (n_panels, 4)
        What a panel's codes mean: 1 / step, the longest error, the largest norm, and the largest
        absolute value of a bias (-1: all are 0). Not used here.
    n_items : int
        Number of items.
    k : int
        Items kept per query.
    exclude_indptr, exclude_indices : ndarray or None
        CSR pattern of shape (n_queries, n_items): pairs that are no candidates.
    allow_indptr, allow_indices : ndarray or None
        CSR pattern of the only pairs that are candidates.
    n_threads : int
        Not used here.

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
    n_queries, depth = queries.shape
    packed = panels.transpose(0, 2, 1).reshape(len(order), depth)
    real = (order >= 0) & (order < n_items)
    items = np.zeros((n_items, depth), queries.dtype)
    items[order[real]] = packed[real]
    bias = np.full(n_items, -np.inf, queries.dtype)
    bias[order[real]] = biases[real]
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
