"""The noise component: a uniform density over the box of the data that takes up outliers.

J. D. Banfield and A. E. Raftery, "Model-Based Gaussian and Non-Gaussian Clustering", Biometrics
49, 1993. To the kernels it is a row of coefficients of which only the constant is not 0. Its
density is the same beyond the box, so new rows far from every component are outliers as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._standardizer import is_constant

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._standardizer import Standardizer

    Array = NDArray[np.float64]

__all__ = ["Noise", "farthest_rows"]

_MAX_REFERENCES = 1000  # rows that distances are measured to
_NEIGHBOR = 5  # the distance to this nearest of them counts
_BLOCK_ROWS = 1024


@dataclass(frozen=True)
class Noise:
    """Weight of the noise component, and its box.

    ``log_widths`` has the logarithm of the width of each column. ``bounds``, shape (2, d), has the
    lower and upper ends in the units of the data.
    """

    weight: float
    log_widths: Array
    bounds: Array

    @classmethod
    def over(
        cls,
        weight: float,
        bounds: tuple[Array, Array],
        standardizer: Standardizer,
        covariance_type: str,
        regularization: Any,
    ) -> Self:
        """Make the component for columns within bounds, in standardised coordinates."""
        # In a constant column every component has the variance that is added to it (spherical:
        # about 1). With this width the column does not influence which rows are outliers.
        added = 1.0 if covariance_type == "spherical" else np.maximum(regularization, 1e-12)
        low, high = bounds
        with np.errstate(divide="ignore"):
            log_widths = np.log(high / 2 - low / 2) + np.log(2 * standardizer.scale)
        constant_width = 0.5 * np.log(2 * np.pi * added)
        log_widths = np.where(is_constant(low, high), constant_width, log_widths)
        return cls(weight, log_widths, np.stack([low, high]))

    def check(self, d: int) -> None:
        """Refuse values from a file that are no noise component of d columns."""
        if self.log_widths.shape != (d,) or self.bounds.shape != (2, d):
            raise ValueError("noise_bounds_ has a wrong shape")
        if not 0 <= self.weight < 1:
            raise ValueError(f"noise_weight_ must be from 0 to below 1, got {self.weight}")
        if not (np.isfinite(self.bounds).all() and (self.bounds[0] <= self.bounds[1]).all()):
            raise ValueError("noise_bounds_ must be finite, the lower ones first")
        if not np.isfinite(self.log_widths).all():
            raise ValueError("the widths of the noise's box must be finite")

    def rescaled(self, scale: Array) -> Self:
        """Return the component in coordinates that are ``scale`` times these."""
        return replace(self, log_widths=self.log_widths + np.log(scale))

    def log_score(self, columns: NDArray[np.bool_] | slice = slice(None)) -> float:
        """Return the log of weight times density over some of the columns."""
        with np.errstate(divide="ignore"):
            return float(np.log(self.weight) - self.log_widths[columns].sum())

    def beside(self, coefficients: Array) -> Array:
        """Return the coefficients of the components with a last row for this one."""
        row = np.zeros((1, coefficients.shape[1]))
        row[0, 0] = self.log_score()
        return np.concatenate([coefficients, row])


def farthest_rows(Z: Array, weight: Array | None, share: float, n_kept: int) -> NDArray[np.bool_]:
    """Return which rows have the farthest neighbours: at most this share of the weight.

    A row's measure is the distance to its fifth nearest among at most 1,000 rows (S. Byers and
    A. E. Raftery, "Nearest-Neighbor Clutter Removal for Estimating Features in Spatial Point
    Processes", JASA 93, 1998). At least ``n_kept`` rows are not marked.
    """
    n = len(Z)
    references = Z[:: -(-n // _MAX_REFERENCES)]
    rank = min(_NEIGHBOR, len(references) - 1)
    square = np.einsum("ij,ij->i", references, references)
    distances = np.empty(n)
    for begin in range(0, n, _BLOCK_ROWS):
        part = Z[begin : begin + _BLOCK_ROWS]
        relative = square - 2 * part @ references.T  # without |z|^2, which is common to a row
        distances[begin : begin + _BLOCK_ROWS] = np.partition(relative, rank, axis=1)[:, rank]
    distances += np.einsum("ij,ij->i", Z, Z)
    order = np.argsort(-distances, kind="stable")
    w = np.ones(n) if weight is None else weight
    is_far = np.zeros(n, dtype=bool)
    is_far[order] = np.cumsum(w[order]) <= share * w.sum()
    is_far[order[max(0, n - n_kept) :]] = False
    return is_far
