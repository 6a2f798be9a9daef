"""Operations on canonical CSR matrices, and the sparse kernels on SciPy matrices."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from .validation import as_csr, csr_parts, wrap_csr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ranked = tuple[NDArray[np.int32], NDArray[Any]]

__all__ = [
    "PRODUCT",
    "as_lists",
    "common_products",
    "dense_scores",
    "keep_entries",
    "one_entry_rows",
    "patterns_union",
    "products_of_rows",
    "renumber_columns",
    "row_numbers",
    "row_range",
    "row_ranges",
    "share_with_scipy",
    "spgemm_topk",
    "stack_rows",
    "take_rows",
    "take_rows_or_empty",
    "transpose",
    "with_scipy_indices",
]

_PAIRS = 1 << 16  # pairs of rows handled at once

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


def transpose(X: sp.csr_array, n_threads: int) -> sp.csr_array:
    """Return the transposed matrix as canonical CSR."""
    parts = kernels.csr_transpose(*csr_parts(X), X.shape[1], n_threads)
    return wrap_csr(*parts, (X.shape[1], X.shape[0]))


def row_ranges(indptr: NDArray[Any], nnz: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows with at most ``nnz`` entries, or of one row."""
    begin, n = 0, len(indptr) - 1
    while begin < n:
        last = int(np.searchsorted(indptr, indptr[begin] + nnz, side="right")) - 1
        end = min(n, max(begin + 1, last))
        yield begin, end
        begin = end


def row_numbers(X: sp.csr_array) -> NDArray[np.int32]:
    """Return the row number of each stored entry."""
    return np.repeat(np.arange(X.shape[0], dtype=np.int32), np.diff(X.indptr))


def take_rows(X: sp.csr_array, rows: NDArray[np.int64]) -> sp.csr_array:
    """Return some rows of a canonical CSR, in the order given, repeated ones too."""
    if len(rows) == 1:  # the usual case of a service: one slice, no index arithmetic
        row = int(rows[0])
        return row_range(X, row, row + 1)
    begins = X.indptr[rows].astype(np.int64)
    lengths = X.indptr[np.asarray(rows) + 1] - begins
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    entries = np.arange(indptr[-1]) + np.repeat(begins - indptr[:-1], lengths)
    return wrap_csr(indptr, X.indices[entries], X.data[entries], (len(rows), X.shape[1]))


def take_rows_or_empty(X: sp.csr_array, rows: NDArray[np.int64]) -> sp.csr_array:
    """Return some rows of a canonical CSR, an empty one where the row number is -1."""
    is_known = rows >= 0
    if is_known.all():
        return take_rows(X, rows)
    kept = take_rows(X, rows[is_known])
    lengths = np.zeros(len(rows), dtype=np.int64)
    lengths[is_known] = np.diff(kept.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return wrap_csr(indptr, kept.indices, kept.data, (len(rows), X.shape[1]))


def one_entry_rows(
    columns: NDArray[np.int64], n_columns: int, dtype: Any = np.float32
) -> sp.csr_array:
    """Return a matrix with the entry 1 in each row, at the given column."""
    indptr = np.arange(len(columns) + 1, dtype=np.int64)
    data = np.ones(len(columns), dtype=dtype)
    return wrap_csr(indptr, columns.astype(np.int32), data, (len(columns), n_columns))


def row_range(X: sp.csr_array, begin: int, end: int) -> sp.csr_array:
    """Return the rows from ``begin`` to before ``end``; shares memory with X."""
    indptr = X.indptr[begin : end + 1]
    entries = slice(int(indptr[0]), int(indptr[-1]))
    shape = (len(indptr) - 1, X.shape[1])
    return wrap_csr(indptr - indptr[0], X.indices[entries], X.data[entries], shape)


def keep_entries(X: sp.csr_array, keep: NDArray[np.bool_]) -> sp.csr_array:
    """Return the stored entries with a true flag, in a matrix of the same shape."""
    before = np.zeros(len(keep) + 1, dtype=np.int64)
    np.cumsum(keep, out=before[1:])
    return wrap_csr(before[X.indptr], X.indices[keep], X.data[keep], X.shape)


def stack_rows(top: sp.csr_array, bottom: sp.csr_array) -> sp.csr_array:
    """Return the rows of two matrices below one another; the first may have fewer columns."""
    dtype = np.result_type(top.dtype, bottom.dtype)
    return wrap_csr(
        np.concatenate([top.indptr, top.indptr[-1] + bottom.indptr[1:].astype(np.int64)]),
        np.concatenate([top.indices, bottom.indices]),
        np.concatenate([top.data, bottom.data]).astype(dtype, copy=False),
        (top.shape[0] + bottom.shape[0], max(top.shape[1], bottom.shape[1])),
    )


def renumber_columns(X: sp.csr_array, columns: NDArray[np.int64], n_columns: int) -> sp.csr_array:
    """Return the entries of X with column c renumbered to ``columns[c]``; -1 drops a column."""
    target = columns[X.indices]
    if len(columns) and columns.min() < 0:
        kept = target >= 0
        indptr = np.concatenate([[0], np.cumsum(kept)])[X.indptr]
        entries = (X.data[kept], target[kept], indptr)
    else:
        entries = (X.data, target, X.indptr)
    return as_csr(sp.csr_array(entries, shape=(X.shape[0], n_columns)))


def patterns_union(a: sp.csr_array | None, b: sp.csr_array | None) -> sp.csr_array | None:
    """Return a matrix whose stored entries are those of either matrix; its values mean nothing."""
    if a is None or b is None:
        return b if a is None else a
    ones = [
        sp.csr_array((np.ones(x.nnz, dtype=np.float32), x.indices, x.indptr), shape=x.shape)
        for x in (a, b)
    ]
    return as_csr(ones[0] + ones[1])


def spgemm_topk(
    X: sp.csr_array,
    Y: sp.csr_array,
    k: int,
    n_threads: int,
    *,
    exclude: sp.csr_array | None = None,
    candidates: NDArray[np.uint8] | None = None,
    score: dict[str, Any] = PRODUCT,
    report: Callable[[int, int], None] | None = None,
) -> Ranked:
    """Return the k largest entries of each row of X Y: (columns, values), padded by (-1, -inf).

    ``report`` is that of the kernels, such as `Progress.within` returns.
    """
    if X.dtype != Y.dtype:
        dtype = np.result_type(X.dtype, Y.dtype)
        X, Y = X.astype(dtype), Y.astype(dtype)
    excluded_ptr, excluded = (None, None) if exclude is None else csr_parts(exclude)[:2]
    indices, scores = kernels.spgemm_topk(
        *csr_parts(X),
        *csr_parts(Y),
        Y.shape[1],
        k,
        excluded_ptr,
        excluded,
        candidates,
        n_threads=n_threads,
        report=report,
        **score,
    )
    return indices, scores


def as_lists(indices: NDArray[np.int32], scores: NDArray[Any], n_columns: int) -> sp.csr_array:
    """Return padded (indices, scores) as a sparse matrix whose rows are in order of rank."""
    kept = indices >= 0
    lists = sp.csr_array((len(indices), n_columns), dtype=scores.dtype)
    lists.indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    lists.indices, lists.data = indices[kept], scores[kept]
    return lists


def dense_scores(X: sp.csr_array) -> NDArray[Any]:
    """Return a sparse matrix as a dense one, with -inf where no value is stored."""
    X = sp.csr_array(X)
    scores = np.full(X.shape, -np.inf, dtype=X.dtype)
    scores[row_numbers(X), X.indices] = X.data
    return scores


def with_scipy_indices(X: sp.csr_array) -> sp.csr_array:
    """Give a new matrix index arrays of one type, which all of SciPy and scikit-learn take."""
    dtype = np.int32 if X.nnz < 2**31 else np.int64
    X.indptr = X.indptr.astype(dtype, copy=False)
    X.indices = X.indices.astype(dtype, copy=False)
    return X


def share_with_scipy(thing: Any) -> None:
    """Give the public learned matrices of a model index arrays of one type, entries shared."""
    for name, value in vars(thing).items():
        if name.endswith("_") and not name.startswith("_") and isinstance(value, sp.csr_array):
            setattr(thing, name, with_scipy_indices(copy.copy(value)))


def common_products(
    X: sp.csr_array, x_row: int, Y: sp.csr_array, y_row: int
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the columns that a row of X and a row of Y both have, and the products there."""
    x, y = row_range(X, x_row, x_row + 1), row_range(Y, y_row, y_row + 1)
    columns, mine, theirs = np.intersect1d(
        x.indices, y.indices, assume_unique=True, return_indices=True
    )
    return columns, x.data[mine].astype(np.float64) * y.data[theirs]


def products_of_rows(
    X: sp.csr_array, x_rows: NDArray[np.int64], Y: sp.csr_array, y_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the inner product of row ``x_rows[i]`` of X and row ``y_rows[i]`` of Y for each i.

    The rows must be sorted. Products are added in float64 in the order of the columns, so that a
    result has the same bits alone and among others. Costs the entries of the rows involved, in
    blocks of bounded memory.
    """
    products = np.empty(len(x_rows), dtype=np.float64)
    if len(x_rows) == 1:
        products[0] = _product_of_two_rows(X, int(x_rows[0]), Y, int(y_rows[0]))
        return products
    for begin in range(0, len(x_rows), _PAIRS):
        part = slice(begin, begin + _PAIRS)
        rows = take_rows(X, x_rows[part])
        rows.data = rows.data.astype(np.float64)
        both = sp.csr_array(rows.multiply(take_rows(Y, y_rows[part])))
        products[part] = np.bincount(row_numbers(both), both.data, minlength=both.shape[0])
    return products


def _product_of_two_rows(X: sp.csr_array, x_row: int, Y: sp.csr_array, y_row: int) -> float:
    """Return an inner product of two sorted rows by looking up the shorter one in the longer."""
    parts = []
    for M, row in ((X, x_row), (Y, y_row)):
        begin, end = M.indptr[row : row + 2].tolist()
        parts.append((M.indices[begin:end], M.data[begin:end]))
    (short, x), (long, y) = sorted(parts, key=lambda part: len(part[0]))
    if len(short) == 0:
        return 0.0
    positions = long.searchsorted(short)
    is_in = long.take(positions, mode="clip") == short
    products = x[is_in].astype(np.float64) * y[positions[is_in]]
    return float(products.cumsum()[-1]) if len(products) else 0.0
