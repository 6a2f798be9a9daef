"""The one place that knows which Gaussian mixture the segments are made of."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["TYPES", "fit_mixture", "rebuilt"]

TYPES = ("full", "tied", "diag", "spherical")


def fit_mixture(Z: Floats, n_components: int, covariance_type: str, **options: Any) -> Any:
    """A fitted mixture; that EM ran out of iterations is left in its ``converged_``."""
    from sklearn.mixture import GaussianMixture

    options.pop("n_threads", None)
    mixture = GaussianMixture(n_components, covariance_type=covariance_type, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mixture.fit(Z)


def rebuilt(weights: Floats, means: Floats, covariances: Floats, covariance_type: str) -> Any:
    """A mixture out of its parameters, ready to predict."""
    from sklearn.mixture import GaussianMixture
    from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky

    mixture = GaussianMixture(len(weights), covariance_type=covariance_type)
    mixture.weights_, mixture.means_, mixture.covariances_ = weights, means, covariances
    mixture.precisions_cholesky_ = _compute_precision_cholesky(covariances, covariance_type)
    return mixture
