"""One epoch of the non-negative factorisation of stored ratings, with biases that take steps.

Problem: ratings ~ mean + bu[user] + bi[item] + x'y with x, y >= 0. One pass over the entries takes
a gradient step of both biases for each rating and adds up what the multiplicative updates of both
factors need; all updates use the factors from before the pass. Serial, because every step of a
bias uses the one before. Cost: O(nnz f) time; three matrices like the item factors. X. Luo et al.
(2014) as Surprise takes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["rating_nmf_epoch"]


# Sums may be taken in another order, so that they are vectors; no other rule of floats is relaxed.
@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def rating_nmf_epoch(
    indptr: Any,
    indices: Any,
    data: Any,
    users: Any,
    items: Any,
    bu: Any,
    bi: Any,
    mean: float,
    rates: Any,
    penalties: Any,
    moves_items: bool,
) -> float:
    """Update factors and biases in place by one pass, and return the sum of squared errors.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Ratings of users x items as CSR.
    users : ndarray of float, shape (n_users, f)
        Factors of users, changed. A factor whose divisor is not positive becomes 0.
    items : ndarray of float, shape (n_items, f)
        Factors of items, changed in the same way where ``moves_items``.
    bu : ndarray of float64, shape (n_users,)
        Biases of users, changed.
    bi : ndarray of float64, shape (n_items,)
        Biases of items, changed.
    mean : float
        What every rating starts with.
    rates : tuple of two floats
        Step lengths of the biases of users and of items; 0 leaves them as they are.
    penalties : tuple of four floats
        Weights of the squared user factors, item factors, user biases and item biases.
    moves_items : bool
        False where only users are learned: new users of a fitted model.

    Returns
    -------
    float
        Every error is taken before its step.
    """
    n_factors = items.shape[1]
    # Rows of whole vectors: the loops below take the columns by four or more.
    width = -(-n_factors // 4) * 4 if moves_items else n_factors
    rows = _padded(items, width) if moves_items else items
    n_sums = len(items) if moves_items else 0
    wanted_items = np.zeros((n_sums, width))
    expected_items = np.zeros((n_sums, width))
    counts = np.zeros(n_sums, dtype=np.int64)
    own, wanted, expected = np.zeros(width), np.zeros(width), np.zeros(width)
    total = 0.0
    for user in range(len(indptr) - 1):
        wanted[:] = 0.0
        expected[:] = 0.0
        for f in range(n_factors):
            own[f] = users[user, f]
        for entry in range(indptr[user], indptr[user + 1]):
            item, rating = indices[entry], float(data[entry])
            product = 0.0
            for f in range(width):
                product += own[f] * rows[item, f]
            estimate = mean + bu[user] + bi[item] + product
            error = rating - estimate
            total += error * error
            bu[user] += rates[0] * (error - penalties[2] * bu[user])
            bi[item] += rates[1] * (error - penalties[3] * bi[item])
            for f in range(width):  # elements, as views of rows would count references
                wanted[f] += rating * rows[item, f]
                expected[f] += estimate * rows[item, f]
            if moves_items:
                counts[item] += 1
                for f in range(width):
                    wanted_items[item, f] += rating * own[f]
                    expected_items[item, f] += estimate * own[f]
        # Its factors are read by its own entries only, so they can move now.
        n_entries = indptr[user + 1] - indptr[user]
        _update(users[user], wanted, expected, penalties[0] * n_entries)
    for item in range(n_sums):
        sums = wanted_items[item], expected_items[item]
        _update(items[item], sums[0], sums[1], penalties[1] * counts[item])
    return total


@njit(cache=True, nogil=True)
def _padded(rows: Any, width: int) -> Any:
    """Return a copy of rows with columns of zeros up to a width."""
    wide = np.zeros((len(rows), width), dtype=rows.dtype)
    wide[:, : rows.shape[1]] = rows
    return wide


@njit(cache=True, nogil=True)
def _update(factors: Any, wanted: Any, expected: Any, penalty: float) -> None:
    """Multiply factors by wanted / (expected + penalty factor); zeros stay."""
    for f in range(len(factors)):
        divisor = expected[f] + penalty * factors[f]
        factors[f] = factors[f] * wanted[f] / divisor if divisor > 0.0 else 0.0
