"""What the stored entries add to the loss of alternating least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._als_weights import als_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["als_loss"]


def als_loss(
    indptr: Array,
    indices: Array,
    data: Array,
    row_factors: Array,
    factors: Array,
    alpha: float,
    weight_shift: float,
    target_shift: float,
    preferences: bool,
    n_threads: int,
) -> float:
    """Return the sum over the entries of ``weight s^2 - 2 target s + constant`` with s the score.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Canonical CSR of shape (n_rows, n_columns).
    row_factors : ndarray of shape (n_rows, f)
        Factors of the rows, of the dtype of `data`.
    factors : ndarray of shape (n_columns, f)
        Factors of the columns.
    alpha, weight_shift, target_shift, preferences : float, float, float, bool
        Weight and target, as in `als_solve`; constant is the target (preferences) or its square.
    n_threads : int
        Not used here.

    Returns
    -------
    float
        The sum in float64.
    """
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    x, y = row_factors[rows].astype(np.float64), factors[indices].astype(np.float64)
    score = (x * y).sum(axis=1)
    weight, target = als_weights(data, alpha, weight_shift, target_shift, preferences)
    constant = target if preferences else target**2
    return float((weight * score**2 - 2 * target * score + constant).sum())
