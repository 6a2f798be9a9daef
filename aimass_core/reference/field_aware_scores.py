"""Predictions of a field-aware factorization machine, pair by pair."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["field_aware_scores"]


def field_aware_scores(
    indptr: Any,
    indices: Any,
    data: Any,
    fields: Any,
    intercept: float,
    linear: Any,
    factors: Any,
    n_threads: int,
) -> NDArray[np.float64]:
    """Return the prediction of each row.

    Parameters
    ----------
    indptr, indices, data : ndarray
        Design matrix as CSR.
    fields : ndarray of int32, shape (n_columns,)
        Field of each column.
    intercept : float
        Added to all predictions.
    linear : ndarray of shape (n_columns,)
        Linear coefficients.
    factors : ndarray of shape (n_columns, n_fields, n_factors)
        Factors of each column for each field.
    n_threads : int
        Not used.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        The linear terms, and the product of each pair of columns of the row, each by the factors
        for the field of the other.
    """
    scores = np.full(len(indptr) - 1, float(intercept))
    wide = factors.astype(np.float64)
    for row in range(len(scores)):
        own = range(indptr[row], indptr[row + 1])
        scores[row] += sum(float(linear[indices[a]]) * data[a] for a in own)
        for a, b in combinations(own, 2):
            j, k = indices[a], indices[b]
            scores[row] += data[a] * data[b] * (wide[j, fields[k]] @ wide[k, fields[j]])
    return scores
