"""One epoch of SVD++ or asymmetric SVD, entry by entry, with every implicit factor stepped."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["implicit_rating_epoch"]


def implicit_rating_epoch(
    indptr: Any,
    indices: Any,
    data: Any,
    user_factors: Any,
    item_factors: Any,
    implicit_factors: Any,
    residual_factors: Any,
    user_biases: Any,
    item_biases: Any,
    mean: float,
    rates: tuple[float, ...],
    penalties: tuple[float, ...],
    epoch: int,
    n_threads: int,
) -> float:
    """Take an SGD epoch on squared errors of ``mean + b_u + b_i + q_i'(p_u + z_u)`` with penalties.

    ``z_u`` is ``n^-1/2 sum (y_j + (r_uj - b_uj) x_j)`` over the n items of the user, with
    ``b_uj = mean + b_u + b_j`` as it is before the first step of the user.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Ratings of users x items as CSR.
    user_factors : ndarray of shape (n_users, width) or (0, width)
        p, changed; none in asymmetric SVD. The width is a multiple of 16.
    item_factors, implicit_factors : ndarray of shape (n_items, width)
        q and y, changed.
    residual_factors : ndarray of shape (n_items, width) or of size 0
        x, changed; none in SVD++.
    user_biases, item_biases : ndarray of shape (n,) or (0,)
        Changed; none: the model has none.
    mean : float
        What every prediction starts with.
    rates, penalties : tuple of float
        Of p, q, user biases, item biases, and of y and x.
    epoch : int
        Named in the message about divergence.
    n_threads : int
        Not used here.

    Returns
    -------
    float
        Sum of the squared errors, each before its entry's step.
    """
    arrays = (
        user_factors,
        item_factors,
        implicit_factors,
        residual_factors,
        user_biases,
        item_biases,
    )
    p, q, y, x, bu, bi = (a.astype(np.float64) for a in arrays)
    total = 0.0
    for u in range(len(indptr) - 1):
        entries = range(indptr[u], indptr[u + 1])
        own = indices[indptr[u] : indptr[u + 1]]
        root = len(own) ** -0.5 if len(own) else 0.0
        residuals = data[indptr[u] : indptr[u + 1]] - mean
        residuals = residuals - (bu[u] if len(bu) else 0.0) - (bi[own] if len(bi) else 0.0)
        for e in entries:
            i = indices[e]
            z = root * y[own].sum(axis=0)
            if x.size:
                z = z + root * residuals @ x[own]
            vector = z + p[u] if len(p) else z
            error = float(data[e]) - mean - q[i] @ vector
            error -= (bu[u] if len(bu) else 0.0) + (bi[i] if len(bi) else 0.0)
            total += error**2
            if len(bu):
                bu[u] += rates[2] * (error - penalties[2] * bu[u])
            if len(bi):
                bi[i] += rates[3] * (error - penalties[3] * bi[i])
            qi = q[i].copy()
            q[i] += rates[1] * (error * vector - penalties[1] * qi)
            if len(p):
                p[u] += rates[0] * (error * qi - penalties[0] * p[u])
            y[own] += rates[4] * (error * root * qi - penalties[4] * y[own])
            if x.size:
                along = error * root * residuals[:, None] * qi
                x[own] += rates[4] * (along - penalties[4] * x[own])
    for array, values in zip(arrays, (p, q, y, x, bu, bi), strict=True):
        array[...] = values
    return total
