"""Standardised coordinates z = (x - shift) * scale, in which a fit computes.

The choice changes a result by rounding only. Without it the densities of data far from 0 (times in
seconds, postcodes) are lost in rounding, and those of very large or very small units overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ._rows import column_moments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._rows import RowSource

    Array = NDArray[np.float64]

__all__ = ["Standardizer", "inverse_deviation", "is_constant", "measure"]

_MAX_SCALE = 1e150  # the square of a larger number may overflow float64


@dataclass(frozen=True)
class Standardizer:
    """Shift and scale of each column."""

    shift: Array
    scale: Array

    @property
    def log_det(self) -> float:
        """What is added to a log-density to express it in the units of the data."""
        return float(np.log(self.scale).sum())

    def apply(self, X: NDArray[Any]) -> Array:
        """Return rows in standardised coordinates."""
        standardized: Array = (X - self.shift) * self.scale
        return standardized


def inverse_deviation(deviation: Array, common: bool) -> Array:
    """Return 1 / deviation, and 1 for constant columns.

    With ``common`` all columns get one number, that of the root mean square deviation.
    """
    if common:
        largest = deviation.max(initial=0)
        root_mean_square = 0.0
        if largest > 0:
            root_mean_square = np.sqrt(((deviation / largest) ** 2).mean()) * largest
        deviation = np.full_like(deviation, root_mean_square)
    tiny = np.finfo(np.float64).tiny * 4
    scale: Array = 1 / np.where(deviation > tiny, deviation, 1.0)
    return scale


def is_constant(low: Array, high: Array) -> NDArray[np.bool_]:
    """Return which columns with these bounds do not vary beyond rounding."""
    rounding = np.finfo(np.float64).eps * 16 * np.maximum(abs(low), abs(high))
    return np.asarray(high / 2 - low / 2 <= rounding)


def measure(source: RowSource, common: bool) -> Standardizer:
    """Return the mean and 1 / standard deviation of each column of a source.

    Parameters
    ----------
    source : RowSource
        Read once or twice.
    common : bool
        Whether all columns share one scale: spherical covariances are not closed under several.

    Returns
    -------
    Standardizer
        The scale of a column that does not vary is 1. Sparse rows are not shifted.

    Raises
    ------
    ValueError
        If the variance of a column is too large or too small for float64, or if a column has no
        known value.
    """
    standardizer = source.measure(common)
    outside = (standardizer.scale > _MAX_SCALE) | (standardizer.scale < 1 / _MAX_SCALE)
    if outside.any():
        column = int(outside.argmax())
        raise ValueError(
            f"column {column} of X varies by about {1 / standardizer.scale[column]:.0e}, and the "
            "square of that overflows or underflows float64: change its unit"
        )
    return standardizer


def measure_shifted(source: RowSource, common: bool) -> Standardizer:
    """Measure a source whose rows may be shifted, that is any but a sparse one."""
    low, high = source.bounds()
    is_unknown = ~np.isfinite(low)
    if is_unknown.any():
        raise ValueError(
            f"column {int(is_unknown.argmax())} of X has no known value in any row that has a "
            "weight: drop it"
        )
    standardizer = Standardizer(
        low / 2 + high / 2, inverse_deviation(high / 2 - low / 2, common=False)
    )
    for _ in range(2):
        weights, first, second = column_moments(source, standardizer)
        mean = first / weights
        deviation = np.sqrt(np.maximum(second / weights - mean**2, 0))
        scale = standardizer.scale
        standardizer = Standardizer(
            standardizer.shift + mean / scale, inverse_deviation(deviation / scale, common=False)
        )
        if (deviation > 1e-3).all():
            break  # otherwise a few rows lie far off, and the others have lost digits
    deviation = np.where(is_constant(low, high), 0.0, 1 / standardizer.scale)
    return Standardizer(standardizer.shift, inverse_deviation(deviation, common))
