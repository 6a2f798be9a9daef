"""Reference of the kernel ``gram_topk``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from aimass_core.reference._epilogue import Array, Epilogue, best, pair_sums, scores


def gram_topk(
    indptr: Array,
    indices: Array,
    data: Array,
    n_cols: int,
    k: int,
    row_scale: Array | None,
    col_scale: Array | None,
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
) -> tuple[Array, Array, Array]:
    """Return the k best other columns of every column of a CSR matrix.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Canonical CSR of shape (n_rows, n_cols): int64, int32, float32 or float64.
    n_cols : int
        Number of columns.
    k : int
        Neighbours kept per column.
    row_scale, col_scale : ndarray or None
        Factors of the rows and columns, applied first.
    formula : str
        Name of the score, see ``cpp/kernels/epilogue.hpp``.
    p, q : ndarray or None, shape (n_cols,)
        Per-column values of the formula, for the queried column and for its candidate;
        None: all ones.
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
    indptr : ndarray of int64, shape (n_cols + 1,)
        Where the neighbours of each column begin.
    indices : ndarray of int32
        Neighbours, best first; ties: lower index first.
    scores : ndarray
        Their scores, of the dtype of ``data``.

    Notes
    -----
    O(sum of squared row lengths) time, blocks of columns times ``n_cols`` memory.
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
    x = sp.csr_array((data, indices, indptr), shape=(len(indptr) - 1, n_cols))
    rows = np.repeat(np.arange(x.shape[0]), np.diff(indptr))
    scaled = data.astype(np.float64)
    scaled *= 1 if row_scale is None else row_scale[rows]
    scaled *= 1 if col_scale is None else col_scale[indices]
    x = sp.csr_array((scaled, indices, indptr), shape=x.shape)
    ones = np.ones(n_cols)
    p_all = ones if p is None else p.astype(np.float64)
    q_all = ones if q is None else q.astype(np.float64)
    lists: list[tuple[Array, Array]] = []
    columns = sp.csc_array(x)
    for begin in range(0, n_cols, 256):
        end = min(begin + 256, n_cols)
        block = sp.csr_array(columns[:, begin:end].T)
        score = scores(
            pair_sums(block, x), p_all[begin:end, None], q_all[None, :], epilogue, data.dtype
        )
        score[np.arange(end - begin), np.arange(begin, end)] = np.nan
        lists += [best(row, k, data.dtype) for row in score]
    lengths = [len(index) for index, _ in lists]
    return (
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([index for index, _ in lists] or [np.empty(0)]).astype(np.int32),
        np.concatenate([value for _, value in lists] or [np.empty(0)]).astype(data.dtype),
    )
