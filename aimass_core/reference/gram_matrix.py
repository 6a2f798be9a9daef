"""Reference of the kernel ``gram_matrix``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def gram_matrix(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    n_cols: int,
    n_threads: int,
    report: Callable[[int, int], None] | None = None,
) -> NDArray[Any]:
    """Return the Gramian X'X of a CSR matrix as a dense matrix.

    Parameters
    ----------
    indptr, indices, data : ndarray of int64, int32, float32 or float64
        Canonical CSR X of shape (n_rows, n_cols).
    n_cols : int
        Number of columns.
    n_threads : int
        Not used here.
    report : callable, optional
        Not used here.

    Returns
    -------
    ndarray of shape (n_cols, n_cols)
        Symmetric, of the dtype of ``data``; summed in float64 here.
    """
    X = sp.csr_array((data.astype(np.float64), indices, indptr), shape=(len(indptr) - 1, n_cols))
    product: NDArray[Any] = (X.T @ X).toarray().astype(data.dtype)
    return product
