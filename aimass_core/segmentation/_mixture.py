"""The one place that knows which Gaussian mixture the segments are made of."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..mixture import GaussianMixture
from ..mixture._forms import precision_roots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["TYPES", "fit_mixture", "rebuilt"]

TYPES = ("full", "tied", "diag", "spherical")


def fit_mixture(Z: Floats, n_components: int, covariance_type: str, **options: Any) -> Any:
    """A fitted mixture; that EM ran out of passes is left in its ``converged_``."""
    mixture = GaussianMixture(
        n_components, covariance_type=covariance_type, accelerate=True, **options
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a component was started anew, too
        return mixture.fit(Z)


def rebuilt(weights: Floats, means: Floats, covariances: Floats, covariance_type: str) -> Any:
    """A mixture out of its parameters, ready to predict."""
    mixture = GaussianMixture(len(weights), covariance_type=covariance_type)
    roots = precision_roots(covariance_type, covariances, means)
    mixture._set(covariance_type, weights, means, covariances, roots)
    return mixture
