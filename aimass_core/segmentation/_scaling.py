"""Columns of different units on one scale: the rule that chooses it, and its parameters.

A column is divided by its ``unit`` first, and all that follows depends on the ratio only. So the
segments of amounts in euros are those of amounts in cents. The rule of ``"auto"``:

- ``"log"`` for a column with at most 5 % negative values that is skewed to the right (skewness
  above 1, or the 95 % quantile at least 20 times the 5 % quantile), where the logarithm lessens
  the skewness. It is ``sign(x) log(1 + |x| / unit)``, where the unit is the 5 % quantile of the
  absolute values that are not 0, so zeros need no special case;
- ``"robust"`` for a column with values more than 10 robust standard deviations from its median:
  ``asinh`` of the distance from the median in units of interquartile range / 1.349, which is the
  distance itself in the middle and its logarithm in the tails;
- ``"standard"`` for the rest: mean and standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["KINDS", "Scale", "fit_scale"]

KINDS = ("auto", "standard", "robust", "log")
_MIN_SKEWNESS, _MIN_RATIO, _MAX_NEGATIVE, _MIN_DISTANCE = 1.0, 20.0, 0.05, 10.0
_IQR_OF_NORMAL = 1.349
_LIMIT = 1e6  # beyond all values of the fit; its square does not overflow


@dataclass(frozen=True)
class Scale:
    """The transformation of one column to the common scale, and its median for nulls."""

    kind: str
    unit: float
    center: float
    spread: float
    median: float

    def apply(self, values: Floats) -> Floats:
        """Return scaled values; the input is unchanged.

        Parameters
        ----------
        values : ndarray of float64
            In the units of the column.

        Returns
        -------
        ndarray of float64
            Centred at about 0 with a deviation of about 1.
        """
        with np.errstate(over="ignore"):
            scaled = (_transformed(values, self.kind, self.unit) - self.center) / self.spread
        scaled = np.clip(scaled, -_LIMIT, _LIMIT)
        return np.arcsinh(scaled) if self.kind == "robust" else scaled


def _transformed(values: Floats, kind: str, unit: float) -> Floats:
    if kind != "log":
        return values / unit
    with np.errstate(divide="ignore", invalid="ignore"):  # log(0) = -inf becomes 0, null stays
        # log(1 + |x| / unit) without the quotient, which may overflow
        size: Floats = np.logaddexp(0.0, np.log(np.abs(values)) - np.log(unit))
    return np.copysign(size, values)


def _skewness(x: Floats) -> float:
    deviation = x - x.mean()
    variance = np.mean(deviation**2)
    return float(np.mean(deviation**3) / variance**1.5) if variance > 0 else 0.0


def _quantile(x: Floats, q: float) -> float:
    """Return a quantile of sorted values by linear interpolation."""
    return float(np.quantile(x, q))


def fit_scale(values: Floats, wanted: str, name: str) -> Scale:
    """Return the scale of a column.

    Parameters
    ----------
    values : ndarray of float64
        At least two different finite values; NaN is ignored.
    wanted : {"auto", "standard", "robust", "log"}
        The kind; ``"auto"`` applies the rule at the head of this file.
    name : str
        The column, for messages.

    Returns
    -------
    Scale
        Equal for any order of the rows, to the last bit.

    Raises
    ------
    ValueError
        For ``"robust"`` where the middle half of the rows has one and the same value.
    """
    x = np.sort(values[~np.isnan(values)])  # sorted: sums do not depend on the order of the rows
    size = max(abs(x[0]), abs(x[-1]))
    binary_unit = float(2.0 ** (np.frexp(size)[1] - 1))  # a power of two: dividing is exact
    median = _quantile(x, 0.5)
    plain = x / binary_unit
    iqr = (_quantile(plain, 0.75) - _quantile(plain, 0.25)) / _IQR_OF_NORMAL
    positive = np.sort(np.abs(x[x != 0]))
    log_unit = float(positive[int(0.05 * (len(positive) - 1))])
    kind = wanted
    if wanted == "auto":
        kind = "standard"
        skewness = _skewness(plain)
        middle = median / binary_unit
        low, high = _quantile(plain, _MAX_NEGATIVE), _quantile(plain, 0.95)
        skewed = skewness > _MIN_SKEWNESS or (skewness > 0 and high >= _MIN_RATIO * low)
        if low >= 0 and skewed and abs(_skewness(_transformed(x, "log", log_unit))) < skewness:
            kind = "log"
        distance = max(plain[-1] - middle, middle - plain[0])
        if kind == "standard" and iqr > 0 and distance > _MIN_DISTANCE * iqr:
            kind = "robust"
    if kind == "robust":
        if not iqr > 0:
            raise ValueError(
                f"scaling of {name!r}: the middle half of its rows has the same value, so its "
                "interquartile range is 0: use 'standard' or 'log'"
            )
        return Scale(kind, binary_unit, median / binary_unit, iqr, median)
    unit = log_unit if kind == "log" else binary_unit
    y = _transformed(x, kind, unit)
    center = float(y.mean())
    deviation = float(np.sqrt(np.mean((y - center) ** 2)))
    if not deviation > 1e-14 * max(1.0, abs(center)):
        raise ValueError(
            f"column {name!r}: its values differ by less than rounding: leave it out of columns"
        )
    return Scale(kind, unit, center, deviation, median)
