"""Reference of the kernel ``spgemm_topk``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from aimass_core.reference._epilogue import Array, Epilogue, best, pair_sums, scores


def spgemm_topk(
    x_indptr: Array,
    x_indices: Array,
    x_data: Array,
    y_indptr: Array,
    y_indices: Array,
    y_data: Array,
    n_cols: int,
    k: int,
    exclude_indptr: Array | None,
    exclude_indices: Array | None,
    allowed: Array | None,
    formula: str,
    p: Array | None,
    q: Array | None,
    total: float,
    weight: tuple[float, float],
    shrink: float,
    min_support: int,
    support_shrink: float,
    support_offset: float,
    significance: float,
    amplification: float,
    threshold: float,
    function: int,
    n_threads: int,
    report: Callable[[int, int], None] | None = None,
) -> tuple[Array, Array]:
    """Return the k best columns of every row of X Y.

    Parameters
    ----------
    x_indptr, x_indices, x_data : ndarray
        Canonical CSR X of shape (n_rows, n_inner).
    y_indptr, y_indices, y_data : ndarray
        Canonical CSR Y of shape (n_inner, n_cols), of the same dtype.
    n_cols : int
        Number of columns of Y.
    k : int
        Columns kept per row.
    exclude_indptr, exclude_indices : ndarray or None
        CSR pattern of shape (n_rows, n_cols): pairs that are no candidates.
    allowed : ndarray of uint8 or None, shape (n_cols,)
        Columns that may be candidates at all.
    formula : str
        Name of the score, see ``cpp/kernels/epilogue.hpp``.
    p, q : ndarray or None, shapes (n_rows,) and (n_cols,)
        Per-row and per-column values of the formula; None: all ones.
    total, shrink : float
        Constants of the formula.
    weight : (float, float)
        Weights of p - d and of q - d in the formula "ratio", where d is the sum of products.
    min_support, support_shrink, support_offset, significance, amplification, threshold
        Post-processing, applied in this order.
    function : int
        Address of a C function when ``formula`` is "custom", else 0.
    n_threads : int
        Not used here.
    report : callable, optional
        Not used here.

    Returns
    -------
    indices : ndarray of int32, shape (n_rows, k)
        Best first, ties: lower index first; missing places are -1.
    scores : ndarray, shape (n_rows, k)
        Their scores; missing places are -inf.
    """
    epilogue = Epilogue(
        formula,
        total,
        weight,
        shrink,
        min_support,
        support_shrink,
        support_offset,
        significance,
        amplification,
        threshold,
        function,
    )
    n_rows = len(x_indptr) - 1
    x = sp.csr_array((x_data, x_indices, x_indptr), shape=(n_rows, len(y_indptr) - 1))
    y = sp.csr_array((y_data, y_indices, y_indptr), shape=(x.shape[1], n_cols))
    p_all = np.ones(n_rows) if p is None else p.astype(np.float64)
    q_all = np.ones(n_cols) if q is None else q.astype(np.float64)
    out_indices = np.full((n_rows, k), -1, np.int32)
    out_scores = np.full((n_rows, k), -np.inf, x_data.dtype)
    for begin in range(0, n_rows, 256):
        end = min(begin + 256, n_rows)
        score = scores(
            pair_sums(x[begin:end], y),
            p_all[begin:end, None],
            q_all[None, :],
            epilogue,
            x_data.dtype,
        )
        if allowed is not None:
            score[:, allowed == 0] = np.nan
        for row in range(begin, end):
            if exclude_indptr is not None and exclude_indices is not None:
                excluded = exclude_indices[exclude_indptr[row] : exclude_indptr[row + 1]]
                score[row - begin, excluded] = np.nan
            index, value = best(score[row - begin], k, x_data.dtype)
            out_indices[row, : len(index)] = index
            out_scores[row, : len(value)] = value
    return out_indices, out_scores
