"""Reference of the kernel ``slim_dense``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aimass_core.reference._slim import Weights, solve


def slim_dense(
    gramian: NDArray[Any],
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
    """Return the elastic-net coefficients of target items by coordinate descent on the Gramian.

    Parameters
    ----------
    gramian : ndarray of shape (n_items, n_items)
        G = X'X, symmetric, float32 or float64.
    ridge : ndarray of float64, shape (n_items,)
        L2 penalty of each coefficient.
    targets : ndarray of int32
        Items j whose coefficients are computed: those w that minimise 1/2 w'Gw - G_j'w + l1 |w|_1 +
        1/2 sum ridge_i w_i^2 with w_j = 0.
    candidates_indptr, candidates_indices : ndarray or None
        The items of which each target may have a coefficient; None: all.
    start_indptr, start_indices, start_data : ndarray or None
        Coefficients that the descent starts from; None: zeros.
    l1 : float
        L1 penalty.
    nonnegative : bool
        Whether w >= 0 is demanded.
    k : int
        Coefficients kept for each target, the largest by absolute value.
    tol : float
        Largest violation of optimality, relative to the largest \\|G_ij\\|.
    max_sweeps : int
        Sweeps after which a target is given up.
    n_threads : int
        Not used here.
    report : callable, optional
        Not used here.

    Returns
    -------
    indptr, indices, data : ndarray of int64, int32, dtype of ``gramian``
        Row t: the coefficients of target t by ascending item.
    n_sweeps : ndarray of int32
        Sweeps of each target; those of the kernel go over fewer coordinates.
    violation : ndarray of float64
        The relative violation at which each target ended.
    """
    return solve(
        gramian.astype(np.float64),
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
        gramian.dtype,
    )
