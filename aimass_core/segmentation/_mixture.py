"""The one place that knows which Gaussian mixture the segments are made of."""

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

__all__ = ["TYPES", "as_noise", "continued", "fit_mixture", "noise_state", "rebuilt"]

TYPES = ("full", "tied", "diag", "spherical")
_SHORT, _FEW = 10, 5000  # passes and rows of a short run


def _fit(Z: Floats, k: int, kind: str, **options: Any) -> Any:
    return _quietly(GaussianMixture(k, covariance_type=kind, accelerate=True, **options), Z)


def _quietly(mixture: Any, Z: Floats) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EM out of passes, a component started anew
        return mixture.fit(Z)


def fit_mixture(
    Z: Floats,
    n_components: int,
    covariance_type: str,
    *,
    n_init: int,
    max_iter: int,
    **options: Any,
) -> Any:
    """The better of two mixtures: one from k-means, one from the best of many short runs.

    K-means starts are alike, and misled where the groups differ in few of the columns; so EM also
    goes a few passes from `n_init` random starts on part of the rows, and then on from the best
    (Biernacki, Celeux, Govaert, Computational Statistics & Data Analysis 41, 2003).

    Parameters
    ----------
    Z : ndarray of float64, shape (n, d)
        Rows.
    n_components, covariance_type
        As in `GaussianMixture`.
    n_init : int
        Short runs.
    max_iter : int
        Passes of each of the long runs.
    **options
        More for `GaussianMixture`.

    Returns
    -------
    GaussianMixture
        Fitted; its ``converged_`` says whether EM came to rest.
    """
    k, kind = n_components, covariance_type
    first = _fit(Z, k, kind, max_iter=max_iter, **options)
    if k == 1:
        return first
    few = Z[:: max(1, len(Z) // _FEW)]  # rows are ordered by value: every part is represented
    null = np.isnan(few)
    if null.any():  # EM with nulls is slow, and these runs only look for a start
        few = np.where(null, np.nanmean(Z, axis=0), few)
    short = _fit(few, k, kind, max_iter=_SHORT, n_init=n_init, init_params="k-means++", **options)
    second = continued(short, Z, max_iter=max_iter, **options)
    return max((first, second), key=lambda mixture: mixture.lower_bound_)


def continued(mixture: Any, Z: Floats, **options: Any) -> Any:
    """EM on rows from where a mixture stands."""
    further = GaussianMixture(
        len(mixture.weights_), covariance_type=mixture.covariance_type, accelerate=True,
        warm_start=True, **options,
    )  # fmt: skip
    further._adopt_parameters(
        mixture.covariance_type, mixture.weights_, mixture.means_, mixture.covariances_,
        mixture.precisions_cholesky_, mixture._noise,
    )  # fmt: skip
    return _quietly(further, Z)


def rebuilt(
    weights: Floats, means: Floats, covariances: Floats, covariance_type: str, missing: str,
    noise: dict[str, Any],
) -> Any:  # fmt: skip
    """A mixture out of its parameters, ready to predict."""
    mixture = GaussianMixture(len(weights), covariance_type=covariance_type, missing=missing)
    roots = precision_roots(covariance_type, covariances, means)
    mixture._adopt_parameters(
        covariance_type, weights, means, covariances, roots, as_noise(noise) if noise else None
    )
    return mixture


def as_noise(state: dict[str, Any]) -> Noise:
    """The noise component out of a file's values."""
    if set(state) != {"weight", "log_widths", "bounds"}:
        raise ValueError(f"the noise of the segmentation has wrong parts: {sorted(state)}")
    return Noise(float(state["weight"]), *(np.asarray(state[n], np.float64)
                                           for n in ("log_widths", "bounds")))  # fmt: skip


def noise_state(mixture: Any) -> dict[str, Any]:
    """The noise component as plain values, for files; empty without one."""
    return {} if mixture._noise is None else dict(vars(mixture._noise))
