"""Reference of the kernel ``csr_transpose``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def csr_transpose(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    n_cols: int,
    n_threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[Any]]:
    """Return the CSR arrays of the transpose.

    Parameters
    ----------
    indptr, indices, data : ndarray of int64, int32, float32 or float64
        Canonical CSR.
    n_cols : int
        Number of columns.
    n_threads : int
        Not used here.

    Returns
    -------
    indptr, indices, data : ndarray
        Canonical CSR of shape (n_cols, n_rows).
    """
    order = np.argsort(indices, kind="stable")
    rows = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
    counts = np.bincount(indices, minlength=n_cols)
    return np.concatenate(([0], np.cumsum(counts))), rows[order], data[order]
