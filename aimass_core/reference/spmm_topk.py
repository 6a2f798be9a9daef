"""Reference of the kernel ``spmm_topk``."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def spmm_topk(
    x_indptr: NDArray[np.int64],
    x_indices: NDArray[np.int32],
    x_data: NDArray[Any],
    y: NDArray[Any],
    k: int,
    exclude_indptr: NDArray[np.int64] | None,
    exclude_indices: NDArray[np.int32] | None,
    allowed: NDArray[np.uint8] | None,
    n_threads: int,
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Return the k best columns of every row of X Y for a CSR X and a dense Y.

    Parameters
    ----------
    x_indptr, x_indices, x_data : ndarray of int64, int32, float32 or float64
        Canonical CSR X of shape (n_rows, inner).
    y : ndarray of shape (inner, n_cols)
        C-contiguous, of the dtype of ``x_data``.
    k : int
        Columns of the result.
    exclude_indptr, exclude_indices : ndarray or None
        Columns that each row leaves out.
    allowed : ndarray of uint8, shape (n_cols,), or None
        Columns that may come back for any row; None: all.
    n_threads : int
        Not used here.

    Returns
    -------
    indices : ndarray of int32, shape (n_rows, k)
        Best first; ties: lower index first. Padded with -1; a row of X without entries has none.
    scores : ndarray of shape (n_rows, k)
        Padded with -inf.
    """
    n_rows = len(x_indptr) - 1
    X = sp.csr_array((x_data.astype(np.float64), x_indices, x_indptr), shape=(n_rows, len(y)))
    score = X @ y.astype(np.float64)
    is_candidate = (
        np.ones(score.shape, bool) if allowed is None else np.tile(allowed > 0, (n_rows, 1))
    )
    is_candidate[np.diff(x_indptr) == 0] = False
    if exclude_indptr is not None:
        rows = np.repeat(np.arange(n_rows), np.diff(exclude_indptr))
        is_candidate[rows, exclude_indices] = False
    score = score.astype(y.dtype)
    score[~is_candidate] = -np.inf
    order = np.argsort(-score, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(score, order, axis=1)
    order[~np.take_along_axis(is_candidate, order, axis=1)] = -1
    missing = ((0, 0), (0, k - order.shape[1]))
    return (
        np.pad(order, missing, constant_values=-1).astype(np.int32),
        np.pad(best, missing, constant_values=-np.inf),
    )
