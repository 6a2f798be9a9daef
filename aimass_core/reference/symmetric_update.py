"""Reference of the kernel ``symmetric_update``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def symmetric_update(a: NDArray[Any], u: NDArray[Any], v: NDArray[Any], n_threads: int) -> None:
    """Add a product of low rank to a symmetric matrix in place.

    Parameters
    ----------
    a : ndarray of float32 or float64, shape (n, n)
        Its lower triangle is read; both are written.
    u, v : ndarray of the same dtype, shape (n, rank)
        Such that u v' is symmetric; the lower triangle of the product counts.
    n_threads : int
        Not used here.
    """
    lower = np.tril(a.astype(np.float64) + u.astype(np.float64) @ v.astype(np.float64).T)
    a[...] = lower + np.tril(lower, -1).T
