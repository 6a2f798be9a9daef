"""SQUAREM's extrapolation of three EM iterates (Varadhan and Roland 2008, scheme S3).

It works on coordinates without constraints: log weights, means, and the Cholesky factors of the
covariances with the logarithm of their diagonals, so that whatever comes out is a mixture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..exceptions import NumericalError
from ._forms import Parameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["extrapolated"]

_STEP_MAX = 64.0


def _free(parameters: Parameters) -> list[Array]:
    covariances = parameters.covariances
    if parameters.covariance_type in ("full", "tied"):
        factor = np.linalg.cholesky(covariances)
        diagonal = np.arange(factor.shape[-1])
        factor[..., diagonal, diagonal] = np.log(factor[..., diagonal, diagonal])
    else:
        factor = np.log(covariances)
    weights = parameters.weights
    if parameters.noise is not None:
        weights = np.append(weights, parameters.noise.weight)
    return [np.log(np.maximum(weights, 1e-300)), parameters.means, factor]


def _bound(like: Parameters, free: list[Any]) -> Parameters:
    kind, noise = like.covariance_type, like.noise
    log_weights, means, factor = free
    weights = np.exp(log_weights - log_weights.max())
    if kind in ("full", "tied"):
        diagonal = np.arange(factor.shape[-1])
        factor[..., diagonal, diagonal] = np.exp(factor[..., diagonal, diagonal])
        covariances = factor @ np.swapaxes(factor, -1, -2)
    else:
        covariances = np.exp(factor)
    weights /= weights.sum()
    if noise is not None:
        weights, noise = weights[:-1], replace(noise, weight=float(weights[-1]))
    return Parameters(kind, weights, means, covariances, noise)


def extrapolated(first: Parameters, second: Parameters, third: Parameters) -> Parameters:
    """A point further on, or the third iterate itself where there is none."""
    zero, one, two = (_free(p) for p in (first, second, third))
    r = [b - a for a, b in zip(zero, one)]
    v = [c - b - d for b, c, d in zip(one, two, r)]
    # Each part has its own unit, the Mahalanobis one is near enough in standardised coordinates.
    size_r = np.sqrt(sum(float((part**2).sum()) for part in r))
    size_v = np.sqrt(sum(float((part**2).sum()) for part in v))
    if not size_v > 0:
        return third
    step = min(max(size_r / size_v, 1.0), _STEP_MAX)
    if step == 1.0:
        return third
    try:
        with np.errstate(over="raise", invalid="raise"):
            return _bound(first, [a + 2 * step * b + step**2 * c for a, b, c in zip(zero, r, v)])
    except (NumericalError, FloatingPointError):
        return third
