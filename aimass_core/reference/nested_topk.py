"""Reference of the kernel ``nested_topk``."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def nested_topk(
    x_indptr: NDArray[np.int64],
    x_indices: NDArray[np.int32],
    x_data: NDArray[Any],
    y_bounds: NDArray[np.int64],
    y_indices: NDArray[np.int32],
    y_data: NDArray[Any],
    n_cols: int,
    exclude_indptr: NDArray[np.int64],
    exclude_indices: NDArray[np.int32],
    out_indices: NDArray[np.int32],
    out_scores: NDArray[np.float64],
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
    shape = (n_rows, len(y_bounds))
    X = sp.csr_array((x_data.astype(np.float64), x_indices, x_indptr), shape=shape).toarray()
    is_x = sp.csr_array((np.ones(len(x_data)), x_indices, x_indptr), shape=shape).toarray()
    excluded = np.zeros((n_rows, n_cols), dtype=bool)
    excluded[np.repeat(np.arange(n_rows), np.diff(exclude_indptr)), exclude_indices] = True
    for level in range(n_levels):
        Y, stored = np.zeros((2, len(y_bounds), n_cols))
        for i, (begin, end) in enumerate(y_bounds[:, [0, level + 1]]):
            Y[i, y_indices[begin:end]] = y_data[begin:end]
            stored[i, y_indices[begin:end]] = 1
        scores = X @ Y
        scores[(is_x @ stored == 0) | excluded] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(scores, order, axis=1)
        out_indices[level, :, : order.shape[1]] = np.where(best == -np.inf, -1, order)
        out_scores[level, :, : order.shape[1]] = best
