"""The values of single users that an evaluation keeps, and the intervals and tests they give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import as_seed
from ..base.validation import as_bool, as_float, as_int
from .resampling import Interval, ModelComparison, PairedTest, bootstrap_interval, compare_models

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ._judged import Floats

__all__ = ["IntervalOptions", "Sample", "compare"]

MAX_MODELS = 10  # up to which intervals are the default
CHEAP = 500_000  # values of users, models and columns: some seconds for 10,000 replicates


@dataclass(frozen=True)
class IntervalOptions:
    """Checked arguments of the intervals of an evaluation."""

    wanted: bool | None
    confidence: float
    n_resamples: int
    seed: int
    n_threads: int | None

    @classmethod
    def of(
        cls, intervals: Any, confidence: Any, n_resamples: Any, random_state: Any, n_threads: Any
    ) -> IntervalOptions:
        wanted = None if intervals is None else as_bool(intervals, "intervals")
        level = as_float(confidence, "confidence", above=0)
        if level >= 1:
            raise ValueError(f"confidence must be below 1, got {level}; 95 % is 0.95")
        n = as_int(n_resamples, "n_resamples", minimum=100, maximum=10_000_000)
        return cls(wanted, level, n, as_seed(random_state), n_threads)

    def keeps_values(self, n_models: int) -> bool:
        """Return whether the values of single users are kept for intervals."""
        return n_models <= MAX_MODELS if self.wanted is None else self.wanted

    def are_shown(self, samples: list[Sample]) -> bool:
        """Return whether intervals are computed when the result is printed."""
        if self.wanted is not None:
            return self.wanted
        n_values = sum(len(v) for s in samples for row in s.values.values() for v in row.values())
        return n_values * self.n_resamples <= CHEAP * 10_000


@dataclass
class Sample:
    """Values of independent rows: one per user, or one per test entry with its user as cluster.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        User of each value: row number, or id after `joined`.
    users : IdMap or None
        Ids of the row numbers.
    values : dict of str to dict of str to ndarray of float64, shape (n,)
        By model and column; NaN where a row does not count.
    folds : ndarray of int64, shape (n,), optional
        Fold of each row; every fold has the same weight in a mean.
    roots : set of str
        Columns that are the root of a mean.
    """

    rows: NDArray[Any]
    users: Any = None
    values: dict[str, dict[str, Floats]] = field(default_factory=dict)
    folds: NDArray[np.int64] | None = None
    roots: frozenset[str] = frozenset()

    @classmethod
    def joined(cls, samples: list[Sample]) -> Sample:
        """Return the samples of several folds as one."""
        first = samples[0]
        values: dict[str, dict[str, Floats]] = {}
        for model in first.values:
            titles = dict.fromkeys(t for s in samples for t in s.values[model])
            values[model] = {
                title: np.concatenate([_column(s, model, title) for s in samples])
                for title in titles
            }
        folds = np.repeat(np.arange(len(samples)), [len(s.rows) for s in samples])
        roots = frozenset().union(*(s.roots for s in samples))
        rows, users = [s.rows for s in samples], first.users
        if any(s.users != users for s in samples):
            rows, users = [np.asarray(s.users.ids)[s.rows] for s in samples], None
        return cls(np.concatenate(rows), users, values, folds, roots)

    def weights(self, values: Floats) -> Floats | None:
        """Return weights by which the mean of all rows is the mean of the folds' means."""
        if self.folds is None:
            return None
        n = np.bincount(self.folds[~np.isnan(values)], minlength=int(self.folds.max()) + 1)
        return np.asarray(1.0 / np.maximum(n, 1)[self.folds])


def _column(sample: Sample, model: str, title: str) -> Floats:
    """Return a column of one fold; in a fold without cold users all users are warm."""
    row = sample.values[model]
    if title in row:
        return row[title]
    plain = title.removesuffix(":warm")
    return row.get(plain, np.full(len(sample.rows), np.nan))


def compare(samples: list[Sample], options: IntervalOptions) -> ModelComparison | None:
    """Return intervals of all columns that are means over users, and tests between the models."""
    intervals: dict[str, dict[str, Interval]] = {}
    tests: list[PairedTest] = []
    for sample in samples:
        for model in sample.values:
            intervals.setdefault(model, {})
        for titles, weights in _groups(sample):
            arguments = _arguments(sample, weights, options)
            roots = {title: "root_mean" for title in titles if title in sample.roots}
            comparison = compare_models(
                {model: {t: row[t] for t in titles} for model, row in sample.values.items()},
                statistics=roots,
                **arguments,
            )
            for model, row in comparison.intervals.items():
                intervals[model].update(row)
            tests += comparison.tests
        _add_single(sample, intervals, options)
    if not any(intervals.values()):
        return None
    order = [t for s in samples for t in next(iter(s.values.values()), {})]
    rank = {title: i for i, title in enumerate(order)}
    return ModelComparison(
        {m: dict(sorted(row.items(), key=lambda x: rank[x[0]])) for m, row in intervals.items()},
        sorted(tests, key=lambda test: rank[test.metric]),
        "holm",
    )


def _arguments(sample: Sample, weights: Floats | None, options: IntervalOptions) -> dict[str, Any]:
    is_single = len(np.unique(sample.rows)) == len(sample.rows)
    return {
        "weights": weights,
        "clusters": None if is_single else sample.rows,
        "confidence": options.confidence,
        "n_resamples": options.n_resamples,
        "random_state": options.seed,
        "n_threads": options.n_threads,
    }


def _groups(sample: Sample) -> list[tuple[list[str], Floats | None]]:
    """Return columns that the same users have for all models, grouped by these users."""
    groups: dict[bytes, list[str]] = {}
    for title, values in next(iter(sample.values.values()), {}).items():
        missing = np.isnan(values)
        same = all(
            title in row and np.array_equal(np.isnan(row[title]), missing)
            for row in sample.values.values()
        )
        if same and _n_users(sample, ~missing) >= 2:
            groups.setdefault(missing.tobytes(), []).append(title)
    models: Mapping[str, Floats] = next(iter(sample.values.values()), {})
    return [(titles, sample.weights(models[titles[0]])) for titles in groups.values()]


def _n_users(sample: Sample, counts: NDArray[np.bool_]) -> int:
    return len(np.unique(sample.rows[counts]))


def _add_single(
    sample: Sample, intervals: dict[str, dict[str, Interval]], options: IntervalOptions
) -> None:
    """Add intervals without tests for the columns whose models have values of different users."""
    for model, row in sample.values.items():
        for title, values in row.items():
            if title in intervals[model] or _n_users(sample, ~np.isnan(values)) < 2:
                continue
            arguments = _arguments(sample, sample.weights(values), options)
            statistic = "root_mean" if title in sample.roots else "mean"
            intervals[model][title] = bootstrap_interval(values, statistic=statistic, **arguments)
