"""Confidence intervals of metrics and significance tests between models, by resampling users.

The input are per-user values, one array per model and metric, in one order of the users. Intervals
come from the bootstrap, p-values from a permutation test or the bootstrap. All columns share the
resampling weights of a replicate, so differences between models are paired.

Cost: n_resamples n_users random numbers and as many multiply-adds per column, shared by threads.
Memory: the values once more, and n_resamples numbers per column; never n_users x n_resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arrays import LARGEST, as_labels, as_seed, as_vector
from ..base.executor import open_runner
from ..base.tested import TestedDifference
from ..base.text import aligned, interval_text, p_value_text
from ..base.threads import resolve_n_threads
from ..base.validation import as_choice, as_float, as_int
from ..kernels import resampling_weights
from ._replicates import RatioColumns, confidence_limits, law_of, sign_flip_sums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..base.executor import Runner

    Floats = NDArray[np.float64]

__all__ = [
    "Interval",
    "ModelComparison",
    "PairedTest",
    "adjust_p_values",
    "bootstrap_interval",
    "compare_models",
    "paired_test",
    "resampling_counts",
]

METHODS = ("bca", "percentile")
SCHEMES = ("auto", "multinomial", "poisson")
STATISTICS = ("mean", "root_mean")
CORRECTIONS = ("holm", "benjamini-hochberg", "bonferroni", "none")
LOWER_IS_BETTER = ("rmse", "mae", "mse")
_BLOCK_BYTES = 32 << 20  # of resampling weights that a callable statistic holds at once


@dataclass(frozen=True, repr=False)
class Interval:
    """An estimate and its confidence interval.

    Parameters
    ----------
    estimate : float
        The statistic of all users.
    lower, upper : float
        Confidence limits.
    standard_error : float
        Standard deviation of the replicates.
    confidence : float
        Level of the interval, for example 0.95.
    method : str
        "bca" or "percentile".
    n_rows : int
        Independent rows: users, or clusters, that count.
    n_resamples : int
        Replicates.

    Examples
    --------
    >>> from aimass_core.evaluation import Interval
    >>> Interval(0.25, 0.2, 0.31, 0.028, 0.95, "bca", 500, 10_000)
    0.250 [0.200, 0.310]
    """

    estimate: float
    lower: float
    upper: float
    standard_error: float
    confidence: float
    method: str
    n_rows: int
    n_resamples: int

    def __repr__(self) -> str:
        return interval_text(self.estimate, self.lower, self.upper)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary of plain numbers and strings.

        Returns
        -------
        dict
        """
        return asdict(self)


@dataclass(frozen=True, repr=False)
class PairedTest(TestedDifference):
    """The difference of two models on the same users, with its interval and p-value.

    Parameters
    ----------
    difference : float
        Statistic of `a` minus statistic of `b`.
    lower, upper : float
        Confidence limits of the difference, by the bootstrap.
    standard_error : float
        Standard deviation of the replicates of the difference.
    p_value : float
        Two-sided; of the null hypothesis that the models are exchangeable ("permutation") or that
        the difference is 0 ("bootstrap").
    adjusted_p_value : float
        After the correction for multiple comparisons; the p-value itself for a single test.
    confidence : float
        Level of the interval.
    method : str
        "permutation", "exact permutation" (all sign flips were enumerated) or "bootstrap".
    n_rows : int
        Independent rows: users, or clusters, that count.
    n_resamples : int
        Replicates.
    a, b : str
        Names of the models.
    metric : str
        Name of the metric.

    Examples
    --------
    >>> from aimass_core.evaluation import paired_test
    >>> test = paired_test([1, 1, 0, 1, 1, 1], [0, 0, 0, 1, 0, 0])
    >>> round(test.difference, 3), test.p_value
    (0.667, 0.125)
    """

    difference: float
    lower: float
    upper: float
    standard_error: float
    p_value: float
    adjusted_p_value: float
    confidence: float
    method: str
    n_rows: int
    n_resamples: int
    a: str = "a"
    b: str = "b"
    metric: str = ""

    def __repr__(self) -> str:
        metric = f"{self.metric}: " if self.metric else ""
        adjusted = self.adjusted_p_value != self.p_value
        sign = "+" if self.difference > 0 else ""
        interval = interval_text(self.difference, self.lower, self.upper)
        return (
            f"{metric}{self.a} - {self.b} = {sign}{interval}, "
            f"p {p_value_text(self.adjusted_p_value)}{' (adjusted)' if adjusted else ''}"
        )


@dataclass(frozen=True, repr=False)
class ModelComparison:
    """Intervals of every model and metric, and tests of the pairs of models.

    Parameters
    ----------
    intervals : dict of str to dict of str to Interval
        By model and metric.
    tests : list of PairedTest
        By metric and pair of models, `a` before `b` in the order given.
    correction : str
        Correction for multiple comparisons, over the pairs of each metric.
    lower_is_better : tuple of str
        Metrics of which a smaller value is better.
    """

    intervals: dict[str, dict[str, Interval]]
    tests: list[PairedTest]
    correction: str
    lower_is_better: tuple[str, ...] = field(default=LOWER_IS_BETTER)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics."""
        return list(next(iter(self.intervals.values()), {}))

    def best(self, metric: str) -> list[str]:
        """Return the model with the best estimate, then those that do not differ significantly.

        Parameters
        ----------
        metric : str
            One of `metrics`.

        Returns
        -------
        list of str
            A model is left out if a test against the best one exists and is significant.
        """
        sign = -1 if metric.split("@")[0].split(":")[0] in self.lower_is_better else 1
        values = {name: sign * row[metric].estimate for name, row in self.intervals.items()}
        first = max(values, key=lambda name: values[name])
        worse = {
            test.b if test.a == first else test.a
            for test in self.tests
            if test.metric == metric and first in (test.a, test.b) and test.is_significant
        }
        return [first, *(name for name in values if name != first and name not in worse)]

    def __repr__(self) -> str:
        metrics = self.metrics
        best = {metric: self.best(metric) for metric in metrics}
        cells = [["model", *metrics]]
        for name, row in self.intervals.items():
            marks = ["*" if name in best[metric] else " " for metric in metrics]
            cells.append([name, *(f"{row[m]!r}{mark}" for m, mark in zip(metrics, marks))])
        lines = [aligned(cells)]
        if self.tests:
            test = self.tests[0]
            lines += [
                "",
                f"[ ] {test.confidence:.0%} confidence interval of one model. * best, or not "
                f"significantly different from the best",
                f"({test.method} test, {self.correction} correction over the pairs of a metric)",
            ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return intervals and tests as plain dictionaries and lists.

        Returns
        -------
        dict
            Keys "intervals", "tests" and "correction".
        """
        return {
            "intervals": {
                name: {metric: interval.to_dict() for metric, interval in row.items()}
                for name, row in self.intervals.items()
            },
            "tests": [test.to_dict() for test in self.tests],
            "correction": self.correction,
        }


@dataclass(frozen=True)
class _Options:
    """Checked arguments that all functions of this module share."""

    method: str
    scheme: str
    confidence: float
    n_resamples: int
    seed: int
    n_threads: int

    @classmethod
    def of(
        cls,
        method: Any,
        scheme: Any,
        confidence: Any,
        n_resamples: Any,
        random_state: Any,
        n_threads: Any,
    ) -> _Options:
        level = as_float(confidence, "confidence", above=0)
        if level >= 1:
            raise ValueError(f"confidence must be below 1, got {level}; 95 % is 0.95")
        return cls(
            as_choice(method, "method", METHODS),
            as_choice(scheme, "scheme", SCHEMES),
            level,
            as_int(n_resamples, "n_resamples", minimum=100, maximum=10_000_000),
            as_seed(random_state),
            resolve_n_threads(n_threads),
        )


def _checked(
    values: Any, name: str, weights: Any, statistic: str, length: int | None = None
) -> tuple[Floats, Floats | None]:
    """Return per-user values and weights; NaN values are allowed, but not all of them."""
    root = statistic == "root_mean"
    minimum = 0.0 if root else None
    array = as_vector(values, name, length=length, allow_nan=True, minimum=minimum, largest=LARGEST)
    if weights is not None:
        weights = as_vector(weights, "weights", length=len(array), minimum=0.0, largest=LARGEST)
    counts = ~np.isnan(array) if weights is None else ~np.isnan(array) & (weights > 0)
    if not counts.any():
        raise ValueError(f"{name} holds no value that counts: all are missing or have weight 0")
    return array, weights


def _codes(clusters: Any, length: int) -> NDArray[np.int64] | None:
    return None if clusters is None else as_labels(clusters, "clusters", length=length)[1]


def _at_least_two(n_rows: int, clustered: bool) -> None:
    if n_rows < 2:
        unit = "cluster" if clustered else "user"
        raise ValueError(
            f"an interval needs at least 2 {unit}s with a value, got {n_rows}; "
            "give the values of more of them"
        )


def bootstrap_interval(
    values: Any,
    *,
    weights: Any = None,
    clusters: Any = None,
    statistic: str | Callable[[Any, Any], float] = "mean",
    method: str = "bca",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    scheme: str = "auto",
    random_state: Any = 0,
    n_threads: int | None = None,
    executor: Any = None,
    place: Any = None,
) -> Interval:
    """Return a statistic of per-user values and its bootstrap confidence interval.

    Parameters
    ----------
    values : array-like of float, shape (n_users,)
        One value per user, for example of ``ndcg(..., mean=False)``. Users with NaN do not count.
        A callable `statistic` may have an array of any shape with users in its first axis.
    weights : array-like of float, shape (n_users,), optional
        Non-negative weights of the mean, for example the number of ratings of each user.
    clusters : array-like of labels, shape (n_users,), optional
        Users of one cluster (household, region) are resampled together. With fewer than about 30
        clusters the intervals are too narrow.
    statistic : {"mean", "root_mean"} or callable, default "mean"
        "root_mean" is the square root of the mean, for RMSE from squared errors. A callable is
        called as ``f(values, counts)``; ``counts`` (int64) says how often each user was drawn.
    method : {"bca", "percentile"}, default "bca"
        BCa corrects the percentiles for bias and skewness.
    confidence : float, default 0.95
        Level of the interval.
    n_resamples : int, default 10000
        Replicates, at least 100.
    scheme : {"auto", "multinomial", "poisson"}, default "auto"
        Law of the counts. "auto" is multinomial up to 4,096 users or clusters, Poisson above.
    random_state : int, Generator or None, default 0
        Seed; the default gives the same interval at every call.
    n_threads : int, optional
        Threads; the result does not depend on them.
    executor : str or concurrent.futures.Executor, optional
        Where the replicates are computed, in ranges: "processes:N", "dask://host:port",
        "ray://host:port", or an object with the method ``submit``. The result is bit-identical.
        Default: this process.
    place : path-like or URL, optional
        Folder for the file of the values, which all workers see under this name, or the URL of one
        that they reach through fsspec. Default: a temporary folder.

    Returns
    -------
    Interval

    Raises
    ------
    ValueError
        For fewer than 2 users or clusters with a value, negative or infinite weights, or options
        out of range.
    TypeError
        For a callable statistic on an executor.

    Notes
    -----
    Time O(n_resamples n_users), memory O(n_users + n_resamples). A callable statistic is called
    n_resamples times, and for "bca" once more for each of at most 500 groups of users, whose
    omission gives the acceleration.

    References
    ----------
    .. [1] B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987.
    .. [2] N. Chamandy et al., "Estimating uncertainty for massive data streams", Google, 2012.

    Examples
    --------
    >>> from aimass_core.evaluation import bootstrap_interval
    >>> bootstrap_interval([0.0, 0.5, 1.0, 0.25, 0.0, 1.0, 0.5, 0.0])
    0.406 [0.156, 0.688]
    """
    options = _Options.of(method, scheme, confidence, n_resamples, random_state, n_threads)
    if callable(statistic):
        if executor is not None:
            raise TypeError("executor needs a named statistic, got a callable: leave executor out")
        return _callable_interval(values, weights, clusters, statistic, options)
    statistic = as_choice(statistic, "statistic", STATISTICS)
    array, weights = _checked(values, "values", weights, statistic)
    columns = RatioColumns.of(
        [array], [weights], [statistic == "root_mean"], _codes(clusters, len(array))
    )
    _at_least_two(columns.n_rows, clusters is not None)
    law = law_of(options.scheme, columns.n_rows)
    with open_runner(executor, place, "bootstrap", n_threads, takes_url=True) as runner:
        replicates = columns.replicates(law, options.n_resamples, options.seed, runner)
    return _interval(columns, 0, float(columns.estimates()[0]), replicates[:, 0], options)


def _interval(
    columns: RatioColumns, column: int, estimate: float, replicates: Floats, options: _Options
) -> Interval:
    lower, upper = confidence_limits(
        options.method, estimate, replicates, lambda: columns.influence(column), options.confidence
    )
    return Interval(
        estimate,
        lower,
        upper,
        float(np.nanstd(replicates, ddof=1)),
        options.confidence,
        options.method,
        columns.n_rows,
        options.n_resamples,
    )


def _callable_interval(
    values: Any,
    weights: Any,
    clusters: Any,
    statistic: Callable[[Any, Any], float],
    options: _Options,
) -> Interval:
    """Return the interval of any function of values and counts: one call per replicate."""
    if weights is not None:
        raise ValueError("weights is for named statistics; a callable can hold its own weights")
    array = np.asarray(values)
    if array.ndim == 0 or array.dtype.kind == "O":
        raise TypeError("values must be an array with users in its first axis")
    codes = _codes(clusters, len(array))
    n_rows = len(array) if codes is None else int(codes.max(initial=-1)) + 1
    _at_least_two(n_rows, clusters is not None)

    def evaluated(counts: Any) -> float:
        counts = counts.astype(np.int64)
        return float(statistic(array, counts if codes is None else counts[codes]))

    estimate = evaluated(np.ones(n_rows))
    blocks = resampling_counts(
        n_rows,
        options.n_resamples,
        block=max(1, _BLOCK_BYTES // (2 * n_rows)),
        scheme=options.scheme,
        random_state=options.seed,
        n_threads=options.n_threads,
    )
    replicates = np.array([evaluated(counts) for block in blocks for counts in block])
    if not np.isfinite(replicates).any():
        raise ValueError("statistic returned no finite number for any replicate")

    def influence() -> Floats:
        n_groups = min(n_rows, 500)
        group = np.arange(n_rows) % n_groups
        left_out = np.array([evaluated(group != g) for g in range(n_groups)])
        left_out = left_out[np.isfinite(left_out)]
        return np.asarray(left_out.mean() - left_out)

    lower, upper = confidence_limits(
        options.method, estimate, replicates, influence, options.confidence
    )
    error = float(np.nanstd(replicates, ddof=1))
    return Interval(
        estimate,
        lower,
        upper,
        error,
        options.confidence,
        options.method,
        n_rows,
        options.n_resamples,
    )


def resampling_counts(
    n_rows: int,
    n_resamples: int,
    *,
    block: int,
    scheme: str = "auto",
    random_state: Any = 0,
    n_threads: int | None = None,
) -> Iterator[NDArray[np.int16]]:
    """Yield the bootstrap counts of the rows, for a block of replicates at a time.

    Parameters
    ----------
    n_rows : int
        Rows that are resampled.
    n_resamples : int
        Replicates in all.
    block : int
        Replicates in a block.
    scheme : {"auto", "multinomial", "poisson"}, default "auto"
        Law of the counts, as in `bootstrap_interval`.
    random_state : int, Generator or None, default 0
        Seed.
    n_threads : int, optional
        Threads; the result does not depend on them.

    Yields
    ------
    ndarray of int16, shape (at most block, n_rows)
        How often each row is drawn in each replicate.
    """
    seed, threads = as_seed(random_state), resolve_n_threads(n_threads)
    law = law_of(scheme, n_rows)
    for first in range(0, n_resamples, block):
        n = min(block, n_resamples - first)
        yield resampling_weights(n_rows, seed, first, n, law, threads)


def paired_test(
    a: Any,
    b: Any,
    *,
    weights: Any = None,
    clusters: Any = None,
    statistic: str = "mean",
    test: str = "permutation",
    method: str = "bca",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    scheme: str = "auto",
    random_state: Any = 0,
    n_threads: int | None = None,
) -> PairedTest:
    """Return the difference of two models on the same users, its interval and its p-value.

    Parameters
    ----------
    a, b : array-like of float, shape (n_users,)
        Per-user values of the two models in one order of the users. Users with NaN in both do not
        count; NaN in one of them only is an error.
    weights : array-like of float, shape (n_users,), optional
        Non-negative weights of the mean.
    clusters : array-like of labels, shape (n_users,), optional
        Users of one cluster are resampled, and their models swapped, together.
    statistic : {"mean", "root_mean"}, default "mean"
        "root_mean" is the square root of the mean, for RMSE from squared errors.
    test : {"permutation", "bootstrap"}, default "permutation"
        "permutation" swaps the two models at random for each user or cluster (all swaps, if there
        are at most `n_resamples`). "bootstrap" compares the difference with its replicates around
        their centre.
    method : {"bca", "percentile"}, default "bca"
        Kind of the interval, which is always a bootstrap interval.
    confidence : float, default 0.95
        Level of the interval.
    n_resamples : int, default 10000
        Replicates, at least 100.
    scheme : {"auto", "multinomial", "poisson"}, default "auto"
        Law of the bootstrap counts, as in `bootstrap_interval`.
    random_state : int, Generator or None, default 0
        Seed.
    n_threads : int, optional
        Threads; the result does not depend on them.

    Returns
    -------
    PairedTest

    Raises
    ------
    ValueError
        For arrays of unequal length, users with a value in one array only, or fewer than 2 users
        or clusters with a value.

    Notes
    -----
    Time O(n_resamples n_users), memory O(n_users + n_resamples). The smallest p-value of random
    permutations is 1 / (n_resamples + 1): the data count as one of them.

    References
    ----------
    .. [1] M. D. Smucker, J. Allan, B. Carterette, "A comparison of statistical significance tests
       for information retrieval evaluation", CIKM 2007.
    .. [2] B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", 2010.

    Examples
    --------
    >>> from aimass_core.evaluation import paired_test
    >>> paired_test([0.9, 0.4, 0.8, 0.7, 0.6, 0.9, 0.5], [0.5, 0.1, 0.6, 0.6, 0.4, 0.8, 0.3])
    a - b = +0.214 [0.157, 0.300], p = 0.0156
    """
    comparison = compare_models(
        {"a": {"": a}, "b": {"": b}},
        weights=weights,
        clusters=clusters,
        statistics={"": statistic},
        test=test,
        method=method,
        confidence=confidence,
        n_resamples=n_resamples,
        scheme=scheme,
        random_state=random_state,
        n_threads=n_threads,
    )
    return comparison.tests[0]


def compare_models(
    per_user: Mapping[str, Mapping[str, Any]],
    *,
    baseline: str | None = None,
    weights: Any = None,
    clusters: Any = None,
    statistics: Mapping[str, str] | None = None,
    test: str = "permutation",
    correction: str = "holm",
    method: str = "bca",
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    scheme: str = "auto",
    lower_is_better: Iterable[str] = LOWER_IS_BETTER,
    random_state: Any = 0,
    n_threads: int | None = None,
    executor: Any = None,
    place: Any = None,
) -> ModelComparison:
    """Return the interval of every model and metric and the tests of the pairs of models.

    All models and metrics share the resampling weights of a replicate, so one pass serves all.

    Parameters
    ----------
    per_user : dict of str to dict of str to array-like of float, shape (n_users,)
        Per-user values by model and metric, as in `EvaluationTable.per_user`. All models have the
        same metrics and the same users in the same order; NaN marks users that do not count.
    baseline : str, optional
        Name of a model; only the pairs of it and another model are tested. Default: all pairs.
    weights : array-like of float, shape (n_users,), optional
        Non-negative weights of the means.
    clusters : array-like of labels, shape (n_users,), optional
        Users of one cluster are resampled together. With fewer than about 30 clusters the
        intervals are too narrow.
    statistics : dict of str to {"mean", "root_mean"}, optional
        Statistic of a metric where it is not "mean".
    test : {"permutation", "bootstrap"}, default "permutation"
        As in `paired_test`.
    correction : {"holm", "benjamini-hochberg", "bonferroni", "none"}, default "holm"
        Correction of the p-values over the pairs of one metric.
    method : {"bca", "percentile"}, default "bca"
        Kind of the intervals.
    confidence : float, default 0.95
        Level of the intervals; a test is significant at 1 - `confidence`.
    n_resamples : int, default 10000
        Replicates, at least 100.
    scheme : {"auto", "multinomial", "poisson"}, default "auto"
        Law of the bootstrap counts.
    lower_is_better : iterable of str, default ("rmse", "mae", "mse")
        Metrics, without their cut-off, of which a smaller value is better.
    random_state : int, Generator or None, default 0
        Seed.
    n_threads : int, optional
        Threads; the result does not depend on them.
    executor : str or concurrent.futures.Executor, optional
        Where the replicates are computed, in ranges: "processes:N", "dask://host:port",
        "ray://host:port", or an object with the method ``submit``. The result is bit-identical.
        Default: this process.
    place : path-like or URL, optional
        Folder for the file of the values, which all workers see under this name, or the URL of one
        that they reach through fsspec. Default: a temporary folder.

    Returns
    -------
    ModelComparison

    Raises
    ------
    ValueError
        For models with other metrics, arrays of unequal length, users with a value for some models
        only, or fewer than 2 users or clusters with a value.

    Notes
    -----
    With m models, q metrics: time O(n_resamples n_users m q) multiply-adds, memory
    O((n_users + n_resamples) m q).

    Examples
    --------
    >>> import numpy as np
    >>> from aimass_core.evaluation import compare_models
    >>> rng = np.random.default_rng(0)
    >>> hits = rng.random((3, 400)) < np.array([[0.2], [0.3], [0.31]])
    >>> names = ["popular", "item-kNN", "ALS"]
    >>> result = compare_models({n: {"hit_rate": row} for n, row in zip(names, hits)})
    >>> result.best("hit_rate")
    ['item-kNN', 'ALS']
    >>> result.tests[0]
    hit_rate: popular - item-kNN = -0.100 [-0.160, -0.040], p = 0.0042 (adjusted)
    """
    options = _Options.of(method, scheme, confidence, n_resamples, random_state, n_threads)
    test = as_choice(test, "test", ("permutation", "bootstrap"))
    correction = as_choice(correction, "correction", CORRECTIONS)
    models, metrics, kinds = _names(per_user, baseline, statistics)
    arrays, used = [], []
    length = None
    for model in models:
        for metric in metrics:
            label = f"the values of model {model!r}" + (f", metric {metric!r}" if metric else "")
            array, used_weights = _checked(
                per_user[model][metric], label, weights, kinds[metric], length
            )
            length = len(array)
            arrays.append(array)
            used.append(used_weights)
    is_root = [kinds[m] == "root_mean" for _ in models for m in metrics]
    columns = RatioColumns.of(arrays, used, is_root, _codes(clusters, len(arrays[0])))
    _at_least_two(columns.n_rows, clusters is not None)
    _same_users(arrays, models, metrics)
    with open_runner(executor, place, "bootstrap", n_threads, takes_url=True) as runner:
        return _compared(
            columns,
            models,
            metrics,
            baseline,
            test,
            correction,
            options,
            tuple(lower_is_better),
            runner,
        )


def _names(
    per_user: Any, baseline: str | None, statistics: Mapping[str, str] | None
) -> tuple[list[str], list[str], dict[str, str]]:
    """Return names of models and metrics, and the statistic of each metric."""
    if not isinstance(per_user, Mapping) or not per_user:
        raise ValueError(
            "per_user must be {model: {metric: values}} with at least one model; "
            "evaluate(..., per_user=True).per_user is of this form"
        )
    models = list(per_user)
    for model in models:
        if not isinstance(per_user[model], Mapping) or not per_user[model]:
            raise ValueError(f"per_user[{model!r}] must be {{metric: values}}, and not empty")
        if set(per_user[model]) != set(per_user[models[0]]):
            raise ValueError(
                f"model {model!r} has the metrics {sorted(per_user[model])}, model {models[0]!r} "
                f"has {sorted(per_user[models[0]])}: give every model the same metrics"
            )
    if baseline is not None:
        as_choice(baseline, "baseline", models)
    metrics = list(per_user[models[0]])
    kinds = dict.fromkeys(metrics, "mean")
    for metric, statistic in (statistics or {}).items():
        as_choice(metric, "a key of statistics", metrics)
        kinds[metric] = as_choice(statistic, "statistic", STATISTICS)
    return models, metrics, kinds


def _same_users(arrays: list[Floats], models: list[str], metrics: list[str]) -> None:
    """Refuse users that have a value for some models only."""
    for j, metric in enumerate(metrics):
        missing = np.isnan(arrays[j])
        for i, model in enumerate(models[1:], 1):
            differs = np.isnan(arrays[i * len(metrics) + j]) != missing
            if differs.any():
                of = f" of {metric!r}" if metric else ""
                raise ValueError(
                    f"row {int(np.flatnonzero(differs)[0])} has a value{of} for one of the models "
                    f"{models[0]!r} and {model!r} only: compare models on the same users"
                )


def _compared(
    columns: RatioColumns,
    models: list[str],
    metrics: list[str],
    baseline: str | None,
    test: str,
    correction: str,
    options: _Options,
    lower_is_better: tuple[str, ...],
    runner: Runner,
) -> ModelComparison:
    law = law_of(options.scheme, columns.n_rows)
    n_metrics = len(metrics)
    estimates = columns.estimates()
    replicates = columns.replicates(law, options.n_resamples, options.seed, runner)
    intervals = {
        model: {
            metric: _interval(columns, c, float(estimates[c]), replicates[:, c], options)
            for j, metric in enumerate(metrics)
            for c in [i * n_metrics + j]
        }
        for i, model in enumerate(models)
    }
    pairs = [
        (i, k)
        for i in range(len(models))
        for k in range(i + 1, len(models))
        if baseline is None or baseline in (models[i], models[k])
    ]
    flips = None
    if test == "permutation" and pairs:
        flips = sign_flip_sums(columns.numerators, options.n_resamples, options.seed, runner)
    tests: list[PairedTest] = []
    for j, metric in enumerate(metrics):
        family = []
        for i, k in pairs:
            a, b = i * n_metrics + j, k * n_metrics + j
            result = _tested(columns, a, b, estimates, replicates, flips, options)
            family.append(replace(result, a=models[i], b=models[k], metric=metric))
        adjusted = adjust_p_values([t.p_value for t in family], method=correction)
        tests += [replace(t, adjusted_p_value=float(p)) for t, p in zip(family, adjusted)]
    return ModelComparison(intervals, tests, correction, lower_is_better)


def _tested(
    columns: RatioColumns,
    a: int,
    b: int,
    estimates: Floats,
    replicates: Floats,
    flips: Floats | None,
    options: _Options,
) -> PairedTest:
    """Return the difference of two columns with the same denominator."""
    difference = float(estimates[a] - estimates[b])
    drawn = replicates[:, a] - replicates[:, b]
    lower, upper = confidence_limits(
        options.method,
        difference,
        drawn,
        lambda: columns.influence(a) - columns.influence(b),
        options.confidence,
    )
    sums = columns.numerators[[a, b]].sum(axis=1)
    total = columns.denominators[columns.which[a]].sum()
    if flips is None:
        name = "bootstrap"
        known = drawn[np.isfinite(drawn)]
        null, n_all = np.abs(known - difference), len(known) + 1
    else:
        exact = len(flips) < options.n_resamples or 2**columns.n_rows == len(flips)
        name = "exact permutation" if exact else "permutation"
        swapped = flips[:, a] - flips[:, b]
        if columns.is_root[a]:
            both = sums.sum()
            swapped = np.sqrt(np.maximum((both + swapped) / (2 * total), 0)) - np.sqrt(
                np.maximum((both - swapped) / (2 * total), 0)
            )
        else:
            swapped = swapped / total
        null, n_all = np.abs(swapped), len(flips) + (0 if exact else 1)
    # Sums in another order differ in their last bits: equal up to rounding counts as equal.
    scale = np.abs(columns.numerators[[a, b]]).sum() / total
    tolerance = 1e-13 * (np.sqrt(scale) if columns.is_root[a] else scale)
    n_extreme = int((null >= abs(difference) - tolerance).sum())
    p_value = (n_extreme + (n_all - len(null))) / n_all
    return PairedTest(
        difference,
        lower,
        upper,
        float(np.nanstd(drawn, ddof=1)),
        p_value,
        p_value,
        options.confidence,
        name,
        columns.n_rows,
        len(null),
    )


def adjust_p_values(p_values: Any, *, method: str = "holm") -> Floats:
    """Return p-values corrected for multiple comparisons.

    Parameters
    ----------
    p_values : array-like of float
        Within [0, 1]; NaN stands for a test that was not made and does not count.
    method : {"holm", "benjamini-hochberg", "bonferroni", "none"}, default "holm"
        "holm" and "bonferroni" bound the chance of any false rejection, "benjamini-hochberg" the
        expected share of false rejections among all.

    Returns
    -------
    ndarray of float64, shape (n_tests,)
        A test is significant at level alpha if its adjusted p-value is at most alpha.

    Raises
    ------
    ValueError
        For p-values outside of [0, 1].

    References
    ----------
    .. [1] S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
    .. [2] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", 1995.

    Examples
    --------
    >>> from aimass_core.evaluation import adjust_p_values
    >>> adjust_p_values([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    >>> adjust_p_values([0.01, 0.04, 0.03], method="benjamini-hochberg").round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    method = as_choice(method, "method", CORRECTIONS)
    values = as_vector(p_values, "p_values", allow_nan=True, minimum=0.0, maximum=1.0)
    adjusted = values.copy()
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    n = len(order)
    ranked = values[order]
    if method == "bonferroni":
        adjusted[order] = np.minimum(ranked * n, 1.0)
    elif method == "holm":
        adjusted[order] = np.minimum(np.maximum.accumulate(ranked * np.arange(n, 0, -1)), 1.0)
    elif method == "benjamini-hochberg":
        scaled = ranked * n / np.arange(1, n + 1)
        adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted
