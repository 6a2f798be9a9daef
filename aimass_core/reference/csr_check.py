"""Reference of the kernel ``csr_check``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def csr_check(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    n_cols: int,
    n_threads: int = 1,
) -> tuple[int, int, bool, bool]:
    """Return the status of the three arrays of a CSR matrix.

    Parameters
    ----------
    indptr : ndarray of int64, shape (n_rows + 1,)
        Where rows begin.
    indices, data : ndarray of int32, float32 or float64, shape (nnz,)
        Columns and values.
    n_cols : int
        Number of columns.
    n_threads : int, default=1
        Not used here.

    Returns
    -------
    status : int
        0: good; 1: ``indptr`` does not begin at 0, falls, or does not end at nnz; 2: a column out
        of bounds; 3: a value that is not finite.
    position : int
        The first bad place, in ``indptr``, ``indices`` or ``data``; 0 when all is good.
    is_sorted : bool
        Whether no row descends. False when the status is not 0.
    has_duplicates : bool
        Whether a column follows itself: all duplicates are found if ``is_sorted``.
    """
    nnz = len(indices)
    bad = np.concatenate(([indptr[0] != 0], (np.diff(indptr) < 0) | (indptr[1:] > nnz)))
    bad[-1] |= indptr[-1] != nnz
    if bad.any():
        return 1, int(bad.argmax()), False, False
    outside = (indices < 0) | (indices >= n_cols)
    bad = outside | ~np.isfinite(data)
    if bad.any():
        position = int(bad.argmax())
        return 2 if outside[position] else 3, position, False, False
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    same_row, step = np.diff(rows) == 0, np.diff(indices.astype(np.int64))
    return 0, 0, not (same_row & (step < 0)).any(), bool((same_row & (step == 0)).any())
