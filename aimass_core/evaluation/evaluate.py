"""Fit models, query them for lists or ratings by blocks, and compute metrics of the answers."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arguments import explains_names
from ..base.estimator import Estimator, clone
from ..base.executor import open_runner
from ..base.foreign import AdaptedModel, as_recommender
from ..base.progress import Progress, logger
from ..base.validation import as_bool, as_int
from ._intervals import IntervalOptions, Sample
from ._judged import as_lists
from ._metrics import COUNT_METRICS, RATING_METRICS, SCORE_METRICS, Column, parse_metrics
from ._split_files import SharedSplits, SplitFiles
from ._task import N_SCORES, WARM, Task, make_task, row_blocks
from .table import EvaluationTable

if TYPE_CHECKING:
    from ..base.progress import Event

__all__ = ["evaluate"]


@explains_names
def evaluate(
    models: Any,
    split: Any,
    *,
    metrics: Any = ("recall", "ndcg"),
    k: int | Sequence[int] = 10,
    threshold: float | None = None,
    repeats: str | None = None,
    exclude_seen: bool | None = None,
    fallback: str = "popular",
    unknown_items: str = "miss",
    item_features: Any = None,
    user_features: Any = None,
    candidates: str = "all",
    popularity: Any = None,
    intervals: bool | None = None,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    fit: bool = True,
    per_user: bool = False,
    block_size: int = 4096,
    random_state: Any = 0,
    n_threads: int | None = None,
    executor: Any = None,
    place: Any = None,
    callback: Callable[[Event], Any] | None = None,
    verbose: bool = False,
) -> EvaluationTable:
    """Fit models on one part of the data and compute metrics of their lists on the other part.

    A column such as "recall@10" is the mean over all test users. Users without an entry in train
    (cold users) get the lists of `fallback`, the same ones for every model. Where there are cold
    users, a second column "recall@10:warm" is the mean over the others. The result counts the users
    and items of the test part that train does not know.

    Parameters
    ----------
    models : model, list of models or dict of str to model
        Anything with ``fit`` and ``recommend`` (``predict`` for rating metrics, ``recommend_new``
        for a split by users). The models themselves stay as they are: clones are fitted.
    split : Split, pair (train, test), or iterable or dict of these
        `Interactions` are joined by id. Two matrices must have the same shape. With
        ``split.fold_in``, users are unknown to the model: lists come from ``fold_in`` and are
        judged on ``split.holdout``. Several splits are folds: the result holds the means over the
        folds, their standard deviations and the table of each fold.
    metrics : str, callable or list of these, default=("recall", "ndcg")
        Names of this package's metrics, optionally with a cut-off ("recall@20"). Usual names such
        as "map", "mrr" and "hr" work. A callable is called per block as
        ``f(lists, relevant, k=k, mean=False)`` and returns one value per user.
    k : int or list of int, default=10
        Cut-offs for metrics without their own.
    threshold : float, optional
        Test entries of at least this value, and above 0, are relevant; default: all above 0.
        Rating metrics use all test entries.
    repeats : {"exclude", "include", "only"}, optional
        What to do with test entries whose user and item are a pair of train, too. "exclude": they
        are not relevant, and lists leave out the user's items of train. "include": they are
        relevant, and lists may hold items of train. "only": no other entries are relevant, and
        lists hold only items that the user has in train. Default: the ``repeats`` of
        the split, else "exclude".
    exclude_seen : bool, optional
        True is ``repeats="exclude"``, False is ``repeats="include"``.
    fallback : {"popular", "empty", "model"}, default="popular"
        Lists of cold users: the most popular items of train, empty lists, or
        what the model itself returns (empty for users who have no row in train).
    unknown_items : {"miss", "drop"}, default="miss"
        Whether relevant items without an entry in train count as misses, or are left out. They are
        counted in both cases.
    item_features : table, FeatureTable, matrix of shape (n_items, n_features), optional
        Given to the models that use features of items, at the fit and, for items that train does
        not number, with each query. For "diversity": what items are compared by. The rows of
        `Interactions` are item ids. A table is encoded by `Features`, on all of its rows.
    user_features : table, FeatureTable or matrix of shape (n_users, n_features), optional
        Given to the models that use features of users. With ``fallback="model"`` these serve users
        without an entry in train by their features.
    candidates : {"all", "new"}, default="all"
        "new": lists hold only items without an entry in train, as for `split.cold_items`.
    popularity : array of float, shape (n_items,), optional
        For "novelty" and "popularity_complement": share of users who have each item. Default:
        counted in train.
    intervals : bool, optional
        Whether the result has confidence intervals and tests between the models (paired over
        users, Holm's correction over the pairs of models). Default: for up to 10 models, computed
        when the result is first shown, if they are cheap.
    confidence : float, default=0.95
        Level of the intervals.
    n_resamples : int, default=10000
        Bootstrap replicates and random permutations.
    fit : bool, default=True
        False for models that are fitted already, on `split.train`. The result warns of a model that
        was fitted on test entries.
    per_user : bool, default=False
        Keep the values of each user in ``per_user``.
    block_size : int, default=4096
        Users per call of ``recommend``.
    random_state : int or Generator, default=0
        Seed of the resampling.
    n_threads : int, optional
        Threads of ``recommend`` and of the resampling.
    executor : str or concurrent.futures.Executor, optional
        Where folds are evaluated, one in a task: "processes:N", "dask://host:port",
        "ray://host:port", or an object with the method ``submit``. The metrics are bit-identical to
        those of one process. Default: this process.
    place : path-like, optional
        Folder for the files of the folds, which all workers see under this name. Default: a
        temporary folder.
    callback : callable, optional
        Called with an `Event` after each block of users: the stage is the name of the model, the
        steps are test users (and one step for all rating metrics). A true result ends the
        evaluation after the model that is under way, for several splits after the fold. On an
        executor it is called after each fold, in their order.
    verbose : bool, default=False
        Show a progress bar for each model that takes more than two seconds.

    Returns
    -------
    EvaluationTable
        Rows are models, columns the metrics and the seconds for fit and recommend.

    Raises
    ------
    TypeError
        Where one part has ids and the other has none, or ids of another type.
    ValueError
        Without any model, for unknown metrics, matrices of different shapes, a test part without
        relevant items, or one without any user of train.

    Notes
    -----
    Features are checked for leaks of the test part: a single feature that tells the items (or
    users) with more relevant test entries than the median from the others, with an area under the
    ROC curve of at least 0.99, is named in ``feature_leaks`` and below the table. Known and new
    items are checked separately, where both classes have at least 20 rows.

    Users without relevant test items are not queried. Memory O(block_size k) beside the models and
    one number per user, metric and model (none with ``intervals=False``): never a users x items
    table, except that "auc" scores all items for a block of users.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from aimass_core import ItemKNN
    >>> from aimass_core.evaluation import evaluate
    >>> train = sp.csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 1]])
    >>> test = sp.csr_array([[0, 0, 1], [0, 0, 0], [0, 1, 0]])
    >>> evaluate(ItemKNN(), (train, test), k=1)["ItemKNN"]["recall@1"]
    1.0
    """
    columns, rated = parse_metrics(metrics, k)
    if exclude_seen is not None:
        if repeats is not None:
            raise ValueError("give repeats= or exclude_seen=, not both")
        repeats = "exclude" if exclude_seen else "include"
    options = IntervalOptions.of(intervals, confidence, n_resamples, random_state, n_threads)
    run = _Run(
        columns,
        rated,
        {
            "threshold": threshold,
            "repeats": repeats,
            "fallback": fallback,
            "unknown_items": unknown_items,
            "item_features": item_features,
            "user_features": user_features,
            "candidates": candidates,
            "popularity": popularity,
            "n_threads": n_threads,
        },
        options,
        fit,
        per_user,
        as_int(block_size, "block_size", minimum=1),
        callback,
        as_bool(verbose, "verbose"),
    )
    named = _named(models)
    folds = _folds(split)
    if folds is None:
        if executor is not None:
            raise ValueError("executor evaluates folds: give several splits, or leave it out")
        return run.table(named, split)
    if not fit:
        raise ValueError(
            "fit=False needs a single split: a model that is fitted already has seen the test part "
            "of the other folds"
        )
    if executor is not None:
        return EvaluationTable.mean_of(run.tables_of(named, dict(folds), executor, place))
    if place is not None:
        raise ValueError("place has no effect without executor: leave it out")
    tables = {}
    for label, fold in folds:
        tables[label] = run.table(named, fold, ends_early=False)
        if run.is_ended:
            break
    return EvaluationTable.mean_of(tables)


def _table_of_fold(fold: Any, run: _Run, models: dict[str, Any]) -> EvaluationTable:
    split = fold.load() if isinstance(fold, SplitFiles) else fold
    return run.table(models, split)


def _named(models: Any) -> dict[str, Any]:
    """Return models by name; names of classes are numbered where they repeat."""
    named: dict[str, Any] = {}
    if isinstance(models, Mapping):
        named = {str(name): model for name, model in models.items()}
        if len(named) < len(models):
            raise ValueError("models has two names with the same text: rename one of them")
        models = []
    for model in (
        models if isinstance(models, Iterable) and not isinstance(models, str) else [models]
    ):
        name, n = type(model).__name__, 1
        while name in named:
            n += 1
            name = f"{type(model).__name__} {n}"
        named[name] = model
    if not named:
        raise ValueError("models must hold at least one model")
    return named


def _folds(split: Any) -> Iterator[tuple[Any, Any]] | None:
    """Return labels and splits of several folds, or None for a single split."""
    if isinstance(split, Mapping):
        return iter(split.items())
    is_pair = isinstance(split, tuple) and len(split) == 2 and not hasattr(split[0], "train")
    if is_pair or not isinstance(split, (list, tuple, Iterator)):
        return None
    return ((number, fold) for number, fold in enumerate(split, 1))


def _unfitted(model: Any) -> Any:
    """Return a copy to fit, so that the caller's model stays as it is."""
    if isinstance(model, Estimator) and not isinstance(model, AdaptedModel):
        return clone(model)
    return copy.deepcopy(model)


@dataclass
class _Run:
    """The checked arguments of one call of `evaluate`."""

    columns: list[Column]
    rated: list[Column]
    task_options: dict[str, Any]
    intervals: IntervalOptions
    fit: bool
    per_user: bool
    block_size: int
    callback: Callable[[Event], Any] | None
    verbose: bool
    is_ended: bool = False  # by a true result of the callback

    def table(
        self, models: dict[str, Any], split: Any, *, ends_early: bool = True
    ) -> EvaluationTable:
        """Evaluate every model on one split, with ``ends_early`` up to one that ends the work."""
        task = make_task(split, self.columns, **self.task_options)
        self._check(task)
        table = EvaluationTable(
            {},
            task.rows,
            counts=task.counts,
            fallback=task.fallback,
            repeats=task.repeats,
            feature_leaks=task.feature_leaks(),
        )
        for name, area in table.feature_leaks.items():
            logger.warning("evaluate: %s alone tells the test part (AUC %.3f)", name, area)
        keeps = self.per_user or self.intervals.keeps_values(len(models))
        lists = Sample(task.rows, task.users)
        roots = [
            c.title + suffix for c in self.rated if c.metric == "rmse" for suffix in ("", WARM)
        ]
        rated_rows = task.pairs()[0] if self.rated else task.rows[:0]
        errors = Sample(rated_rows, task.users, roots=frozenset(roots))
        for name, model in models.items():
            if self.is_ended and ends_early:
                break
            with self._progress(name, task) as progress:
                self._add(table, name, model, task, (lists, errors) if keeps else (), progress)
        if self.per_user:
            table.per_user = dict(lists.values)
        if self.intervals.keeps_values(len(models)):
            table._samples = [sample for sample in (lists, errors) if sample.values]
        table._options = self.intervals
        table.leaks = {name: n for name, n in table.leaks.items() if n}
        for name, n in table.leaks.items():
            logger.warning("evaluate: model %r was fitted on %d of the test entries", name, n)
        if self.intervals.wanted:
            _ = table.comparison
        return table

    def tables_of(
        self, models: dict[str, Any], folds: dict[Any, Any], executor: Any, place: Any
    ) -> dict[Any, EvaluationTable]:
        """Evaluate every model on each fold, one fold in a task of an executor."""
        quiet = replace(self, callback=None, verbose=False)
        tables = {}
        with (
            open_runner(executor, place, "evaluate", self.task_options["n_threads"]) as runner,
            Progress("folds", len(folds), callback=self.callback, verbose=self.verbose) as progress,
        ):
            quiet.task_options = {**self.task_options, "n_threads": runner.n_threads}
            shared = SharedSplits(runner).shared(list(folds.values()))
            results = runner.map(_table_of_fold, shared, quiet, models)
            for number, (label, table) in enumerate(zip(folds, results), 1):
                tables[label] = table
                if progress.step(number):
                    break
        return tables

    def _progress(self, name: str, task: Task) -> Progress:
        """Return the reporter of one model: a step for each user, and one for rating metrics."""
        n_steps = len(task.rows) * bool(self.columns) + bool(self.rated)
        return Progress(name, n_steps, callback=self.callback, verbose=self.verbose)

    def _add(
        self,
        table: EvaluationTable,
        name: str,
        model: Any,
        task: Task,
        samples: tuple[Sample, ...],
        progress: Progress,
    ) -> None:
        """Add the row of a model to a table, and its values to the samples of lists and errors."""
        if not hasattr(model, "recommend") or isinstance(model, type):
            model = as_recommender(model)
        start = time.perf_counter()
        if self.fit:
            model = _unfitted(model).fit(task.train, **task.features.for_fit(model))
        else:
            table.leaks[name] = task.fitted_test_entries(model)
        seconds = {"fit_s": time.perf_counter() - start}
        row: dict[str, float] = {}
        values: list[dict[str, Any]] = [{}, {}]
        if self.columns:
            parts, seconds["recommend_s"] = self._list_values(task, model, progress)
            values[0] = _means(task, parts, row)
        if self.rated:
            start = time.perf_counter()
            values[1] = self._rating_values(task, name, model, row)
            seconds["predict_s"] = time.perf_counter() - start
            self.is_ended |= progress.step(progress.n_steps, model=model)
        for sample, of_users in zip(samples, values, strict=False):
            if of_users:
                sample.values[name] = of_users
        plain = {title: value for title, value in row.items() if not title.endswith(WARM)}
        table.rows[name] = {**plain, **row, **seconds}

    def _check(self, task: Task) -> None:
        """Raise ValueError for a split that the metrics cannot be computed on."""
        if self.rated and task.profiles is not None:
            raise ValueError(
                f"{self.rated[0].title} needs known users; use a split with users in both parts"
            )
        if self.columns and not len(task.rows):
            problem = "test holds no relevant item; lower threshold or split otherwise"
            if task.counts.repeats and task.repeats == "exclude":
                problem += (
                    f"; {task.counts.repeats} entries that repeat train are left out: pass "
                    "repeats='include' to count them"
                )
            raise ValueError(problem)
        if self.columns and not task.is_warm.any() and task.fallback != "model":
            raise ValueError(
                f"none of the {len(task.rows)} test users has an entry in train: join the parts by "
                "the ids of the same users, use split.strong_generalization for new users, or pass "
                "fallback='model' for a model that needs no history"
            )

    def _list_values(
        self, task: Task, model: Any, progress: Progress
    ) -> tuple[dict[str, tuple[Any, Any]], float]:
        """Return the values of warm and cold users by column, and the seconds in the model."""
        parts: dict[str, tuple[list[Any], list[Any]]] = {
            column.title: ([], []) for column in self.columns
        }
        seconds, done = 0.0, 0
        size = self.block_size
        if task.needs_scores:
            size = max(1, min(size, N_SCORES // max(task.n_items, 1)))
        for is_cold, rows in ((False, task.warm_rows), (True, task.cold_rows)):
            for block in row_blocks(rows, size):
                values_of_block: dict[str, Any] = {}
                if task.needs_lists:
                    start = time.perf_counter()
                    result = (
                        task.fallback_lists(model, block)
                        if is_cold
                        else task.lists(model, block, task.k)
                    )
                    seconds += time.perf_counter() - start
                    values_of_block = task.values(as_lists(result), block)
                for column in self.columns:
                    if column.metric in SCORE_METRICS:
                        values_of_block[column.title] = task.area_under_curve(model, block, is_cold)
                for title, values in values_of_block.items():
                    parts[title][is_cold].append(values)
                done += len(block)
                self.is_ended |= progress.step(done, model=model)
        joined = {}
        for column in self.columns:
            warm, cold = parts[column.title]
            joined[column.title] = (_combined(column, warm), _combined(column, cold))
        return joined, seconds

    def _rating_values(
        self, task: Task, name: str, model: Any, row: dict[str, float]
    ) -> dict[str, Any]:
        """Set the rating metrics of a row; return the error of each test entry."""
        if not getattr(model, "predicts_ratings", True):
            raise ValueError(
                f"metrics: {self.rated[0].title!r} needs ratings, but model {name!r} only ranks; "
                "leave it out, or take a model of ratings (ItemKNN or UserKNN with "
                "aggregation='mean')"
            )
        predicted, truth = task.predictions(model), task.truth.data.astype(np.float64)
        _, _, is_known = task.pairs()
        errors: dict[str, Any] = {}
        parts = [("", np.ones(len(truth), dtype=bool))]
        if is_known.any() and not is_known.all():
            parts.append((WARM, is_known))
        for suffix, chosen in parts:
            for column in self.rated:
                metric = str(column.metric)
                row[column.title + suffix] = RATING_METRICS[metric](
                    truth[chosen], predicted[chosen]
                )
                if metric != "r2":
                    error = np.abs(truth - predicted)
                    error = error if metric == "mae" else error * error
                    errors[column.title + suffix] = np.where(chosen, error, np.nan)
        return errors


def _combined(column: Column, parts: list[Any]) -> Any:
    """Return the values of a column over all blocks: joined values of users, or sums of counts."""
    if not parts:
        return None
    return np.sum(parts, axis=0) if column.metric in COUNT_METRICS else np.concatenate(parts)


def _means(task: Task, values: dict[str, tuple[Any, Any]], row: dict[str, float]) -> dict[str, Any]:
    """Set the means of a row; return each user's values, NaN for users who are not counted."""
    per_user: dict[str, Any] = {}
    has_cold = not task.is_warm.all()
    n_warm = int(task.is_warm.sum())
    for column in task.columns:
        warm, cold = values[column.title]
        if column.metric in COUNT_METRICS:
            metric = COUNT_METRICS[str(column.metric)]
            total = sum(part for part in (warm, cold) if part is not None)
            row[column.title] = metric(total, len(task.rows), column.k)
            if has_cold and warm is not None:
                row[column.title + WARM] = metric(warm, n_warm, column.k)
            continue
        every = np.full(len(task.rows), np.nan)
        for part, mask in ((warm, task.is_warm), (cold, ~task.is_warm)):
            if part is not None:
                every[mask] = part
        row[column.title] = _mean(every)
        per_user[column.title] = every
        if has_cold and warm is not None:
            only_warm = np.where(task.is_warm, every, np.nan)
            row[column.title + WARM] = _mean(only_warm)
            per_user[column.title + WARM] = only_warm
    return per_user


def _mean(values: Any) -> float:
    """Return the mean of the values that are not NaN; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
