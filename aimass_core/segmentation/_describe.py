"""Numbers, effects and differences of segments as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .segmentation import Segmentation

__all__ = ["SMALL", "contradicts", "differences", "figures", "shown", "signed"]

SMALL = 0.2  # effects below are not worth a line (Cohen)


def shown(value: float) -> str:
    """Return a number with about three digits."""
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1e7:
        return f"{value:.3g}"
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def signed(effect: float) -> str:
    """Return an effect with its sign and one digit; without a sign if it rounds to 0."""
    text = f"{effect:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def contradicts(numbers: dict[str, Any], i: int, j: int) -> bool:
    """Return whether the medians of segment i and column j do not show what the effect says."""
    effect = numbers["effect"][i, j]
    median, overall = numbers["median"][i, j], numbers["overall_median"][j]
    if abs(effect) < SMALL or not np.isfinite(median):
        return False
    return shown(median) == shown(overall) or (median > overall) != (effect > 0)


def figures(numbers: dict[str, Any], i: int, j: int, is_log: bool) -> str:
    """Return the figures that belong to an effect.

    These are the medians; where they are equal or contradict the effect, also the shares above the
    overall median, and if these contradict it as well, the means.
    """
    effect = numbers["effect"][i, j]
    overall = shown(numbers["overall_median"][j])
    text = f"median {shown(numbers['median'][i, j])}, all {overall}"
    if not contradicts(numbers, i, j):
        return text
    above, rest = f"{numbers['above'][i, j]:.0%}", f"{numbers['rest_above'][i, j]:.0%}"
    text += f"; above {overall}: {above}, rest {rest}"
    is_explained = (numbers["above"][i, j] > numbers["rest_above"][i, j]) == (effect > 0)
    if is_explained and above != rest:
        return text
    mean, rest_mean = numbers["mean"][i, j], numbers["rest_mean"][i, j]
    text += f"; mean {shown(mean)}, rest {shown(rest_mean)}"
    if is_log and (mean > rest_mean) != (effect > 0):
        text += " (the effect compares logarithms, in which small values weigh more)"
    return text


def differences(segmentation: Segmentation, i: int, n: int) -> list[tuple[str, float, str]]:
    """Return the largest differences of a segment, one for each column: name, effect, figures."""
    numbers, words = segmentation.numbers_, segmentation.categories_
    by_column: dict[str, tuple[str, float, str]] = {}
    effects = words["effect"][i]
    for j in np.lexsort((-effects, -np.round(np.abs(effects), 9))):  # of yes and no: what rises
        column = words["column"][j]
        text = f"{words['share'][i, j]:.0%}, rest {words['rest_share'][i, j]:.0%}"
        name = f"{column} = {words['value'][j]}"
        by_column.setdefault(column, (name, float(words["effect"][i, j]), text))
    for j, column in enumerate(numbers["column"]):
        is_log = segmentation.scaling_.get(column) == "log"
        text = figures(numbers, i, j, is_log)
        by_column[column] = (column, float(numbers["effect"][i, j]), text)
    ranked = sorted(by_column.values(), key=lambda row: -abs(row[1]))
    return [row for row in ranked[:n] if abs(row[1]) >= SMALL]
