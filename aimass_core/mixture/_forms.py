"""The four covariance types: parameters from sums, scores from parameters, there and back.

Everything here is in standardised coordinates z = (x - shift) * scale (see `_gauge`), where numbers
are near 1 and nothing cancels; `Parameters.unscaled` and `rescaled` go to the user's and back.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ._roots import precision_roots

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._gauge import Gauge
    from ._noise import Noise
    from ._prior import Prior

    Array = NDArray[np.float64]

__all__ = ["COVARIANCE_TYPES", "Parameters", "n_covariance_parameters"]

COVARIANCE_TYPES = ("full", "tied", "diag", "spherical")
# Form of the scores and of the sums in the kernel. Tied: z' P z is common to all components and
# cancels in the responsibilities; the total of z z' does not change from step to step.
SUMS_FORM = {"full": "full", "tied": "linear", "diag": "diag", "spherical": "spherical"}
SCORE_FORM = SUMS_FORM | {"full": "triangular"}


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


class Parameters:
    """Weights (K), means (K, d) and covariances in the shape that scikit-learn gives them.

    With noise, the weights sum to 1 less its own.

    Raises
    ------
    NumericalError
        Where a covariance is not positive definite.
    """

    def __init__(
        self,
        covariance_type: str,
        weights: Array,
        means: Array,
        covariances: Array,
        noise: Noise | None = None,
    ) -> None:
        self.covariance_type, self.noise = covariance_type, noise
        self.weights, self.means, self.covariances = weights, means, covariances
        self.precision_roots = precision_roots(covariance_type, covariances, means)

    @property
    def form(self) -> str:
        """Form of scores in the kernel; noise has no part in what is common when tied."""
        kind = self.covariance_type
        return "full" if kind == "tied" and self.noise is not None else SCORE_FORM[kind]

    @property
    def sums_form(self) -> str:
        """Form of the sums that go with these scores."""
        return "full" if self.form == "triangular" else self.form

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
            linear, quadratic = means, root[:, i, j]
        elif self.covariance_type == "tied":
            quadratic, linear = np.empty((k, 0)), means @ (root @ root.T)
            if self.noise is not None:
                quadratic = np.repeat(self._tied_quadratic()[None], k, axis=0)
        else:
            precision = root**2 if root.ndim == 2 else root[:, None] ** 2
            quadratic, linear = -0.5 * precision, precision * means
        if self.covariance_type != "full":
            constant = constant - 0.5 * self.distances_from_origin()
        # hstack follows the order of its parts, which that of foreign means may be Fortran's
        found = np.ascontiguousarray(np.hstack([constant[:, None], linear, quadratic]))
        return found if self.noise is None else self.noise.beside(found)

    def common(self) -> Array | None:
        """Coefficients of what tied components have in common and `coefficients` lacks."""
        if self.covariance_type != "tied" or self.noise is not None:
            return None
        return np.concatenate([np.zeros(1 + self.means.shape[1]), self._tied_quadratic()])[None]

    def _tied_quadratic(self) -> Array:
        i, j, _ = _pairs(self.means.shape[1])
        precision = self.precision_roots @ self.precision_roots.T
        quadratic: Array = precision[i, j] * np.where(i == j, -0.5, -1.0)
        return quadratic

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
        cls,
        covariance_type: str,
        weights: Array,
        means: Array,
        covariances: Array,
        gauge: Gauge,
        noise: Noise | None = None,
    ) -> Parameters:
        """From the user's coordinates, those of the noise included."""
        scale = gauge.scale
        if covariance_type in ("full", "tied"):
            covariances = covariances * scale * scale[:, None]
        elif covariance_type == "diag":
            covariances = covariances * scale**2
        else:
            covariances = covariances * scale[0] ** 2
        noise = None if noise is None else noise.rescaled(scale)
        return cls(covariance_type, weights, (means - gauge.shift) * scale, covariances, noise)


def from_sums(
    covariance_type: str,
    sums: Array,
    total: Array | None,
    regularization: Any,
    prior: Prior | None,
    noise: Noise | None = None,
) -> Parameters:
    """The M-step: parameters from the kernel's sums. ``total``: sums of z z' when tied.

    With ``noise`` the last row of ``sums`` is that of the outliers; its weight is learnt.
    """
    if noise is not None:
        outliers, sums = sums[-1, 0], sums[:-1]
        if covariance_type == "tied":
            d = _n_columns("full", sums.shape[1])
            total, sums = sums[:, 1 + d :].sum(axis=0), sums[:, : 1 + d]
    counts = sums[:, 0]
    # scikit-learn's guard of empty components; weights may be small as a whole
    safe = counts + 10 * np.finfo(np.float64).eps * min(1.0, counts.sum())
    d = _n_columns(covariance_type, sums.shape[1])
    means = sums[:, 1 : 1 + d] / safe[:, None]
    quadratic = sums[:, 1 + d :]
    if covariance_type == "full":
        place = _pairs(d)[2]
        covariances = quadratic[:, place]
        covariances /= safe[:, None, None]
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
    weights = counts
    if prior is not None:
        weights = np.maximum(counts + prior.concentration - 1, 0)
        if not weights.any():
            weights[counts.argmax()] = 1.0
    whole = weights.sum()
    if noise is not None:
        whole += outliers
        noise = replace(noise, weight=float(outliers / whole))
    weights = weights / whole
    if prior is not None:
        means, covariances = prior.moments(covariance_type, counts, means, covariances)
        keep = weights > 0  # the others have ended
        weights, means = weights[keep], means[keep]
        if covariance_type != "tied":
            covariances = covariances[keep]
    if covariance_type in ("full", "tied"):
        covariances[..., np.arange(d), np.arange(d)] += regularization
    else:
        covariances = covariances + regularization
    return Parameters(covariance_type, weights, means, covariances, noise)


def _n_columns(covariance_type: str, n_features: int) -> int:
    """Columns of the data from the number of summed features."""
    if covariance_type == "full":
        return int((np.sqrt(8 * n_features + 1) - 3) / 2 + 0.5)
    return {
        "tied": n_features - 1,
        "diag": (n_features - 1) // 2,
        "spherical": n_features - 2,
    }[covariance_type]
