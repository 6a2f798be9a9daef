"""One pass of stochastic gradient descent over biases, with what each rating expected before.

Problem: targets ~ mean + bu[user] + bi[item] with a step length and a penalty for each side;
serial, in the order of the stored entries, because every step uses the one before. Cost: O(nnz)
time, no memory. This is the bias part of the biased non-negative factorisation of X. Luo et al.
(2014) as Surprise takes it.
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["bias_epoch"]


@njit(cache=True, nogil=True)
def bias_epoch(
    indptr: Any,
    indices: Any,
    targets: Any,
    bu: Any,
    bi: Any,
    mean: float,
    rates: Any,
    penalties: Any,
    errors: Any,
) -> None:
    """Update the biases in place by one pass, and set the error of each entry before its step.

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
    for user in range(len(indptr) - 1):
        for entry in range(indptr[user], indptr[user + 1]):
            item = indices[entry]
            error = targets[entry] - (mean + bu[user] + bi[item])
            bu[user] += rates[0] * (error - penalties[0] * bu[user])
            bi[item] += rates[1] * (error - penalties[1] * bi[item])
            errors[entry] = error
