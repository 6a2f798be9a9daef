"""The k best columns of every row of X Y for several Y at once, each of which holds the one before.

Problem: neighbourhood models with 5, 10, 20, ... neighbours differ only in how many entries of each
neighbour list count. The entries of each row of Y are sorted by level, the first of the nested
matrices that holds them. The sums of a level continue those of the level before, so that all
levels together cost the products of the largest Y.

Time: the products of the largest Y, then a scan of the columns for each level and row. Memory: two
numbers for each column. Sums are in double, so scores equal those of ``spgemm_topk`` to rounding.
Gustavson, Two fast algorithms for sparse matrices, 1978.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["nested_topk"]


@njit(cache=True, nogil=True)
def nested_topk(
    x_indptr: Any,
    x_indices: Any,
    x_data: Any,
    y_bounds: Any,
    y_indices: Any,
    y_data: Any,
    n_cols: int,
    exclude_indptr: Any,
    exclude_indices: Any,
    out_indices: Any,
    out_scores: Any,
) -> None:
    """Write the k best columns of every row of X Y at each level.

    Parameters
    ----------
    x_indptr, x_indices, x_data : ndarray of int64, int32, float
        CSR X of shape (n_rows, inner).
    y_bounds : ndarray of int64, shape (inner, n_levels + 1)
        Row i of Y at level m has the entries from ``y_bounds[i, 0]`` to ``y_bounds[i, m + 1]``.
    y_indices, y_data : ndarray of int32, float
        Columns and values of the entries of Y.
    n_cols : int
        Number of columns of Y.
    exclude_indptr, exclude_indices : ndarray of int64, int32
        Columns that each row leaves out, in CSR form.
    out_indices : ndarray of int32, shape (n_levels, n_rows, k)
        Best first; ties: lower column first. Holds -1 before the call.
    out_scores : ndarray of float64, shape (n_levels, n_rows, k)
        Holds -inf before the call.
    """
    n_levels, n_rows, k = out_indices.shape
    sums = np.zeros(n_cols)
    state = np.zeros(n_cols, dtype=np.uint8)  # 1: touched, 2 or 3: excluded
    for r in range(n_rows):
        for i in range(exclude_indptr[r], exclude_indptr[r + 1]):
            state[np.uint32(exclude_indices[i])] = 2
        for m in range(n_levels):
            for i in range(x_indptr[r], x_indptr[r + 1]):
                x = np.float64(x_data[i])
                inner = np.uint32(x_indices[i])
                for j in range(y_bounds[inner, m], y_bounds[inner, m + 1]):
                    column = np.uint32(y_indices[j])
                    sums[column] += x * y_data[j]
                    state[column] |= np.uint8(1)
            indices, scores = out_indices[m, r], out_scores[m, r]
            worst = -np.inf
            for c in range(n_cols):
                score = sums[c]
                # Columns ascend, so that an equal score never displaces an earlier column.
                if score <= worst or state[c] != 1:
                    continue
                at = k - 1  # its entry is free or falls out
                while at > 0 and scores[at - 1] < score:
                    scores[at], indices[at] = scores[at - 1], indices[at - 1]
                    at -= 1
                scores[at], indices[at] = score, c
                worst = scores[k - 1]
        sums[:] = 0.0
        state[:] = 0
