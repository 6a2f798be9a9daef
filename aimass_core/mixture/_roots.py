"""Triangular roots of precisions, from covariances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["precision_roots"]

# Variances below this part of the squared distance from the origin are lost in rounding.
_RESOLUTION = 1e-13


def precision_roots(covariance_type: str, covariances: Array, means: Array) -> Array:
    """Upper triangular P with P P' = inverse covariance; 1 / standard deviation where diagonal."""
    lost = _RESOLUTION * (1 + (means**2).max(axis=1, initial=0))
    if covariance_type in ("diag", "spherical"):
        floor = lost if covariance_type == "spherical" else lost[:, None]
        wrong = ~(covariances >= floor)
        if wrong.any():
            raise _degenerate(int(np.argwhere(wrong)[0][0]))
        root: Array = 1 / np.sqrt(covariances)
        return root
    single = covariance_type == "tied"
    roots = np.empty_like(covariances)
    stacked = covariances[None] if single else covariances
    for k, covariance in enumerate(stacked):
        inverse = _inverse_of_factor(covariance, lost.min() if single else lost[k])
        if inverse is None:
            raise _degenerate(None if single else k)
        (roots if single else roots[k])[...] = inverse.T
    return roots


def _inverse_of_factor(covariance: Array, lost: float) -> Array | None:
    """Inverse of the lower Cholesky factor; None where a squared diagonal value is below `lost`.

    By halves, down to what LAPACK does without threads: to wake them costs more than it brings, and
    they would go on to wait on the cores that the kernel needs next.
    """
    d = len(covariance)
    if d <= 64:
        lower, status = dpotrf(covariance, lower=1)
        if status != 0 or not (np.diagonal(lower) ** 2 >= lost).all():
            return None
        inverse, status = dtrtri(lower, lower=1)
        return np.tril(inverse) if status == 0 else None
    half = d // 2
    first = _inverse_of_factor(covariance[:half, :half], lost)
    if first is None:
        return None
    below = covariance[half:, :half] @ first.T
    last = _inverse_of_factor(covariance[half:, half:] - below @ below.T, lost)
    if last is None:
        return None
    found = np.zeros_like(covariance)
    found[:half, :half], found[half:, half:] = first, last
    found[half:, :half] = -last @ (below @ first)
    return found


def _degenerate(component: int | None) -> NumericalError:
    which = "the tied covariance" if component is None else f"the covariance of {component=}"
    return NumericalError(
        f"{which} is not positive definite: its rows are fewer than the columns, equal, or lie in "
        "a plane; raise reg_covar, lower n_components, or use a simpler covariance_type"
    )
