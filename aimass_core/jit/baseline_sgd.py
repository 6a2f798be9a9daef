"""One pass of stochastic gradient descent over the biases of a rating matrix.

Problem: r ~ mean + bu[user] + bi[item]; serial, in the order of the stored entries, because every
step uses the one before. Cost: O(nnz) time, no memory.
Y. Koren, Factor in the neighbors: scalable and accurate collaborative filtering, TKDD 2010.
"""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["baseline_sgd"]


@njit(cache=True, nogil=True)
def baseline_sgd(
    indptr: Any,
    indices: Any,
    data: Any,
    bu: Any,
    bi: Any,
    mean: float,
    learning_rate: float,
    regularization: float,
) -> None:
    """Update the biases in place by one pass.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Ratings of users x items as CSR.
    bu : ndarray of float64, shape (n_users,)
        Biases of users, changed.
    bi : ndarray of float64, shape (n_items,)
        Biases of items, changed.
    mean : float
        Mean of all ratings.
    learning_rate, regularization : float
        Step length and weight of the squared biases.
    """
    for user in range(len(indptr) - 1):
        for entry in range(indptr[user], indptr[user + 1]):
            item = indices[entry]
            error = data[entry] - (mean + bu[user] + bi[item])
            bu[user] += learning_rate * (error - regularization * bu[user])
            bi[item] += learning_rate * (error - regularization * bi[item])
