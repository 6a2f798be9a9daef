"""One pass of stochastic gradient descent over biases with the errors, entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["bias_epoch"]


def bias_epoch(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    targets: NDArray[np.float64],
    bu: NDArray[np.float64],
    bi: NDArray[np.float64],
    mean: float,
    rates: Any,
    penalties: Any,
    errors: NDArray[np.float64],
) -> None:
    """Update the biases in place, and set the error of each entry before its step.

    Parameters
    ----------
    indptr, indices : ndarray
        Users x items as CSR.
    targets : ndarray of float64, shape (nnz,)
        What mean and biases approximate.
    bu : ndarray of float64, shape (n_users,)
        Biases of users, changed.
    bi : ndarray of float64, shape (n_items,)
        Biases of items, changed.
    mean : float
        What every entry starts with.
    rates, penalties : tuple of two floats
        Step lengths and weights of the squared biases, of users and of items.
    errors : ndarray of float64, shape (nnz,)
        Set.
    """
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    for entry, (user, item) in enumerate(zip(users, indices, strict=True)):
        error = targets[entry] - (mean + bu[user] + bi[item])
        bu[user] += rates[0] * (error - penalties[0] * bu[user])
        bi[item] += rates[1] * (error - penalties[1] * bi[item])
        errors[entry] = error
