"""The Gramian of factors in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["als_gramian"]


def als_gramian(factors: NDArray[Any], n_threads: int) -> NDArray[np.float64]:
    """Return the Gramian of factors: the sum of the outer products of their rows.

    Parameters
    ----------
    factors : ndarray of shape (n, f)
        Of float32 or float64.
    n_threads : int
        Not used here.

    Returns
    -------
    ndarray of float64, shape (f, f)
        Symmetric.
    """
    exact = factors.astype(np.float64)
    return exact.T @ exact
