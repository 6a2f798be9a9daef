"""Parameters of a mixture: scores from parameters (E-step) and parameters from sums (M-step).

Everything here is in standardised coordinates z = (x - shift) * scale (see `_standardizer`), where
numbers are near 1 and nothing cancels. `Parameters.unscaled` and `Parameters.rescaled` convert to
and from the units of the data.

The covariance types are those of scikit-learn, and "tied_diag": one diagonal matrix for all
components, the EEI model of C. Fraley and A. E. Raftery, "Model-Based Clustering, Discriminant
Analysis, and Density Estimation", JASA 97, 2002.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri

from ..exceptions import NumericalError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._noise import Noise
    from ._prior import Prior
    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = [
    "COVARIANCE_TYPES",
    "MATRIX_TYPES",
    "SPARSE_TYPES",
    "TIED_TYPES",
    "Parameters",
    "covariance_shape",
    "full_covariances",
    "maximize",
    "n_covariance_parameters",
    "precision_roots",
    "triangle",
]

COVARIANCE_TYPES = ("full", "tied", "diag", "tied_diag", "spherical")
MATRIX_TYPES = ("full", "tied")  # a covariance is a matrix
TIED_TYPES = ("tied", "tied_diag")  # all components share one covariance
SPARSE_TYPES = ("diag", "tied_diag", "spherical")  # sums over the stored entries suffice
# Form of the sums and of the scores in the kernels. Tied types: z' P z is the same for all
# components and cancels in the responsibilities, so scores are linear; the sum of z z' over all
# rows does not change from pass to pass.
SUMS_FORM = {
    "full": "full",
    "tied": "linear",
    "diag": "diag",
    "tied_diag": "linear",
    "spherical": "spherical",
}
SCORE_FORM = SUMS_FORM | {"full": "triangular"}
# With noise there is no common term, so tied types take the form of the untied ones.
NOISE_FORM = {"tied": "full", "tied_diag": "diag"}
# Variances below this share of the squared distance from the origin are lost in rounding.
_RESOLUTION = 1e-13
_LAPACK_COLUMNS = 64  # LAPACK factorises up to this many columns without waking its threads


@cache
def triangle(d: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the upper triangle, and the position of each (i, j) in it."""
    i, j = np.triu_indices(d)
    position = np.empty((d, d), np.intp)
    position[i, j] = position[j, i] = np.arange(len(i))
    return i, j, position


def n_covariance_parameters(covariance_type: str, n_components: int, d: int) -> int:
    """Return the number of free parameters of the covariances."""
    n_pairs = d * (d + 1) // 2
    return {
        "full": n_components * n_pairs,
        "tied": n_pairs,
        "diag": n_components * d,
        "tied_diag": d,
        "spherical": n_components,
    }[covariance_type]


def covariance_shape(covariance_type: str, n_components: int, d: int) -> tuple[int, ...]:
    """Return the shape of ``covariances_``."""
    return {
        "full": (n_components, d, d),
        "tied": (d, d),
        "diag": (n_components, d),
        "tied_diag": (d,),
        "spherical": (n_components,),
    }[covariance_type]


def full_covariances(covariances: Array, covariance_type: str, n_components: int, d: int) -> Array:
    """Return covariances of any type as matrices, shape (n_components, d, d)."""
    if covariance_type == "full":
        return covariances
    if covariance_type == "tied":
        return np.broadcast_to(covariances, (n_components, d, d))
    if covariance_type == "spherical":
        covariances = covariances[:, None]
    diagonals = np.broadcast_to(covariances, (n_components, d))
    return np.asarray(np.eye(d) * diagonals[:, None, :])


class Parameters:
    """Weights (K,), means (K, d) and covariances in the shape of their type.

    With a noise component the weights sum to 1 minus its own. ``categories``, shape (K, number of
    values of all categorical columns), has the probability of each value.

    Raises
    ------
    NumericalError
        If a covariance is not positive definite.
    """

    def __init__(
        self,
        covariance_type: str,
        weights: Array,
        means: Array,
        covariances: Array,
        noise: Noise | None = None,
        categories: Array | None = None,
    ) -> None:
        self.covariance_type, self.noise, self.categories = covariance_type, noise, categories
        # In C order: sums over their axes have the same bits in a process that gets a copy.
        self.weights, self.means, self.covariances = (
            np.ascontiguousarray(a) for a in (weights, means, covariances)
        )
        self.precision_roots = np.ascontiguousarray(
            precision_roots(covariance_type, covariances, means)
        )

    @property
    def form(self) -> str:
        """Form of the scores in the kernels."""
        kind = self.covariance_type
        if self.noise is not None and kind in TIED_TYPES:
            return NOISE_FORM[kind]
        return SCORE_FORM[kind]

    @property
    def sums_form(self) -> str:
        """Form of the sums that belong to these scores."""
        return "full" if self.form == "triangular" else self.form

    @property
    def log_det(self) -> Any:
        """Half the log-determinant of each precision; one number for tied types."""
        root = self.precision_roots
        if self.covariance_type in MATRIX_TYPES:
            return np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
        if self.covariance_type == "spherical":
            return self.means.shape[1] * np.log(root)
        return np.log(root).sum(axis=-1)

    def distances_from_origin(self) -> Array:
        """Return the squared Mahalanobis distance of each mean from 0."""
        root, means = self.precision_roots, self.means
        if self.covariance_type == "full":
            projected = np.einsum("kd,kde->ke", means, root)
        elif self.covariance_type == "tied":
            projected = means @ root
        elif self.covariance_type == "spherical":
            projected = means * root[:, None]
        else:
            projected = means * root
        distances: Array = (projected**2).sum(axis=1)
        return distances

    def scoring(self, output: str) -> tuple[Array, Array | None, str]:
        """Return coefficients, those of the common term, and their form, for `gmm_score`."""
        if output != "score":
            return self.coefficients(), None, self.form
        if self.covariance_type == "tied_diag":  # the kernel has no diagonal common term
            return self.coefficients(is_complete=True), None, "diag"
        return self.coefficients(), self.common(), self.form

    def coefficients(self, is_complete: bool = False) -> Array:
        """Return the kernel's coefficients of log(weight * density).

        Those of tied types lack the common term unless ``is_complete`` or there is noise.
        """
        root, means = self.precision_roots, self.means
        k, d = means.shape
        with np.errstate(divide="ignore"):
            constant = np.log(self.weights) - 0.5 * d * np.log(2 * np.pi) + self.log_det
        kind = self.covariance_type
        if kind == "full":
            i, j, _ = triangle(d)
            linear, quadratic = means, root[:, i, j]
        elif kind in TIED_TYPES:
            linear = means @ (root @ root.T) if kind == "tied" else means * root**2
            quadratic = np.empty((k, 0))
            if self.noise is not None or is_complete:
                quadratic = np.repeat(self._tied_quadratic()[None], k, axis=0)
        else:
            precision = root[:, None] ** 2 if kind == "spherical" else root**2
            quadratic, linear = -0.5 * precision, precision * means
        if kind != "full":
            constant = constant - 0.5 * self.distances_from_origin()
        # hstack keeps the memory order of its parts, which may be Fortran's for means from outside.
        table = np.ascontiguousarray(np.hstack([constant[:, None], linear, quadratic]))
        return table if self.noise is None else self.noise.beside(table)

    def common(self) -> Array | None:
        """Return the coefficients of the term that tied components share and others lack."""
        if self.covariance_type not in TIED_TYPES or self.noise is not None:
            return None
        return np.concatenate([np.zeros(1 + self.means.shape[1]), self._tied_quadratic()])[None]

    def _tied_quadratic(self) -> Array:
        root = self.precision_roots
        if self.covariance_type == "tied_diag":
            return np.asarray(-0.5 * root**2)
        i, j, _ = triangle(self.means.shape[1])
        precision = root @ root.T
        quadratic: Array = precision[i, j] * np.where(i == j, -0.5, -1.0)
        return quadratic

    def unscaled(self, standardizer: Standardizer) -> tuple[Array, Array, Array]:
        """Return means, covariances and roots of the precisions in the units of the data."""
        scale = standardizer.scale
        means = standardizer.shift + self.means / scale
        covariances, root = self.covariances, self.precision_roots
        if self.covariance_type in MATRIX_TYPES:
            covariances = covariances / scale / scale[:, None]
            return means, covariances, root * scale[:, None]
        if self.covariance_type == "spherical":
            return means, covariances / scale[0] ** 2, root * scale[0]
        return means, covariances / scale**2, root * scale

    @classmethod
    def rescaled(
        cls,
        covariance_type: str,
        weights: Array,
        means: Array,
        covariances: Array,
        standardizer: Standardizer,
        noise: Noise | None = None,
        categories: Array | None = None,
    ) -> Parameters:
        """Make parameters from those in the units of the data, those of the noise included."""
        scale = standardizer.scale
        if covariance_type in MATRIX_TYPES:
            covariances = covariances * scale * scale[:, None]
        elif covariance_type == "spherical":
            covariances = covariances * scale[0] ** 2
        else:
            covariances = covariances * scale**2
        noise = None if noise is None else noise.rescaled(scale)
        means = standardizer.apply(means)
        return cls(covariance_type, weights, means, covariances, noise, categories)


# ---- M-step --------------------------------------------------------------------------------------


def maximize(
    covariance_type: str,
    sums: Array,
    total: Array | None,
    regularization: Any,
    prior: Prior | None,
    noise: Noise | None = None,
    categories: Array | None = None,
) -> Parameters:
    """Return the parameters that belong to the sums of an E-step.

    Parameters
    ----------
    covariance_type : str
        One of `COVARIANCE_TYPES`.
    sums : ndarray of float64, shape (K, n_features)
        From `em_sums`, without those of values; with ``noise`` one more row, for the outliers.
    total : ndarray of float64 or None
        Tied types without noise: the sums of z_i z_j or of z_i^2 over all rows.
    regularization : float or ndarray
        Added to the variances.
    prior : Prior or None
        Posterior mode instead of maximum likelihood; may prune components.
    noise : Noise or None
        The noise component, whose weight is learnt.
    categories : ndarray of float64, shape (K, n_values), or None
        Probabilities of the values of categorical columns.

    Returns
    -------
    Parameters
        With fewer components where the prior prunes some.
    """
    noise_weight = 0.0
    if noise is not None:
        noise_weight, sums = sums[-1, 0], sums[:-1]
        if covariance_type in TIED_TYPES:
            d = _n_columns(NOISE_FORM[covariance_type], sums.shape[1])
            total, sums = sums[:, 1 + d :].sum(axis=0), sums[:, : 1 + d]
    counts = sums[:, 0]
    means, covariances = _moments(covariance_type, sums, total)
    weights = counts
    if prior is not None:
        weights = np.maximum(counts + prior.concentration - 1, 0)
        if not weights.any():
            weights[counts.argmax()] = 1.0
    total_weight = weights.sum()
    if noise is not None:
        total_weight += noise_weight
        noise = replace(noise, weight=float(noise_weight / total_weight))
    weights = weights / total_weight
    if prior is not None:
        means, covariances = prior.moments(covariance_type, counts, means, covariances)
    if prior is not None and prior.concentration < 1:
        is_kept = weights > 0  # the others are pruned
        weights, means = weights[is_kept], means[is_kept]
        if covariance_type not in TIED_TYPES:
            covariances = covariances[is_kept]
        categories = None if categories is None else categories[is_kept]
    if covariance_type in MATRIX_TYPES:
        diagonal = np.arange(means.shape[1])
        covariances[..., diagonal, diagonal] += regularization
    else:
        covariances = covariances + regularization
    return Parameters(covariance_type, weights, means, covariances, noise, categories)


def _moments(covariance_type: str, sums: Array, total: Array | None) -> tuple[Array, Array]:
    """Return the means and covariances by maximum likelihood."""
    counts = sums[:, 0]
    # scikit-learn's guard against empty components; the weights of all rows may be small.
    safe = counts + 10 * np.finfo(np.float64).eps * min(1.0, counts.sum())
    d = _n_columns(SUMS_FORM[covariance_type], sums.shape[1])
    means = sums[:, 1 : 1 + d] / safe[:, None]
    quadratic = sums[:, 1 + d :]
    if covariance_type == "full":
        covariances = quadratic[:, triangle(d)[2]]
        covariances /= safe[:, None, None]
        covariances -= means[:, :, None] * means[:, None, :]
    elif covariance_type == "tied":
        assert total is not None
        covariances = total[triangle(d)[2]] - (means * counts[:, None]).T @ means
        covariances /= counts.sum()
    elif covariance_type == "tied_diag":
        assert total is not None
        covariances = np.maximum((total - counts @ means**2) / counts.sum(), 0)
    elif covariance_type == "diag":
        covariances = np.maximum(quadratic / safe[:, None] - means**2, 0)
    else:
        covariances = quadratic[:, 0] / safe - (means**2).sum(axis=1)
        covariances = np.maximum(covariances / d, 0)
    return means, covariances


def _n_columns(form: str, n_features: int) -> int:
    """Return the number of columns of the data, from the number of summed features."""
    if form == "full":
        return int((np.sqrt(8 * n_features + 1) - 3) / 2 + 0.5)
    return {
        "linear": n_features - 1,
        "diag": (n_features - 1) // 2,
        "spherical": n_features - 2,
    }[form]


# ---- triangular roots of precisions --------------------------------------------------------------


def precision_roots(covariance_type: str, covariances: Array, means: Array) -> Array:
    """Return P upper triangular with P P' = inverse covariance, or 1 / standard deviation.

    Raises
    ------
    NumericalError
        If a covariance is not positive definite beyond rounding.
    """
    lost = _RESOLUTION * (1 + (means**2).max(axis=1, initial=0))
    if covariance_type not in MATRIX_TYPES:
        floor = lost if covariance_type == "spherical" else lost[:, None]
        if covariance_type == "tied_diag":
            floor = lost.min()
        is_degenerate = ~(covariances >= floor)
        if is_degenerate.any():
            first = None
            if covariance_type != "tied_diag":
                first = int(np.argwhere(is_degenerate)[0][0])
            raise _degenerate_covariance(first)
        root: Array = 1 / np.sqrt(covariances)
        return root
    is_tied = covariance_type == "tied"
    roots = np.empty_like(covariances)
    stacked = covariances[None] if is_tied else covariances
    for k, covariance in enumerate(stacked):
        inverse = _inverse_of_factor(covariance, lost.min() if is_tied else lost[k])
        if inverse is None:
            raise _degenerate_covariance(None if is_tied else k)
        (roots if is_tied else roots[k])[...] = inverse.T
    return roots


def _inverse_of_factor(covariance: Array, lost: float) -> Array | None:
    """Return the inverse of the lower Cholesky factor; None where a pivot is below ``lost``.

    Large matrices are divided into halves down to what LAPACK factorises without threads. Waking
    its threads costs more than they save, and they would go on to occupy the cores that the kernel
    needs next.
    """
    d = len(covariance)
    if d <= _LAPACK_COLUMNS:
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
    inverse = np.zeros_like(covariance)
    inverse[:half, :half], inverse[half:, half:] = first, last
    inverse[half:, :half] = -last @ (below @ first)
    return inverse


def _degenerate_covariance(component: int | None) -> NumericalError:
    subject = "the tied covariance" if component is None else f"the covariance of {component=}"
    return NumericalError(
        f"{subject} is not positive definite: its rows are fewer than the columns, equal, or lie "
        "in a plane; raise reg_covar, lower n_components, or use a simpler covariance_type"
    )
