"""One epoch of the non-negative factorisation of stored ratings, entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["rating_nmf_epoch"]


def rating_nmf_epoch(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    users: NDArray[Any],
    items: NDArray[Any],
    bu: NDArray[np.float64],
    bi: NDArray[np.float64],
    mean: float,
    rates: Any,
    penalties: Any,
    moves_items: bool,
) -> float:
    """Update factors and biases in place, and return the sum of squared errors before the steps.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Ratings of users x items as CSR.
    users, items : ndarray of float, shape (n_users, f), (n_items, f)
        Non-negative factors, changed; items only where ``moves_items``.
    bu, bi : ndarray of float64, shape (n_users,), (n_items,)
        Biases, changed.
    mean : float
        What every rating starts with.
    rates : tuple of two floats
        Step lengths of the biases of users and of items.
    penalties : tuple of four floats
        Weights of the squared user factors, item factors, user biases and item biases.
    moves_items : bool
        Whether the factors of items are updated.

    Returns
    -------
    float
    """
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    ratings = data.astype(np.float64)
    x, y = users.astype(np.float64), items.astype(np.float64)
    estimates = np.einsum("ef,ef->e", x[rows], y[indices])
    for entry, (user, item) in enumerate(zip(rows, indices, strict=True)):
        estimates[entry] += mean + bu[user] + bi[item]
        error = ratings[entry] - estimates[entry]
        bu[user] += rates[0] * (error - penalties[2] * bu[user])
        bi[item] += rates[1] * (error - penalties[3] * bi[item])
    sides: list[Any] = [(users, rows, y[indices], penalties[0])]
    if moves_items:
        sides.append((items, indices, x[rows], penalties[1]))
    for factors, owner, others, penalty in sides:
        wanted, expected = np.zeros((2, *factors.shape))
        np.add.at(wanted, owner, ratings[:, None] * others)
        np.add.at(expected, owner, estimates[:, None] * others)
        counts = np.bincount(owner, minlength=len(factors))
        divisor = expected + (penalty * counts)[:, None] * factors
        zeros = np.zeros_like(divisor)
        factors[:] = np.divide(factors * wanted, divisor, out=zeros, where=divisor > 0)
    return float(((ratings - estimates) ** 2).sum())
