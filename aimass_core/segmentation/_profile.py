"""What makes each segment different: its numbers and shares against those of everybody else.

Effect sizes are differences from the rest in units of spread: for numbers the standardised mean
difference on the column's scale (logarithms where the column has them), divided by the root of the
mean of both variances, which counts at least a tenth of the overall spread; for shares Cohen's h,
``2 asin sqrt(p) - 2 asin sqrt(q)``. Both read alike: 0.2 is small, 0.5 medium, 0.8 large (Cohen,
Statistical Power Analysis, 1988).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._scaling import Scale, fit_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._customers import Category, Customers

    Floats = NDArray[np.float64]

__all__ = ["describe_categories", "describe_numbers", "names_of"]

_FLOOR = 0.1  # of the overall spread
_LARGE, _HUGE, _MEDIUM = 0.8, 2.0, 0.4


def _by_segment(labels: NDArray[np.int64], k: int) -> list[NDArray[np.intp]]:
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(k + 1))
    return [order[ends[i] : ends[i + 1]] for i in range(k)]


def _moments(values: Floats) -> tuple[float, float, float]:
    """Number, mean and variance of what is not null."""
    seen = values[~np.isnan(values)]
    if not seen.size:
        return 0.0, np.nan, np.nan
    return float(seen.size), float(seen.mean()), float(seen.var())


def _smd(inside: tuple[float, float, float], everyone: tuple[float, float, float]) -> float:
    """Standardised difference between the inside and the rest, which is what remains of all."""
    n, mean, var = inside
    total, mean_all, var_all = everyone
    rest = total - n
    if n == 0 or rest <= 0:
        return 0.0
    mean_rest = (total * mean_all - n * mean) / rest
    second = (total * (var_all + mean_all**2) - n * (var + mean**2)) / rest
    var_rest = max(second - mean_rest**2, 0.0)
    pooled = np.sqrt((var + var_rest) / 2)
    unit = max(pooled, _FLOOR * np.sqrt(var_all))
    return float((mean - mean_rest) / unit) if unit > 0 else 0.0


def _center(values: Floats, median: bool = True) -> tuple[float, float]:
    """Mean (without overflow of the sum) and median of what is not null."""
    seen = values[~np.isnan(values)]
    if not seen.size:
        return np.nan, np.nan
    size = float(np.max(np.abs(seen)))
    mean = float(np.mean(seen / size) * size) if size > 0 else 0.0
    return mean, float(np.median(seen)) if median else np.nan


def describe_numbers(
    people: Customers, scales: dict[str, Scale], labels: NDArray[np.int64], k: int
) -> dict[str, Any]:
    """The profile of the columns of numbers, features first.

    Parameters
    ----------
    people : Customers
        The table.
    scales : dict of str to Scale
        Of the features; other columns get a scale by the rule.
    labels : ndarray of int64, shape (n,)
        Segment of each row, -1 for none.
    k : int
        Number of segments.

    Returns
    -------
    dict
        "column" and "overall_mean", "overall_median" of length m; "effect", "mean", "rest_mean"
        and "median" of shape (k, m), all but the effects in the units of the column.
    """
    members = _by_segment(labels, k)
    used = labels >= 0
    names = [*people.features, *people.numbers]
    shape = (k, len(names))
    out: dict[str, Any] = {name: np.zeros(shape) for name in ("effect", "mean", "rest_mean")}
    out |= {"median": np.zeros(shape), "column": tuple(names)}
    out |= {"overall_mean": np.zeros(len(names)), "overall_median": np.zeros(len(names))}
    for j, name in enumerate(names):
        values = people.features[name] if name in people.features else people.numbers[name]
        try:
            scale = scales[name] if name in scales else fit_scale(values, "auto", name)
            scaled = scale.apply(values)
        except ValueError:  # a column that is constant but for rounding has no effects
            scaled = np.zeros(len(values))
        everyone = _moments(scaled[used])
        out["overall_mean"][j], out["overall_median"][j] = _center(values[used])
        for i, rows in enumerate(members):
            out["effect"][i, j] = _smd(_moments(scaled[rows]), everyone)
            out["mean"][i, j], out["median"][i, j] = _center(values[rows])
            out["rest_mean"][i, j], _ = _center(values[used & (labels != i)], median=False)
    return out


def describe_categories(
    categories: dict[str, Category], labels: NDArray[np.int64], k: int
) -> dict[str, Any]:
    """The profile of the columns of words.

    Parameters
    ----------
    categories : dict of str to Category
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
    used = labels >= 0
    for name, category in categories.items():
        seen = used & (category.codes >= 0)
        n = len(category.labels)
        flat = np.bincount(labels[seen] * n + category.codes[seen], minlength=k * n)
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


def names_of(effects: Floats, columns: list[str]) -> list[str]:
    """Names out of the largest effects: unique, and the same for the same effects.

    Parameters
    ----------
    effects : ndarray of float64, shape (k, m)
        Of the features.
    columns : list of str
        Their names.

    Returns
    -------
    list of str
        For example "very high grocery, low fresh". Two words each, more where two segments would
        share a name, and a number where even five do not tell them apart.
    """
    if len(effects) == 1:
        return ["all customers"]
    found = [_phrases(row, columns) for row in effects]
    phrases, length = [p for p, _ in found], [n for _, n in found]
    while True:
        names = [", ".join(p[:n]) for p, n in zip(phrases, length, strict=True)]
        clash = [
            i
            for i, name in enumerate(names)
            if names.count(name) > 1 and length[i] < len(phrases[i])
        ]
        if not clash:
            break
        for i in clash:
            length[i] += 1
    taken: dict[str, int] = {}
    out = []
    for name in names:
        taken[name] = taken.get(name, 0) + 1
        out.append(name if taken[name] == 1 else f"{name} ({taken[name]})")
    return out


def _phrases(effects: Floats, columns: list[str]) -> tuple[list[str], int]:
    """What is special, most special first, and how many of it make a name."""
    # Effects that are equal but for rounding keep the order of the columns.
    order = np.argsort(-np.round(np.abs(effects), 6), kind="stable")[:5]
    words = []
    for j in order:
        size = abs(effects[j])
        loud = "very " if size >= _HUGE else "" if size >= _LARGE else "rather "
        words.append(f"{loud}{'high' if effects[j] > 0 else 'low'} {columns[j]}")
    if abs(effects[order[0]]) < _MEDIUM:
        return ["near the average", *words], 1
    return words, int(np.clip(np.sum(np.abs(effects) >= _LARGE), 1, 2))
