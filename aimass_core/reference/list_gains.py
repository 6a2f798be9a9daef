"""Reference of the kernel ``list_gains``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def list_gains(
    lists: NDArray[np.int64],
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[Any],
    n_cols: int,
    n_threads: int,
) -> NDArray[np.float64]:
    """Return the relevance of the item at each rank of each list.

    Parameters
    ----------
    lists : ndarray of int64, shape (n_users, width)
        Items, best first; a number outside of [0, n_cols) is no item.
    indptr, indices, data : ndarray of int64, int32, float32 or float64
        Canonical CSR of shape (n_users, n_cols): relevance of the relevant items of each user.
    n_cols : int
        Number of items.
    n_threads : int
        Not used here.

    Returns
    -------
    ndarray of float64, shape (n_users, width)
        0 where the item is not relevant, or stands at an earlier rank of the list, too.
    """
    gains = np.zeros(lists.shape)
    for row, items in enumerate(lists):
        entries = slice(indptr[row], indptr[row + 1])
        relevance = dict(zip(indices[entries].tolist(), data[entries].tolist(), strict=True))
        for rank, item in enumerate(items.tolist()):
            gains[row, rank] = relevance.pop(item, 0.0)
    return gains
