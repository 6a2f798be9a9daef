"""Reference of the kernel ``slim_sparse``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from aimass_core.reference._slim import Weights, solve


def slim_sparse(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    t_indptr: NDArray[np.int64],
    t_indices: NDArray[np.int32],
    t_data: NDArray[Any],
    ridge: NDArray[np.float64],
    targets: NDArray[np.int32],
    candidates_indptr: NDArray[np.int64] | None,
    candidates_indices: NDArray[np.int32] | None,
    start_indptr: NDArray[np.int64] | None,
    start_indices: NDArray[np.int32] | None,
    start_data: NDArray[Any] | None,
    l1: float,
    nonnegative: bool,
    k: int,
    tol: float,
    max_sweeps: int,
    n_threads: int,
    report: Callable[[int, int], None] | None = None,
) -> Weights:
    """Return the elastic-net coefficients of target items by coordinate descent on the residual.

    Parameters
    ----------
    indptr, indices, data : ndarray of int64, int32, float32 or float64
        Canonical CSR X of shape (n_users, n_items).
    t_indptr, t_indices, t_data : ndarray
        Its transpose.
    ridge : ndarray of float64, shape (n_items,)
        L2 penalty of each coefficient.
    targets : ndarray of int32
        Items j whose coefficients are computed: those w that minimise 1/2 \\|x_j - X w\\|^2 +
        l1 \\|w\\|_1 + 1/2 sum ridge_i w_i^2 with w_j = 0.
    candidates_indptr, candidates_indices, start_indptr, start_indices, start_data
        As in `slim_dense`.
    l1, nonnegative, k, tol, max_sweeps
        As in `slim_dense`.
    n_threads : int
        Not used here.
    report : callable, optional
        Not used here.

    Returns
    -------
    indptr, indices, data : ndarray of int64, int32, dtype of ``data``
        Row t: the coefficients of target t by ascending item.
    n_sweeps : ndarray of int32
        Sweeps of each target; those of the kernel go over fewer coordinates.
    violation : ndarray of float64
        The relative violation at which each target ended.
    """
    n_items = len(t_indptr) - 1
    X = sp.csr_array((data.astype(np.float64), indices, indptr), shape=(len(indptr) - 1, n_items))
    return solve(
        (X.T @ X).toarray(),
        ridge,
        targets,
        (candidates_indptr, candidates_indices),
        (start_indptr, start_indices),
        start_data,
        l1,
        nonnegative,
        k,
        tol,
        max_sweeps,
        data.dtype,
    )
