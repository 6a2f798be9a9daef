"""The Gaussian mixture that the segments are made of: its fit, and its state in files."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..mixture import GaussianMixture
from ..mixture._noise import Noise
from ..mixture._parameters import precision_roots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["AUTO_TYPES", "TYPES", "as_noise", "continued", "fit_mixture", "noise_state", "rebuilt"]

TYPES = ("full", "tied", "diag", "tied_diag", "spherical")
AUTO_TYPES = ("full", "tied", "diag")
_SHORT_PASSES, _SHORT_ROWS = 10, 5000  # of a short run


def fit_mixture(
    Z: Floats,
    n_components: int,
    covariance_type: str,
    *,
    n_init: int,
    max_iter: int,
    **options: Any,
) -> GaussianMixture:
    """Return the better of two mixtures: one from k-means, one from the best of many short runs.

    Starts by k-means resemble each other, and mislead where the groups differ in few of the
    columns. So EM also makes a few passes from `n_init` random starts on part of the rows, and
    continues from the best (C. Biernacki, G. Celeux and G. Govaert, "Choosing starting values for
    the EM algorithm", Computational Statistics & Data Analysis 41, 2003).

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)
        Rows in canonical order.
    n_components : int
        Number of components.
    covariance_type : str
        One of `TYPES`.
    n_init : int
        Number of short runs.
    max_iter : int
        Maximum number of passes of each of the long runs.
    **options
        Further parameters of `GaussianMixture`.

    Returns
    -------
    GaussianMixture
        Fitted; its ``converged_`` says whether EM converged.
    """
    k, kind = n_components, covariance_type
    first = _fit(Z, k, kind, max_iter=max_iter, **options)
    if k == 1:
        return first
    few = Z[:: max(1, len(Z) // _SHORT_ROWS)]  # rows are ordered by value: all parts are there
    n_codes = len(options["categorical_features"] or ())
    is_null = np.isnan(few)
    is_null[:, Z.shape[1] - n_codes :] = False  # unknown codes cost nothing
    if is_null.any():  # EM with nulls is slow, and these runs only look for a start
        few = np.where(is_null, np.nanmean(Z, axis=0), few)
    short = _fit(
        few, k, kind, max_iter=_SHORT_PASSES, n_init=n_init, init_params="k-means++", **options
    )
    second = continued(short, Z, max_iter=max_iter, **options)
    return max((first, second), key=lambda mixture: mixture.lower_bound_)


def continued(mixture: GaussianMixture, Z: Floats, **options: Any) -> GaussianMixture:
    """Return the mixture after more EM on rows, from its present parameters."""
    further = GaussianMixture(
        len(mixture.weights_),
        covariance_type=mixture.covariance_type,
        accelerate=True,
        warm_start=True,
        **options,
    )
    further._adopt_parameters(
        mixture.covariance_type,
        mixture.weights_,
        mixture.means_,
        mixture.covariances_,
        mixture.precisions_cholesky_,
        mixture._noise,
        mixture.category_probabilities_,
    )
    return _without_warnings(further, Z)


def rebuilt(
    covariance_type: str,
    weights: Floats,
    means: Floats,
    covariances: Floats,
    noise: Noise | None,
    categories: list[Floats],
    missing: str,
) -> GaussianMixture:
    """Return a mixture with given parameters, ready to answer."""
    d = means.shape[1]
    tables = dict(enumerate(categories, d))
    sizes = {column: table.shape[1] for column, table in tables.items()}
    mixture = GaussianMixture(
        len(weights),
        covariance_type=covariance_type,
        missing=missing,
        categorical_features=sizes or None,
    )
    roots = precision_roots(covariance_type, covariances, means)
    mixture._adopt_parameters(covariance_type, weights, means, covariances, roots, noise, tables)
    return mixture


def _fit(Z: Floats, k: int, kind: str, **options: Any) -> GaussianMixture:
    mixture = GaussianMixture(k, covariance_type=kind, accelerate=True, **options)
    return _without_warnings(mixture, Z)


def _without_warnings(mixture: GaussianMixture, Z: Floats) -> GaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no convergence, a component re-initialised
        return mixture.fit(Z)


def as_noise(state: dict[str, Any]) -> Noise:
    """Return the noise component of the values in a file."""
    if set(state) != {"weight", "log_widths", "bounds"}:
        raise ValueError(f"the noise of the segmentation has wrong parts: {sorted(state)}")
    log_widths, bounds = (np.asarray(state[name], np.float64) for name in ("log_widths", "bounds"))
    return Noise(float(state["weight"]), log_widths, bounds)


def noise_state(mixture: GaussianMixture) -> dict[str, Any]:
    """Return the noise component as plain values for a file; empty without one."""
    return {} if mixture._noise is None else dict(vars(mixture._noise))
