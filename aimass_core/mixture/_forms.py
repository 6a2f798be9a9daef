"""The four covariance types: parameters from sums, scores from parameters, there and back.

Everything here is in standardised coordinates z = (x - shift) * scale (see `_gauge`), where numbers
are near 1 and nothing cancels; `Parameters.unscaled` and `rescaled` go to the user's and back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._gauge import Gauge

    Array = NDArray[np.float64]

__all__ = ["COVARIANCE_TYPES", "Parameters", "Prior", "n_covariance_parameters"]

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
# Form of the scores and of the sums in the kernel. Tied: z' P z is common to all components and
# cancels in the responsibilities; the total of z z' does not change from step to step.
SUMS_FORM = {"full": "full", "tied": "linear", "diag": "diag", "spherical": "spherical"}
SCORE_FORM = SUMS_FORM | {"full": "triangular"}
# Variances below this part of the squared distance from the origin are lost in rounding.
_RESOLUTION = 1e-13


@cache
def _pairs(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of the upper triangle, and the place of each (i, j) in it."""
    i, j = np.triu_indices(d)
    place = np.empty((d, d), np.intp)
    place[i, j] = place[j, i] = np.arange(len(i))
    return i, j, place


def n_covariance_parameters(covariance_type: str, n_components: int, d: int) -> int:
    """Free parameters of the covariances."""
    pairs = d * (d + 1) // 2
    return {
        "full": n_components * pairs,
        "tied": pairs,
        "diag": n_components * d,
        "spherical": n_components,
    }[covariance_type]


@dataclass(frozen=True)
class Prior:
    """Conjugate prior in standardised coordinates: normal-inverse-Wishart and Dirichlet.

    ``scatter`` is the diagonal of the inverse Wishart's scale matrix. A concentration below 1 takes
    rows from every component and ends those that have none left.
    """

    mean_precision: float = 0.0
    degrees_of_freedom: float = 0.0
    scatter: float = 0.0
    concentration: float = 1.0

    def keeping(self) -> Prior:
        """The same, but that no component ends."""
        return replace(self, concentration=max(self.concentration, 1.0))

    def moments(
        self, covariance_type: str, counts: Array, means: Array, covariances: Array
    ) -> tuple[Array, Array]:
        """Posterior mode of means and covariances (Fraley and Raftery 2007, section 3)."""
        d, strength = means.shape[1], self.mean_precision
        n = counts[:, None]
        held = np.maximum(strength + n, 1e-300)  # a component without rows stays at 0
        pull = strength * n / held
        new_means = n * means / held
        freedom = self.degrees_of_freedom
        if covariance_type == "full":
            outer = means[:, :, None] * means[:, None, :] * pull[:, :, None]
            scatter = covariances * n[:, :, None] + outer + self.scatter * np.eye(d)
            return new_means, scatter / (n[:, :, None] + freedom + d + 2)
        if covariance_type == "tied":
            total = counts.sum()
            scatter = covariances * total + (means * pull).T @ means + self.scatter * np.eye(d)
            return new_means, scatter / (total + freedom + d + 1 + len(means))
        if covariance_type == "diag":
            scatter = covariances * n + pull * means**2 + self.scatter
            return new_means, scatter / (n + freedom + 3)
        scatter = covariances * counts * d + (pull * means**2).sum(axis=1) + self.scatter
        return new_means, scatter / (counts * d + freedom + d + 2)

    def log_density(self, parameters: Parameters) -> float:
        """Log of the prior at the parameters, up to a constant: what EM adds to the likelihood."""
        weights, means = parameters.weights, parameters.means
        k, d = means.shape
        value = (self.concentration - 1) * np.log(np.maximum(weights, 1e-300)).sum()
        root, log_det = parameters.precision_roots, parameters.log_det
        freedom = self.degrees_of_freedom
        pulled = self.mean_precision * parameters.distances_from_origin()
        kind = parameters.covariance_type
        if kind == "full":
            terms = (freedom + d + 2) * 2 * log_det - self.scatter * (root**2).sum(axis=(1, 2))
        elif kind == "tied":
            terms = (freedom + d + 1 + k) * 2 * log_det - self.scatter * (root**2).sum()
            return float(value + 0.5 * (terms - pulled.sum()))
        elif kind == "diag":
            terms = (freedom + 3) * 2 * log_det - self.scatter * (root**2).sum(axis=1)
        else:
            terms = (freedom + d + 2) * 2 * log_det / d - self.scatter * root**2
        return float(value + 0.5 * (terms - pulled).sum())


class Parameters:
    """Weights (K), means (K, d) and covariances in the shape that scikit-learn gives them.

    Raises
    ------
    NumericalError
        Where a covariance is not positive definite.
    """

    def __init__(
        self, covariance_type: str, weights: Array, means: Array, covariances: Array
    ) -> None:
        self.covariance_type = covariance_type
        self.weights, self.means, self.covariances = weights, means, covariances
        self.precision_roots = precision_roots(covariance_type, covariances, means)

    @property
    def log_det(self) -> Any:
        """Half the log-determinant of each precision (tied: one number)."""
        root = self.precision_roots
        if self.covariance_type in ("full", "tied"):
            return np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
        if self.covariance_type == "diag":
            return np.log(root).sum(axis=1)
        return self.means.shape[1] * np.log(root)

    def distances_from_origin(self) -> Array:
        """Squared Mahalanobis distance of each mean from 0."""
        root, means = self.precision_roots, self.means
        if self.covariance_type == "full":
            projected = np.einsum("kd,kde->ke", means, root)
        elif self.covariance_type == "tied":
            projected = means @ root
        else:
            projected = means * (root if root.ndim == 2 else root[:, None])
        distances: Array = (projected**2).sum(axis=1)
        return distances

    def coefficients(self) -> Array:
        """Coefficients of log(weight * density) for the kernel; tied: but the common part."""
        root, means = self.precision_roots, self.means
        k, d = means.shape
        with np.errstate(divide="ignore"):
            constant = np.log(self.weights) - 0.5 * d * np.log(2 * np.pi) + self.log_det
        if self.covariance_type == "full":
            i, j, _ = _pairs(d)
            return np.ascontiguousarray(np.hstack([constant[:, None], means, root[:, i, j]]))
        constant = constant - 0.5 * self.distances_from_origin()
        if self.covariance_type == "tied":
            quadratic, linear = np.empty((k, 0)), means @ (root @ root.T)
        else:
            precision = root**2 if root.ndim == 2 else root[:, None] ** 2
            quadratic, linear = -0.5 * precision, precision * means
        # hstack follows the order of its parts, which that of foreign means may be Fortran's
        return np.ascontiguousarray(np.hstack([constant[:, None], linear, quadratic]))

    def common(self) -> Array | None:
        """Coefficients of what tied components have in common, else None."""
        if self.covariance_type != "tied":
            return None
        d = self.means.shape[1]
        i, j, _ = _pairs(d)
        precision = self.precision_roots @ self.precision_roots.T
        quadratic = precision[i, j] * np.where(i == j, -0.5, -1.0)
        return np.concatenate([np.zeros(1 + d), quadratic])[None]

    def unscaled(self, gauge: Gauge) -> tuple[Array, Array, Array]:
        """Means, covariances and roots of the precisions in the user's coordinates."""
        scale = gauge.scale
        means = gauge.shift + self.means / scale
        covariances, root = self.covariances, self.precision_roots
        if self.covariance_type in ("full", "tied"):
            covariances = covariances / scale / scale[:, None]
            return means, covariances, root * scale[:, None]
        if self.covariance_type == "diag":
            return means, covariances / scale**2, root * scale
        return means, covariances / scale[0] ** 2, root * scale[0]

    @classmethod
    def rescaled(
        cls, covariance_type: str, weights: Array, means: Array, covariances: Array, gauge: Gauge
    ) -> Parameters:
        """From the user's coordinates."""
        scale = gauge.scale
        if covariance_type in ("full", "tied"):
            covariances = covariances * scale * scale[:, None]
        elif covariance_type == "diag":
            covariances = covariances * scale**2
        else:
            covariances = covariances * scale[0] ** 2
        return cls(covariance_type, weights, (means - gauge.shift) * scale, covariances)


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
        lower, status = dpotrf(covariance, lower=1)
        if status == 0 and (np.diagonal(lower) ** 2 >= (lost.min() if single else lost[k])).all():
            inverse, status = dtrtri(lower, lower=1)
        else:
            status = 1
        if status != 0:
            raise _degenerate(None if single else k)
        (roots if single else roots[k])[...] = np.tril(inverse).T
    return roots


def _degenerate(component: int | None) -> NumericalError:
    which = "the tied covariance" if component is None else f"the covariance of {component=}"
    return NumericalError(
        f"{which} is not positive definite: its rows are fewer than the columns, equal, or lie in "
        "a plane; raise reg_covar, lower n_components, or use a simpler covariance_type"
    )


def from_sums(
    covariance_type: str,
    sums: Array,
    total: Array | None,
    regularization: Any,
    prior: Prior | None,
) -> Parameters:
    """The M-step: parameters from the kernel's sums. ``total``: sums of z z' when tied."""
    counts = sums[:, 0]
    # scikit-learn's guard of empty components; weights may be small as a whole
    safe = counts + 10 * np.finfo(np.float64).eps * min(1.0, counts.sum())
    d = _n_columns(covariance_type, sums.shape[1])
    means = sums[:, 1 : 1 + d] / safe[:, None]
    quadratic = sums[:, 1 + d :]
    if covariance_type == "full":
        place = _pairs(d)[2]
        covariances = quadratic[:, place] / safe[:, None, None]
        covariances -= means[:, :, None] * means[:, None, :]
    elif covariance_type == "tied":
        assert total is not None
        covariances = total[_pairs(d)[2]] - (means * counts[:, None]).T @ means
        covariances /= counts.sum()
    elif covariance_type == "diag":
        covariances = np.maximum(quadratic / safe[:, None] - means**2, 0)
    else:
        covariances = quadratic[:, 0] / safe - (means**2).sum(axis=1)
        covariances = np.maximum(covariances / d, 0)
    weights = counts / counts.sum()
    if prior is not None:
        weights = np.maximum(counts + prior.concentration - 1, 0)
        if not weights.any():
            weights[counts.argmax()] = 1.0
        weights = weights / weights.sum()
        means, covariances = prior.moments(covariance_type, counts, means, covariances)
        keep = weights > 0  # the others have ended
        weights, means = weights[keep], means[keep]
        if covariance_type != "tied":
            covariances = covariances[keep]
    if covariance_type in ("full", "tied"):
        covariances[..., np.arange(d), np.arange(d)] += regularization
    else:
        covariances = covariances + regularization
    return Parameters(covariance_type, weights, means, covariances)


def _n_columns(covariance_type: str, n_features: int) -> int:
    """Columns of the data from the number of summed features."""
    if covariance_type == "full":
        return int((np.sqrt(8 * n_features + 1) - 3) / 2 + 0.5)
    return {
        "tied": n_features - 1,
        "diag": (n_features - 1) // 2,
        "spherical": n_features - 2,
    }[covariance_type]
