"""The profile of each segment: its numbers and shares compared with those of all others.

Effect sizes are differences from the rest. For numbers it is the standardised mean difference on
the column's scale (logarithms where the column has them). The divisor is the root of the mean of
both variances, at least a tenth of the overall standard deviation. For shares it is Cohen's h,
``2 asin sqrt(p) - 2 asin sqrt(q)``. Both have the same reading: 0.2 is small, 0.5 medium, 0.8 large
(J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._scaling import Scale, fit_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._table import CustomerTable

    Floats = NDArray[np.float64]

__all__ = ["describe_categories", "describe_numbers", "name_segments", "unique_names"]

_MIN_UNIT = 0.1  # of the overall standard deviation
_MEDIUM, _LARGE, _HUGE = 0.4, 0.8, 2.0  # effects
_MAX_PHRASES = 5


def _by_segment(labels: NDArray[np.int64], k: int) -> list[NDArray[np.intp]]:
    """Return the rows of each segment."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(k + 1))
    return [order[ends[i] : ends[i + 1]] for i in range(k)]


def _moments(values: Floats) -> tuple[float, float, float]:
    """Return number, mean and variance of the known values."""
    seen = values[~np.isnan(values)]
    if not seen.size:
        return 0.0, np.nan, np.nan
    return float(seen.size), float(seen.mean()), float(seen.var())


def standardized_difference(
    inside: tuple[float, float, float], overall: tuple[float, float, float]
) -> float:
    """Return the standardised mean difference between a segment and all others.

    Both arguments are number, mean and variance; the others are what remains of all.
    """
    n, mean, var = inside
    total, mean_all, var_all = overall
    rest = total - n
    if n == 0 or rest <= 0:
        return 0.0
    mean_rest = (total * mean_all - n * mean) / rest
    second = (total * (var_all + mean_all**2) - n * (var + mean**2)) / rest
    var_rest = max(second - mean_rest**2, 0.0)
    pooled = np.sqrt((var + var_rest) / 2)
    unit = max(pooled, _MIN_UNIT * np.sqrt(var_all))
    return float((mean - mean_rest) / unit) if unit > 0 else 0.0


def _center(values: Floats) -> tuple[float, float]:
    """Return mean (without overflow of the sum) and median of the known values."""
    seen = values[~np.isnan(values)]
    if not seen.size:
        return np.nan, np.nan
    size = float(np.max(np.abs(seen)))
    mean = float(np.mean(seen / size) * size) if size > 0 else 0.0
    return mean, float(np.median(seen))


def _share_above(values: Floats, limit: float) -> float:
    """Return the share of the known values above a limit."""
    seen = values[~np.isnan(values)]
    return float(np.mean(seen > limit)) if seen.size else np.nan


def describe_numbers(
    table: CustomerTable, scales: dict[str, Scale], labels: NDArray[np.int64], k: int
) -> dict[str, Any]:
    """Return the profile of the columns of numbers, features first.

    Parameters
    ----------
    table : CustomerTable
        The columns.
    scales : dict of str to Scale
        Of the features; other columns get a scale by the rule.
    labels : ndarray of int64, shape (n,)
        Segment of each row, -1 for none.
    k : int
        Number of segments.

    Returns
    -------
    dict
        "column", "overall_mean" and "overall_median" of length m; "effect", "mean", "rest_mean",
        "median", "above" and "rest_above" of shape (k, m). The latter two are the shares of values
        above the overall median. All but effects and shares are in the units of the column.
    """
    members = _by_segment(labels, k)
    is_used = labels >= 0
    names = [*table.features, *table.numbers]
    fields = ("effect", "mean", "rest_mean", "median", "above", "rest_above")
    out: dict[str, Any] = {name: np.zeros((k, len(names))) for name in fields}
    out |= {name: np.zeros(len(names)) for name in ("overall_mean", "overall_median")}
    out["column"] = tuple(names)
    for j, name in enumerate(names):
        values = table.features[name] if name in table.features else table.numbers[name]
        try:
            scale = scales[name] if name in scales else fit_scale(values, "auto", name)
            scaled = scale.apply(values)
        except ValueError:  # a column that is constant except for rounding has no effects
            scaled = np.zeros(len(values))
        overall = _moments(scaled[is_used])
        out["overall_mean"][j], median = _center(values[is_used])
        out["overall_median"][j] = median
        for i, rows in enumerate(members):
            rest = values[is_used & (labels != i)]
            out["effect"][i, j] = standardized_difference(_moments(scaled[rows]), overall)
            out["mean"][i, j], out["median"][i, j] = _center(values[rows])
            out["rest_mean"][i, j], _ = _center(rest)
            out["above"][i, j] = _share_above(values[rows], median)
            out["rest_above"][i, j] = _share_above(rest, median)
    return out


def describe_categories(table: CustomerTable, labels: NDArray[np.int64], k: int) -> dict[str, Any]:
    """Return the profile of the columns of words, those that form the segments first.

    Parameters
    ----------
    table : CustomerTable
        The columns.
    labels : ndarray of int64, shape (n,)
        Segment of each row, -1 for none.
    k : int
        Number of segments.

    Returns
    -------
    dict
        "column" and "value" of length m, one for each word of each column; "overall_share" of
        length m; "effect", "share" and "rest_share" of shape (k, m). Nulls count as no word.
    """
    columns: list[str] = []
    words: list[str] = []
    parts: list[tuple[Floats, Floats, Floats]] = []
    for name, category in [*table.category_features.items(), *table.categories.items()]:
        is_used = (labels >= 0) & (category.codes >= 0)
        n = len(category.labels)
        flat = np.bincount(labels[is_used] * n + category.codes[is_used], minlength=k * n)
        counts = flat.reshape(k, n).astype(np.float64)
        total, sizes = counts.sum(axis=0), counts.sum(axis=1, keepdims=True)
        rest = np.maximum(counts.sum() - sizes, 1.0)
        parts.append(
            (counts / np.maximum(sizes, 1), (total - counts) / rest, total / max(counts.sum(), 1.0))
        )
        columns += [name] * n
        words += category.labels
    share = np.concatenate([p[0] for p in parts], axis=1) if parts else np.zeros((k, 0))
    rest_share = np.concatenate([p[1] for p in parts], axis=1) if parts else np.zeros((k, 0))
    overall = np.concatenate([p[2] for p in parts]) if parts else np.zeros(0)
    effect = 2 * np.arcsin(np.sqrt(share)) - 2 * np.arcsin(np.sqrt(rest_share))
    return {
        "column": tuple(columns),
        "value": tuple(words),
        "overall_share": overall,
        "share": share,
        "rest_share": rest_share,
        "effect": effect if k > 1 else np.zeros_like(effect),
    }


# ---- names ---------------------------------------------------------------------------------------


def name_segments(
    numbers: dict[str, Any],
    categories: dict[str, Any],
    n_features: int,
    category_names: list[str],
    unit: str,
) -> list[str]:
    """Return names out of the largest effects of the columns that form the segments.

    Parameters
    ----------
    numbers, categories : dict
        From `describe_numbers` and `describe_categories`.
    n_features : int
        Number of columns of numbers that form the segments; they come first.
    category_names : list of str
        Categories that form the segments.
    unit : str
        What a row stands for: "customers".

    Returns
    -------
    list of str
        For example "very high grocery, low fresh". See `unique_names`.
    """
    k = len(numbers["effect"])
    if k == 1:
        return [f"all {unit}"]
    phrases = []
    for i in range(k):
        effects = list(numbers["effect"][i, :n_features])
        texts = [
            f"{'high' if effect > 0 else 'low'} {column}"
            for effect, column in zip(effects, numbers["column"], strict=False)
        ]
        for name in category_names:
            own = np.array([column == name for column in categories["column"]])
            best = int(np.where(own, categories["effect"][i], -np.inf).argmax())
            effects.append(float(categories["effect"][i, best]))
            texts.append(f"share of {categories['value'][best]} ({name})")
        phrases.append(_phrases(np.array(effects), texts))
    return unique_names(phrases)


def _phrases(effects: Floats, texts: list[str]) -> tuple[list[str], int]:
    """Return phrases of the largest effects, largest first, and how many of them make a name."""
    # Effects that are equal except for rounding keep the order of the columns.
    order = np.argsort(-np.round(np.abs(effects), 6), kind="stable")[:_MAX_PHRASES]
    phrases = []
    for j in order:
        size = abs(effects[j])
        degree = "very " if size >= _HUGE else "" if size >= _LARGE else "rather "
        if texts[j].startswith("share of"):
            degree = f"{degree}high " if effects[j] > 0 else f"{degree}low "
        phrases.append(f"{degree}{texts[j]}")
    if abs(effects[order[0]]) < _MEDIUM:
        return ["near the average", *phrases], 1
    return phrases, int(np.clip(np.sum(np.abs(effects) >= _LARGE), 1, 2))


def unique_names(phrases: list[tuple[list[str], int]]) -> list[str]:
    """Return names of which none equals or is contained in another.

    Parameters
    ----------
    phrases : list of (list of str, int)
        For each segment its phrases, and how many of them are enough for a name.

    Returns
    -------
    list of str
        A name that equals or is contained in another gets more of its phrases; where all of them
        do not suffice, the word "moderately" or a number.
    """
    lengths = [n for _, n in phrases]
    while True:
        names = [", ".join(p[:n]) for (p, _), n in zip(phrases, lengths, strict=True)]
        short = [i for i in _contained(names) if lengths[i] < len(phrases[i][0])]
        if not short:
            break
        for i in short:
            lengths[i] += 1
    for i in _contained(names):
        if names.count(names[i]) == 1:
            names[i] = f"moderately {names[i]}"
    for number, i in enumerate(_contained(names), 1):
        names[i] = f"{names[i]} ({number})"
    return names


def _contained(names: list[str]) -> list[int]:
    """Return the positions of names that another name equals or contains."""
    return [
        i
        for i, name in enumerate(names)
        if any(name in other for j, other in enumerate(names) if j != i)
    ]
