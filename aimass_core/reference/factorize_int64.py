"""Reference of the kernel ``factorize_int64``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def factorize_int64(
    values: NDArray[np.int64], n_threads: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return codes of integers in ascending order.

    Parameters
    ----------
    values : ndarray of int64, shape (n,)
        Keys.
    n_threads : int
        Not used here.

    Returns
    -------
    codes : ndarray of int32, shape (n,)
        ``uniques[codes]`` are the values.
    uniques : ndarray of int64
        The distinct values, ascending.
    """
    uniques, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int32), uniques
