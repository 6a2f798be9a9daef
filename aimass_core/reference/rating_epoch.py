"""One epoch of stochastic gradient descent of a biased matrix factorisation, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._counter_random import derived_key, shuffle
from ._sgd_strata import tiles

__all__ = ["rating_epoch"]


def rating_epoch(
    indptr: Any,
    indices: Any,
    data: Any,
    user_factors: Any,
    item_factors: Any,
    user_biases: Any,
    item_biases: Any,
    mean: float,
    rates: tuple[float, ...],
    penalties: tuple[float, ...],
    order: str,
    n_strata: int,
    seed: int,
    epoch: int,
    n_threads: int,
) -> float:
    """Take an epoch of SGD on squared errors of ``mean + b_u + b_i + x_u'y_i`` with penalties.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Ratings of users x items as CSR.
    user_factors, item_factors : ndarray of shape (n, width)
        Changed; the width is a multiple of 16.
    user_biases, item_biases : ndarray of shape (n,) or (0,)
        Changed; none: the model has none.
    mean : float
        What every prediction starts with.
    rates, penalties : tuple of float
        Of user factors, item factors, user biases, item biases.
    order : {"shuffled", "stored"}
        Order of the entries: by tiles, or as they are stored.
    n_strata : int
        Parts into which users and items are cut, where shuffled.
    seed, epoch : int
        What the shuffled order depends on.
    n_threads : int
        Not used here.

    Returns
    -------
    float
        Sum of the squared errors, each before its entry's step.
    """
    arrays = user_factors, item_factors, user_biases, item_biases
    x, y, bu, bi = (a.astype(np.float64) for a in arrays)
    total = 0.0
    n_items = len(item_factors)
    for u, e in _order(indptr, indices, n_items, order, n_strata, seed, epoch):
        i = indices[e]
        error = float(data[e]) - mean - x[u] @ y[i]
        error -= (bu[u] if len(bu) else 0.0) + (bi[i] if len(bi) else 0.0)
        total += error**2
        if len(bu):
            bu[u] += rates[2] * (error - penalties[2] * bu[u])
        if len(bi):
            bi[i] += rates[3] * (error - penalties[3] * bi[i])
        xu = x[u].copy()
        x[u] += rates[0] * (error * y[i] - penalties[0] * x[u])
        y[i] += rates[1] * (error * xu - penalties[1] * y[i])
    for array, values in zip(arrays, (x, y, bu, bi), strict=True):
        array[...] = values
    return total


def _order(
    indptr: Any, indices: Any, n_items: int, order: str, n_strata: int, seed: int, epoch: int
) -> Iterator[tuple[int, int]]:
    """Yield user and number of each entry."""
    if order == "stored":
        for u in range(len(indptr) - 1):
            for e in range(indptr[u], indptr[u + 1]):
                yield u, e
        return
    key = derived_key(derived_key(seed, 0), epoch)
    for tile in tiles(indptr, indices, n_items, n_strata, key):
        shuffle(derived_key(tile.key, 0), tile.entries)
        for user, _, entry in tile.entries:
            yield user, entry
