"""The fitted segments in words and plain columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._fitted import FittedSegments

    Floats = NDArray[np.float64]

__all__ = ["SMALL", "differences", "jaccard", "profiles", "shown", "signed", "summary", "text"]

SMALL = 0.2  # effects below are not worth a line (Cohen)


def shown(value: float) -> str:
    """A number with about three digits, for people."""
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1e7:
        return f"{value:.3g}"
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def signed(effect: float) -> str:
    """An effect with its sign and one digit; none for what rounds to nothing."""
    text = f"{effect:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def jaccard(self: FittedSegments) -> Floats:
    """Mean Jaccard index of each segment under the bootstrap, NaN without one."""
    found = self.stability_["jaccard"]
    if not len(found):
        return np.full(len(self._labels), np.nan)
    return np.asarray(np.nanmean(found, axis=0))


def summary(self: FittedSegments) -> dict[str, Any]:
    """The segments as columns, one row each; with `noise`, the outliers are the last one.

    Returns
    -------
    dict
        "segment" ("A", ...), "name", "size", "share", "certainty" (mean probability of belonging)
        and "stability" (mean Jaccard index under the bootstrap; NaN without one).
    """
    self._check_fitted()
    sizes = np.append(self.sizes_, self.n_outliers_)[: len(self._labels)]
    return {
        "segment": self._labels,
        "name": [*self.names_, "outliers"][: len(self._labels)],
        "size": sizes,
        "share": sizes / sizes.sum(),
        "certainty": self.certainty_.copy(),
        "stability": jaccard(self),
    }


def profiles(self: FittedSegments) -> dict[str, Any]:
    """What makes each segment different, one row for each segment and column (and word).

    Returns
    -------
    dict
        "segment", "name", "column", "value" (the word; None for numbers), "effect" (standardised
        difference from the rest), "inside" and "rest" (means, or shares of the word), "median"
        and "overall_median" (NaN for words); the largest effects of each segment first. pandas,
        polars and pyarrow take it as a table.
    """
    self._check_fitted()
    numbers, words = self.numbers_, self.categories_
    m, w = len(numbers["column"]), len(words["column"])
    columns = np.array([*numbers["column"], *words["column"]], dtype=object)
    values = np.array([*[None] * m, *words["value"]], dtype=object)
    nothing = np.full(w, np.nan)
    rows: dict[str, list[Any]] = {}
    for i, key in enumerate(self.keys_):
        effect = np.concatenate([numbers["effect"][i], words["effect"][i]])
        order = np.argsort(-np.abs(effect), kind="stable")
        block = {
            "segment": np.full(m + w, key, dtype=object),
            "name": np.full(m + w, self.names_[i], dtype=object),
            "column": columns,
            "value": values,
            "effect": effect,
            "inside": np.concatenate([numbers["mean"][i], words["share"][i]]),
            "rest": np.concatenate([numbers["rest_mean"][i], words["rest_share"][i]]),
            "median": np.concatenate([numbers["median"][i], nothing]),
            "overall_median": np.concatenate([numbers["overall_median"], nothing]),
        }
        for name, part in block.items():
            rows.setdefault(name, []).append(part[order])
    return {name: np.concatenate(parts) for name, parts in rows.items()}


def differences(self: FittedSegments, i: int, n: int) -> list[tuple[str, float, str]]:
    """The largest differences of a segment, one for each column: name, effect, figures in words."""
    numbers, words = self.numbers_, self.categories_
    found: dict[str, tuple[str, float, str]] = {}
    effects = words["effect"][i]
    for j in np.lexsort((-effects, -np.round(np.abs(effects), 9))):  # of yes and no: what rises
        column = words["column"][j]
        figures = f"{words['share'][i, j]:.0%}, rest {words['rest_share'][i, j]:.0%}"
        name = f"{column} = {words['value'][j]}"
        found.setdefault(column, (name, float(words["effect"][i, j]), figures))
    for j, column in enumerate(numbers["column"]):
        middle, everyone = numbers["median"][i, j], numbers["overall_median"][j]
        figures = f"median {shown(middle)}, all {shown(everyone)}"
        found[column] = (column, float(numbers["effect"][i, j]), figures)
    ranked = sorted(found.values(), key=lambda row: -abs(row[1]))
    return [row for row in ranked[:n] if abs(row[1]) >= SMALL]


def text(self: FittedSegments) -> str:
    """An aligned table of the segments."""
    rows = summary(self)
    cells = [["", "segment", "customers", "share", "certainty", "stability"]]
    for i, key in enumerate(rows["segment"]):
        stable = rows["stability"][i]
        cells.append([
            key, rows["name"][i], f"{rows['size'][i]:,}", f"{rows['share'][i]:.1%}",
            f"{rows['certainty'][i]:.2f}", "-" if np.isnan(stable) else f"{stable:.2f}",
        ])  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in cells
    )
