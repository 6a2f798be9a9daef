"""SQUAREM: the extrapolation of three EM iterates (Varadhan and Roland 2008, scheme S3).

It works on coordinates without constraints: log weights, means, and the Cholesky factors of the
covariances with the logarithm of their diagonals, so that every result is a valid mixture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import NumericalError
from ._parameters import MATRIX_TYPES, Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["extrapolated"]

_MAX_STEP = 64.0


def _unconstrained(parameters: Parameters) -> list[Array]:
    """Return the coordinates of the parameters that may take any value."""
    covariances = parameters.covariances
    if parameters.covariance_type in MATRIX_TYPES:
        factor = np.linalg.cholesky(covariances)
        diagonal = np.arange(factor.shape[-1])
        factor[..., diagonal, diagonal] = np.log(factor[..., diagonal, diagonal])
    else:
        factor = np.log(covariances)
    weights = parameters.weights
    if parameters.noise is not None:
        weights = np.append(weights, parameters.noise.weight)
    coordinates = [np.log(np.maximum(weights, 1e-300)), parameters.means, factor]
    if parameters.categories is not None:
        coordinates.append(np.log(parameters.categories))
    return coordinates


def _constrained(
    template: Parameters, coordinates: list[Any], n_values: tuple[int, ...]
) -> Parameters:
    """Return parameters from coordinates, of the type and with the noise of a template."""
    kind, noise = template.covariance_type, template.noise
    log_weights, means, factor = coordinates[:3]
    weights = np.exp(log_weights - log_weights.max())
    if kind in MATRIX_TYPES:
        diagonal = np.arange(factor.shape[-1])
        factor[..., diagonal, diagonal] = np.exp(factor[..., diagonal, diagonal])
        covariances = factor @ np.swapaxes(factor, -1, -2)
    else:
        covariances = np.exp(factor)
    weights /= weights.sum()
    if noise is not None:
        weights, noise = weights[:-1], replace(noise, weight=float(weights[-1]))
    categories = None
    if template.categories is not None:
        categories = np.exp(np.minimum(coordinates[3], 0))
        starts = np.cumsum([0, *n_values[:-1]])
        totals = np.add.reduceat(categories, starts, axis=1)
        categories = np.maximum(categories / np.repeat(totals, n_values, axis=1), 1e-300)
    return Parameters(kind, weights, means, covariances, noise, categories)


def extrapolated(
    first: Parameters, second: Parameters, third: Parameters, n_values: tuple[int, ...] = ()
) -> Parameters:
    """Return parameters beyond three successive iterates, or the third where there are none.

    ``n_values`` has the number of values of each categorical column.
    """
    zero, one, two = (_unconstrained(p) for p in (first, second, third))
    r = [b - a for a, b in zip(zero, one, strict=True)]
    v = [c - b - d for b, c, d in zip(one, two, r, strict=True)]
    # Each part has its own unit; standardised coordinates make them comparable enough.
    length_r = np.sqrt(sum(float((part**2).sum()) for part in r))
    length_v = np.sqrt(sum(float((part**2).sum()) for part in v))
    if not length_v > 0:
        return third
    step = min(max(length_r / length_v, 1.0), _MAX_STEP)
    if step == 1.0:
        return third
    try:
        with np.errstate(over="raise", invalid="raise"):
            coordinates = [
                a + 2 * step * b + step**2 * c for a, b, c in zip(zero, r, v, strict=True)
            ]
            return _constrained(first, coordinates, n_values)
    except (NumericalError, FloatingPointError):
        return third
