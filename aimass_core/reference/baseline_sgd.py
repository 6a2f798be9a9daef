"""One pass of stochastic gradient descent over biases, entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["baseline_sgd"]


def baseline_sgd(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    bu: NDArray[np.float64],
    bi: NDArray[np.float64],
    mean: float,
    learning_rate: float,
    regularization: float,
) -> None:
    """Update the biases in place.

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
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    for user, item, rating in zip(users, indices, data.tolist(), strict=True):
        error = rating - (mean + bu[user] + bi[item])
        bu[user] += learning_rate * (error - regularization * bu[user])
        bi[item] += learning_rate * (error - regularization * bi[item])
