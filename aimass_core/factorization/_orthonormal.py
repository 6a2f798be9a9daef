"""Orthonormal columns of tall matrices, in steps short enough for Ctrl-C to end them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from .. import kernels
from ..base.csr import row_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["gramian", "multiply", "orthonormal", "right_factor"]

_OPERATIONS = 1 << 28  # multiply-adds of one uninterrupted step
_QR_OPERATIONS = 1 << 27
# The smallest distance of a column of length one from the span of those before it for which the
# Gramian is used. Rounding in the product with the inverse grows by one over this distance.
_MIN_DISTANCE = 1e-3


def multiply(A: Array | sp.csr_array, B: Array) -> Array:
    """Return A @ B, computed in blocks of rows of A, so that Ctrl-C ends the work soon."""
    product = np.empty((A.shape[0], B.shape[1]), dtype=np.result_type(A.dtype, B.dtype))
    for begin, end in _row_blocks(A, B.shape[1]):
        part = row_range(A, begin, end) if sp.issparse(A) else A[begin:end]
        product[begin:end] = part @ B
    return product


def _row_blocks(A: Any, width: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of A whose product with ``width`` columns takes a bounded time."""
    n = A.shape[0]
    if not sp.issparse(A):
        step = max(1, _OPERATIONS // max(A.shape[1] * width, 1))
        yield from ((begin, min(begin + step, n)) for begin in range(0, n, step))
        return
    begin, entries = 0, max(_OPERATIONS // (8 * max(width, 1)), 1)  # sparse products are slower
    while begin < n:
        end = int(np.searchsorted(A.indptr, A.indptr[begin] + entries, side="right")) - 1
        end = min(max(end, begin + 1), n)
        yield begin, end
        begin = end


def gramian(A: Array, n_threads: int) -> NDArray[np.float64]:
    """Return A'A in float64; raise LinAlgError where it is not finite."""
    products = np.asarray(kernels.als_gramian(A, n_threads))
    if not np.isfinite(products).all():
        raise np.linalg.LinAlgError("the Gramian is not finite")
    return products


def orthonormal(A: Array, n_threads: int) -> Array:
    """Return orthonormal columns with the span of those of A.

    The Gramian of the columns, scaled to length one, is factorised by Cholesky's method, and A is
    multiplied by the inverse of the factor. Where a column is nearly in the span of those before
    it, Householder QR is used instead. Deviates from orthonormality by rounding over that distance;
    a second call removes this.

    Parameters
    ----------
    A : ndarray of shape (n, width), n >= width
        Finite.
    n_threads : int
        Threads of the Gramian.

    Returns
    -------
    ndarray of shape (n, width)

    Raises
    ------
    LinAlgError
        Where the Gramian is not finite.
    """
    products = gramian(A, n_threads)
    lengths = np.sqrt(np.diag(products))
    if not (lengths > 0).all():
        return _householder(A)
    try:
        lower = np.linalg.cholesky(products / np.outer(lengths, lengths))
    except np.linalg.LinAlgError:
        return _householder(A)
    if np.diag(lower).min() < _MIN_DISTANCE:
        return _householder(A)
    # Not by scipy.linalg: its BLAS has threads of its own, which wait for work in a loop and take
    # the processors from the product that follows.
    inverse = np.linalg.inv(lower).T
    return multiply(A, (inverse / lengths[:, None]).astype(A.dtype))


def right_factor(A: Array) -> Array:
    """Return R of A = Q R: it has the singular values and the right singular vectors of A."""
    return np.asarray(np.linalg.qr(np.vstack([r for _, r in _qr_of_blocks(A, "r")]), mode="r"))


def _qr_of_blocks(A: Array, mode: Any) -> Iterator[tuple[Array, Array]]:
    """Yield Q (empty in mode "r") and R of blocks of rows of A."""
    n, width = A.shape
    step = max(2 * width, _QR_OPERATIONS // max(width * width, 1))
    starts = list(range(0, n, step))
    if len(starts) > 1 and n - starts[-1] < width:
        starts.pop()  # the last block would have more columns than rows
    for begin, end in zip(starts, [*starts[1:], n], strict=True):
        factors: Any = np.linalg.qr(A[begin:end], mode=mode)
        yield (A[:0], factors) if mode == "r" else (factors[0], factors[1])


def _householder(A: Array) -> Array:
    """Return Q of A = Q R from the factors of blocks of rows (Demmel et al. 2012, TSQR)."""
    factors = list(_qr_of_blocks(A, "reduced"))
    if len(factors) == 1:
        return factors[0][0]
    width = A.shape[1]
    top, _ = np.linalg.qr(np.vstack([r for _, r in factors]))
    return np.vstack([q @ top[width * i : width * (i + 1)] for i, (q, _) in enumerate(factors)])
