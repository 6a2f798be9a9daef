"""The native kernels on SciPy matrices: same names, fewer arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import _core
from .._validation import _wrap_csr, csr_parts
from ._compare import epilogue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._compare import Compared
    from ._measures import Measure

    Ranked = tuple[NDArray[np.int32], NDArray[Any]]

__all__ = ["PRODUCT", "as_lists", "gram_topk", "plain", "spgemm_topk", "take_rows"]

# The plain product of two matrices, as the arguments of a kernel's epilogue.
PRODUCT: dict[str, Any] = {
    "formula": "product",
    "p": None,
    "q": None,
    "total": 0.0,
    "weight": (0.0, 0.0),
    "shrink": 0.0,
    "min_support": 0,
    "support_shrink": 0.0,
    "support_offset": 0.0,
    "significance": 0.0,
    "amplification": 1.0,
    "threshold": -np.inf,
    "function": 0,
}


def gram_topk(compared: Compared, m: Measure, k: int, n_threads: int) -> sp.csr_array:
    """The k best other columns of each column; rows of the result are in order of rank."""
    A, n = compared.matrix, compared.matrix.shape[1]
    indptr, indices, scores = _core.gram_topk(
        *csr_parts(A),
        n_cols=n,
        k=min(k, max(n - 1, 1)),
        row_scale=compared.feature_scale,
        col_scale=compared.entity_scale,
        n_threads=n_threads,
        **epilogue(m, compared, compared),
    )
    lists = sp.csr_array((n, n), dtype=scores.dtype)
    lists.indptr, lists.indices, lists.data = indptr, indices, scores
    return lists


def spgemm_topk(
    X: sp.csr_array,
    Y: sp.csr_array,
    k: int,
    n_threads: int,
    *,
    exclude: sp.csr_array | None = None,
    allowed: NDArray[np.uint8] | None = None,
    score: dict[str, Any] = PRODUCT,
) -> Ranked:
    """The k best columns of each row of X Y, as (indices, scores) padded with (-1, -inf)."""
    if X.dtype != Y.dtype:
        dtype = np.result_type(X.dtype, Y.dtype)
        X, Y = X.astype(dtype), Y.astype(dtype)
    places, excluded = (None, None) if exclude is None else csr_parts(exclude)[:2]
    indices, scores = _core.spgemm_topk(
        *csr_parts(X),
        *csr_parts(Y),
        Y.shape[1],
        k,
        places,
        excluded,
        allowed,
        n_threads=n_threads,
        **score,
    )
    return indices, scores


def as_lists(indices: NDArray[np.int32], scores: NDArray[Any], n_cols: int) -> sp.csr_array:
    """Padded (indices, scores) as a sparse matrix whose rows are in order of rank."""
    kept = indices >= 0
    lists = sp.csr_array((len(indices), n_cols), dtype=scores.dtype)
    lists.indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    lists.indices, lists.data = indices[kept], scores[kept]
    return lists


def plain(lists: sp.csr_array) -> sp.csr_array:
    """Give a new matrix the index types SciPy uses itself: its in-place methods need them equal."""
    dtype = np.int32 if lists.nnz < 2**31 else np.int64
    lists.indptr = lists.indptr.astype(dtype, copy=False)
    lists.indices = lists.indices.astype(dtype, copy=False)
    return lists


def take_rows(X: sp.csr_array, rows: NDArray[np.int64]) -> sp.csr_array:
    """Some rows of a canonical CSR, repeated ones too."""
    lengths = np.diff(X.indptr)[rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    places = np.arange(indptr[-1]) + np.repeat(X.indptr[rows] - indptr[:-1], lengths)
    return _wrap_csr(indptr, X.indices[places], X.data[places], (len(rows), X.shape[1]))
