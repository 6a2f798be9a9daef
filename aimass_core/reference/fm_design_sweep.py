"""One sweep over the columns of a design matrix of a factorization machine, case by case."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._fm_draw import draw, slots

__all__ = ["fm_design_sweep"]


def fm_design_sweep(
    indptr: Any,
    indices: Any,
    data: Any,
    runs: Any,
    groups: Any,
    coefficients: Any,
    prior: tuple[Any, Any],
    noise: Any,
    alpha: float,
    weights: Any,
    sums: Any,
    errors: Any,
    block_width: int,
    n_factors: int,
    n_threads: int,
) -> None:
    """Draw the coefficients of each column once, given all other coefficients.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Transpose of the design matrix, columns x cases, as CSR.
    runs : ndarray of int64
        Not used here: bounds of runs of columns that share no case.
    groups : ndarray of int32, shape (n_columns,)
        Group of the prior of each column.
    coefficients : ndarray of float64, shape (n_columns, width)
        Changed. Slot 0 is the linear coefficient; see `_fm_draw.slots` for the layout.
    prior : tuple of two ndarrays of shape (n_groups, width)
        Means and precisions.
    noise : ndarray of shape (n_columns, width) or (0, 0)
        Standard normal numbers; none: coefficients become the conditional means.
    alpha : float
        Precision of an error of weight 1.
    weights : ndarray of shape (n_cases,) or (0,)
        Weights of the cases; none: all 1.
    sums : ndarray of shape (n_cases, width)
        Sums of the factors of each case, 1 in slot 0 of each block. Changed.
    errors : ndarray of shape (n_cases,)
        Target less prediction. Changed.
    block_width, n_factors : int
        Slots of a block, and number of factors.
    n_threads : int
        Not used here.
    """
    q, e = sums.astype(np.float64), errors.astype(np.float64)
    omega = weights.astype(np.float64) if len(weights) else np.ones(len(e))
    for column in range(len(indptr) - 1):
        cases = indices[indptr[column] : indptr[column + 1]]
        x = data[indptr[column] : indptr[column + 1], None].astype(np.float64)
        for begin, own in slots(block_width, n_factors):
            v = coefficients[column, own].copy()
            h = x * (q[np.ix_(cases, own)] - x * v)
            linear = own == begin
            h[:, linear] = x
            z = noise[column, own] if noise.size else None
            mean, precision = (p[groups[column], own] for p in prior)
            drawn = draw(h, e[cases], omega[cases], v, mean, precision, alpha, z)
            coefficients[column, own] = drawn
            e[cases] -= h @ (drawn - v)
            q[np.ix_(cases, own[~linear])] += x * (drawn - v)[~linear]
    sums[...], errors[...] = q, e
