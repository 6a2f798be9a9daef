"""Outliers: one more component, of constant density over the box of the data.

Banfield and Raftery, "Model-Based Gaussian and Non-Gaussian Clustering", Biometrics 49, 1993. To
the kernels it is a row of coefficients of which only the constant is not 0. Beyond the box its
density is the same: new rows far from everything are outliers too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ._gauge import varies_by_rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from ._gauge import Gauge

    Array = NDArray[np.float64]

__all__ = ["Noise", "outlying"]

_REFERENCES, _NEIGHBOR = 1000, 5  # rows that distances are taken to, and to which of these
_ROWS = 1024


@dataclass(frozen=True)
class Noise:
    """Share of the rows, and the box.

    ``log_widths``: logarithms of its widths, one for each column. ``bounds``, shape (2, d): its
    lower and upper end in the user's coordinates.
    """

    weight: float
    log_widths: Array
    bounds: Array

    @classmethod
    def over(
        cls, weight: float, bounds: tuple[Array, Array], gauge: Gauge, covariance_type: str,
        regularization: Any,
    ) -> Self:  # fmt: skip
        """The box between bounds of the columns, in the coordinates of ``gauge``."""
        # In a constant column every component has the variance that is added to it (spherical:
        # about 1). With this width the column says nothing about who is an outlier.
        added = 1.0 if covariance_type == "spherical" else np.maximum(regularization, 1e-12)
        low, high = bounds
        constant = varies_by_rounding(low, high)
        with np.errstate(divide="ignore"):
            log_widths = np.log(high / 2 - low / 2) + np.log(2 * gauge.scale)
        log_widths = np.where(constant, 0.5 * np.log(2 * np.pi * added), log_widths)
        return cls(weight, log_widths, np.stack([low, high]))

    def check(self, d: int) -> None:
        """Refuse what came from a file and is none."""
        if self.log_widths.shape != (d,) or self.bounds.shape != (2, d):
            raise ValueError("noise_bounds_ has a wrong shape")
        if not 0 <= self.weight < 1:
            raise ValueError(f"noise_weight_ must be from 0 to below 1, got {self.weight}")
        if not (np.isfinite(self.bounds).all() and (self.bounds[0] <= self.bounds[1]).all()):
            raise ValueError("noise_bounds_ must be finite, the lower ones first")
        if not np.isfinite(self.log_widths).all():
            raise ValueError("the widths of the noise's box must be finite")

    def rescaled(self, scale: Array) -> Self:
        """In coordinates that are ``scale`` times these."""
        return replace(self, log_widths=self.log_widths + np.log(scale))

    def log_score(self, known: NDArray[np.bool_] | slice = slice(None)) -> float:
        """Log of weight times density, over some of the columns."""
        with np.errstate(divide="ignore"):
            return float(np.log(self.weight) - self.log_widths[known].sum())

    def beside(self, coefficients: Array) -> Array:
        """Coefficients of the components with a last row for this one."""
        row = np.zeros((1, coefficients.shape[1]))
        row[0, 0] = self.log_score()
        return np.concatenate([coefficients, row])


def outlying(Z: Array, weight: Array | None, share: float, least: int) -> NDArray[np.bool_]:
    """Which rows have the farthest neighbours: at most this share of the weight; ``least`` stay.

    A row's measure is the distance to its 5th neighbour among at most 1,000 rows, after Byers and
    Raftery, "Nearest-Neighbor Clutter Removal for Estimating Features in Spatial Point Processes",
    1998.
    """
    n = len(Z)
    others = Z[:: -(-n // _REFERENCES)]
    place = min(_NEIGHBOR, len(others) - 1)
    square = np.einsum("ij,ij->i", others, others)
    far = np.empty(n)
    for begin in range(0, n, _ROWS):
        part = Z[begin : begin + _ROWS]
        distances = square - 2 * part @ others.T  # but |z|^2, which is common to a row
        far[begin : begin + _ROWS] = np.partition(distances, place, axis=1)[:, place]
    far += np.einsum("ij,ij->i", Z, Z)
    order = np.argsort(-far, kind="stable")
    w = np.ones(n) if weight is None else weight
    out = np.zeros(n, dtype=bool)
    out[order] = np.cumsum(w[order]) <= share * w.sum()
    out[order[max(0, n - least) :]] = False
    return out
