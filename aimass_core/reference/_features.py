"""Features of standardised rows for the references of the mixture kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def features(X: Array, shift: Array, scale: Array, form: str) -> Array:
    """Return the features of z = (X - shift) * scale, one row each.

    1 and z; then nothing ("linear"), \\|z\\|^2 ("spherical"), z_i^2 ("diag") or z_i z_j for i <= j
    in the order of ``np.triu_indices`` ("full").
    """
    z = (X.astype(np.float64) - shift) * scale
    i, j = np.triu_indices(z.shape[1])
    quadratic = {
        "linear": z[:, :0],
        "spherical": (z * z).sum(axis=1, keepdims=True),
        "diag": z * z,
        "full": z[:, i] * z[:, j],
    }[form]
    return np.hstack([np.ones((len(z), 1)), z, quadratic])


def scores_of(X: Array, shift: Array, scale: Array, coefficients: Array, form: str) -> Array:
    """Return the scores of all components, one row each.

    Features times coefficients; "triangular": with a constant c, a mean m and an upper triangle P,
    given row by row, c - \\|P' (z - m)\\|^2 / 2.
    """
    if form != "triangular":
        return np.asarray(features(X, shift, scale, form) @ coefficients.T)
    d = X.shape[1]
    z = (X.astype(np.float64) - shift) * scale
    i, j = np.triu_indices(d)
    scores = np.empty((len(X), len(coefficients)))
    for k, row in enumerate(coefficients):
        triangle = np.zeros((d, d))
        triangle[i, j] = row[1 + d :]
        scores[:, k] = row[0] - 0.5 * (((z - row[1 : 1 + d]) @ triangle) ** 2).sum(axis=1)
    return scores


def log_sum_exp(scores: Array) -> Array:
    """Return the logarithm of the sum of exp over the columns, one row each."""
    best = scores.max(axis=1, keepdims=True)
    total: Array = best[:, 0] + np.log(np.exp(scores - best).sum(axis=1))
    return total
