"""Standardised coordinates: z = (x - shift) * scale, in which all arithmetic is done.

The choice changes no result beyond rounding. Without it the densities of data far from 0 (times in
seconds, postcodes) drown in rounding, and those of very large or small units overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Gauge", "gauge_of"]

_MOST = 1e150  # squares stay within float64


@dataclass(frozen=True)
class Gauge:
    """Shift and scale of each column."""

    shift: Array
    scale: Array

    @property
    def log_det(self) -> float:
        """What the log-density of a row gains in the user's coordinates."""
        return float(np.log(self.scale).sum())


def _inverse(spread: Array, common: bool) -> Array:
    """1 / spread; 1 for constant columns. One number for all columns where they may not differ."""
    if common:
        largest = spread.max(initial=0)
        spread = np.full_like(spread, np.sqrt(((spread / largest) ** 2).mean()) * largest
                              if largest > 0 else 0.0)  # fmt: skip
    tiny = np.finfo(np.float64).tiny * 4
    scale: Array = 1 / np.where(spread > tiny, spread, 1.0)
    return scale


def varies_by_rounding(low: Array, high: Array) -> NDArray[np.bool_]:
    """Which columns between these bounds are constant, but for rounding."""
    noise = np.finfo(np.float64).eps * 16 * np.maximum(abs(low), abs(high))
    return np.asarray(high / 2 - low / 2 <= noise)


def gauge_of(rows: Any, common: bool) -> Gauge:
    """Mean and 1 / standard deviation of each column.

    Parameters
    ----------
    rows : a source of rows
        See `_sources`; read once or twice.
    common : bool
        One scale for all columns (spherical covariances are not closed under several).

    Returns
    -------
    Gauge
        Of columns that do not vary, the scale is 1.

    Raises
    ------
    ValueError
        The variance of a column is too large or too small for float64.
    """
    gauge: Gauge = rows.gauge(common) if hasattr(rows, "gauge") else _measured(rows, common)
    outside = (gauge.scale > _MOST) | (gauge.scale < 1 / _MOST)
    if outside.any():
        column = int(outside.argmax())
        raise ValueError(
            f"column {column} of X varies by about {1 / gauge.scale[column]:.0e}, and float64 has "
            "no place for the square of that: change its unit"
        )
    return gauge


def _measured(rows: Any, common: bool) -> Gauge:
    low, high = rows.bounds()
    half = high / 2 - low / 2
    gauge = Gauge(low / 2 + high / 2, _inverse(half, common=False))
    for _ in range(2):
        sums = rows.moments(gauge)
        d = len(low)
        mean = sums[1 : 1 + d] / sums[0]
        variance = np.maximum(sums[1 + d :] / sums[0] - mean**2, 0)
        deviation = np.sqrt(variance)
        gauge = Gauge(gauge.shift + mean / gauge.scale, _inverse(deviation / gauge.scale, False))
        if (deviation > 1e-3).all():
            break  # else a few rows lie far off and the others have lost digits
    deviation = np.where(varies_by_rounding(low, high), 0.0, 1 / gauge.scale)
    return Gauge(gauge.shift, _inverse(deviation, common))
