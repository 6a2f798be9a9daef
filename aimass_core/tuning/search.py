"""Search for the best model and setting on held-out data.

A search never scores a setting on rows that it was fitted on: each fold is a split that checks
itself for leaks, and the test part, on which the winner is evaluated, is in no fold. Settings that
differ in the number of neighbours or in the number of epochs only share one fit.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.arguments import explains_names
from ..base.executor import LOCAL, open_runner
from ..base.foreign import as_recommender
from ..base.progress import Progress, logger
from ..base.random import as_seed
from ..base.recommender import Recommender
from ..base.registry import find, model_names, models_with, name_of
from ..base.validation import as_choice, as_float, as_int
from ..data import Interactions
from ..data import split as splits
from ..data.split import Split
from ..evaluation import bootstrap_interval, evaluate
from ..evaluation._features import Features
from ..evaluation._metrics import parse_metrics
from ..evaluation._split_files import SharedSplits
from ..evaluation.resampling import LOWER_IS_BETTER
from ._journal import Journal, fingerprint, plain
from ._scoring import TIME_IS_OVER, column_of_metric, score_settings
from ._sharing import shared_parameter
from .default_spaces import RATINGS, default_space, has_rating_space
from .result import SearchResult, Trial
from .space import Choice, Space, as_space, grid_settings, sample_setting

if TYPE_CHECKING:
    from ..evaluation import Interval

__all__ = ["nested_tune", "tune"]

METHODS = ("random", "grid", "halving", "tpe", "cma-es")


@dataclass(frozen=True)
class _Candidate:
    """A model class, its fixed parameters and its space."""

    name: str
    cls: Any
    fixed: dict[str, Any]
    space: Space


@dataclass
class _Search:
    """What all trials of a search share."""

    folds: list[Split]
    metric: str
    lower_is_better: bool
    journal: Journal
    n_jobs: int
    deadline: float
    n_threads: int | None
    progress: Progress
    features: Features
    runner: Any = LOCAL
    trials: list[Trial] = field(default_factory=list)
    is_any_done: bool = False
    share: float = math.inf  # seconds of the first trial of a model
    seconds: dict[str, float] = field(default_factory=dict)  # that each model took
    running: dict[str, list[float]] = field(default_factory=dict)  # when its trials began
    n_started: dict[str, int] = field(default_factory=dict)  # groups of settings

    def __post_init__(self) -> None:
        self.shared_folds = SharedSplits(self.runner)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline

    # The following are called by the thread that runs the search.

    def begin(self, names: Iterable[str], *, are_equal: bool = True) -> None:
        """Divide the time to the deadline among models, equally or without a share for each."""
        names = list(names)
        self.seconds = dict.fromkeys(names, 0.0)
        self.running = {name: [] for name in names}
        self.n_started = dict.fromkeys(names, 0)
        left = self.deadline - time.monotonic()
        self.share = left / len(names) if are_equal and names else math.inf

    def turn(self, name: str) -> tuple[float, int]:
        """Return the key by which the next model is chosen: the smallest one has its turn.

        With a time limit it is the model that took the least time, otherwise all take turns.
        """
        if math.isinf(self.deadline):
            return 0.0, self.n_started[name]
        now = time.monotonic()
        running = sum(now - began for began in self.running[name])
        return self.seconds[name] + running, self.n_started[name]

    def start(self, name: str) -> float:
        """Return how many seconds the next trial of a model may take."""
        is_first = self.n_started[name] == 0
        self.n_started[name] += 1
        is_alone = all(self.n_started.values()) and not any(self.running.values())
        now = time.monotonic()
        self.running[name].append(now)
        if is_alone and not self.is_any_done:
            return math.inf  # some trial must be done
        return max(min(self.share if is_first else math.inf, self.deadline - now), 0.0)

    def end(self, name: str, trials: Iterable[Trial]) -> None:
        """Take the time and the success of trials of a model into account."""
        trials = list(trials)
        if self.running[name]:
            self.running[name].pop(0)
        self.seconds[name] += sum(trial.seconds for trial in trials)
        self.is_any_done |= any(trial.state == "done" for trial in trials)

    def key(self, trial: Trial) -> float:
        """Return the key by which trials are sorted: smaller is better, failures last."""
        if math.isnan(trial.score):
            return math.inf
        return trial.score if self.lower_is_better else -trial.score


@explains_names
def tune(
    models: Any,
    data: Any,
    *,
    space: Mapping[str, Any] | None = None,
    metric: str = "ndcg@10",
    method: str = "random",
    n_trials: int | None = None,
    n_points: int = 4,
    time_limit: float | None = None,
    validation: Any = None,
    test: Any = None,
    min_resource: float = 1 / 9,
    eta: int = 3,
    refit: bool = True,
    journal: Any = None,
    n_jobs: int = 1,
    n_threads: int | None = None,
    random_state: Any = 0,
    callback: Callable[[Any], Any] | None = None,
    verbose: bool = False,
    executor: Any = None,
    place: Any = None,
    item_features: Any = None,
    user_features: Any = None,
) -> SearchResult:
    """Search for the best setting of one model or of many.

    Parameters
    ----------
    models : model, class, registered name, list of these, dict of name to one of these, or None
        A model instance keeps its own parameters where the space has none. None: every model of
        the package that ranks (or rates, for a rating metric) and needs nothing but the
        interactions. Neural networks must be named; so must models that rank by features, unless
        the features that they use are given.
    data : Interactions or Split
        Interactions are split into train and test first. The test part of a split is kept for the
        judgement of the winner.
    space : dict of str to list, Choice or Range, optional
        What may be tried, or a dict by model name of such dicts, which several models need.
        A NumPy array or a column of a data frame is a list of values, too, and ``loguniform``,
        ``uniform`` and ``randint`` of ``scipy.stats`` are ranges.
        Default: `default_space` of each model.
    metric : str, default "ndcg@10"
        Name of any metric of `evaluate`, with its cut-off.
    method : {"random", "grid", "halving", "tpe", "cma-es"}, default "random"
        "halving" tries many settings on a part of the users and keeps the best third for the next
        round; a time limit is divided equally among the rounds. "tpe" and "cma-es" use Optuna.
    n_trials : int, optional
        Settings of each model. Default 20, or no limit with a time limit. Not used by "grid".
    n_points : int, default 4
        Points of each `Range` in a grid.
    time_limit : float, optional
        Seconds after which no further trial starts, and the next step of a running one ends it.
        The first trial of a model may take an equal share of this time. Then the model that took
        the least time has the next trial. At least one trial is completed.
    validation : callable, list of Split, or int, optional
        How the train part is split again: ``f(interactions)`` returns a split or several (folds);
        an int is that number of random folds. Default: the newest 10 % of the interactions, or
        10 % at random where there are no timestamps.
    test : callable, optional
        How interactions are split into train and test, likewise. Default: 20 %. False: no test
        part.
    min_resource : float, default 1/9
        Share of the users in the first round of "halving".
    eta : int, default 3
        Factor between the rounds of "halving".
    refit : bool, default True
        Fit the winner on the whole train part.
    journal : path, optional
        File with every finished trial. An interrupted search continues from it.
    n_jobs : int, default 1
        Fits at the same time, in threads: kernels release the global interpreter lock.
    n_threads : int, optional
        Threads of each fit and evaluation. Default: all with one job, 1 with several.
    random_state : int, Generator or None, default 0
        Seed of settings and splits.
    callback : callable, optional
        Called with an `Event` after each trial; a true result ends the search.
    verbose : bool, default False
        Show a progress bar.
    executor : str or concurrent.futures.Executor, optional
        Where settings are fitted and evaluated: "processes:N", "dask://host:port",
        "ray://host:port", or an object with the method ``submit``. The trials are the same. At most
        `n_jobs` run at the same time, or as many as the workers of "processes:N". Default: threads
        of this process.
    place : path-like, optional
        Folder for the folds, which all workers see under this name. Default: a temporary folder.
    item_features : table, FeatureTable or matrix of shape (n_items, n_features), optional
        Given to the models that use features of items, for every fit and evaluation, as in
        `evaluate`. A table is encoded once for all trials.
    user_features : table, FeatureTable or matrix of shape (n_users, n_features), optional
        Features of users, likewise.

    Returns
    -------
    SearchResult

    Raises
    ------
    ValueError
        For unknown parameters, an empty list of models, leaking splits, features that no model
        uses, or if every trial failed.
    ImportError
        For "tpe" and "cma-es" without Optuna.

    Notes
    -----
    A trial that raises counts as failed, and the search goes on. The trials do not depend on
    `n_jobs`, except that a time limit may end them elsewhere.

    References
    ----------
    .. [1] J. Bergstra, Y. Bengio, "Random search for hyper-parameter optimization", JMLR 13, 2012.
    .. [2] K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and hyperparameter
       optimization", AISTATS 2016 (successive halving).

    Examples
    --------
    >>> from aimass_core import datasets
    >>> from aimass_core.tuning import tune
    >>> x = datasets.make_store(n_users=300, n_items=60, n_interactions=4000).to_interactions()
    >>> result = tune("item-knn", x, space={"n_neighbors": [5, 20, 50]}, method="grid")
    >>> len(result), result.best_params_["n_neighbors"] in (5, 20, 50)
    (3, True)
    """
    method = as_choice(method, "method", METHODS)
    seed = as_seed(random_state)
    check_metric(metric)
    train, test_split = _outer(data, test, seed)
    features = Features.of(item_features, user_features, train)
    candidates = _candidates(models, space, metric, features)
    folds = _folds(train, validation, seed)
    name = metric.partition("@")[0]
    lower = name in LOWER_IS_BETTER
    n_jobs = as_int(n_jobs, "n_jobs", minimum=1)
    limit = None if time_limit is None else as_float(time_limit, "time_limit", above=0)
    if n_trials is None:
        n_trials = 20 if limit is None else 10_000
    n_trials = as_int(n_trials, "n_trials", minimum=1)
    threads = 1 if n_threads is None and n_jobs > 1 else n_threads
    share = as_float(min_resource, "min_resource", above=0, maximum=1)
    eta = as_int(eta, "eta", minimum=2)
    settings = _settings(
        candidates, method, n_trials, as_int(n_points, "n_points", minimum=1), seed
    )
    n_all = sum(n for _, _, n in settings)
    with (
        open_runner(executor, place, "tune", threads) as runner,
        Progress("searching", n_all, callback=callback, verbose=verbose) as progress,
    ):
        if not runner.is_local:
            n_jobs = max(n_jobs, int(getattr(runner.executor, "n_workers", 1)))
            threads = runner.n_threads
        search = _Search(
            folds,
            metric,
            lower,
            _journal(journal, folds, metric, f"halving {seed}" * (method == "halving"), features),
            n_jobs,
            math.inf if limit is None else time.monotonic() + limit,
            threads,
            progress,
            features,
            runner,
        )
        if method == "halving":
            _halve(search, [(c, g) for c, g, _ in settings], share, eta, seed)
        elif method in ("grid", "random"):
            _run(search, _by_turns(search, [(c, g) for c, g, _ in settings]), 1.0)
        else:
            from ._optuna import run_studies

            run_studies(search, candidates, method, n_trials, seed, _evaluate_group)
        _complete_one(search, candidates)
    return _finished(search, candidates, train, test_split, refit)


@explains_names
def nested_tune(
    models: Any, outer: Iterable[Split], **options: Any
) -> tuple[list[SearchResult], float]:
    """Search anew on the train part of each outer split, and evaluate each winner on its test part.

    Parameters
    ----------
    models : as in `tune`
        What is searched.
    outer : iterable of Split
        Outer folds, for example ``split.k_fold(x)`` or splits at several moments.
    **options
        The options of `tune`.

    Returns
    -------
    results : list of SearchResult
        One for each outer fold.
    score : float
        Mean of the winners' scores on the test parts: an estimate for the whole procedure, which
        the choice of the best setting does not make too good.

    Raises
    ------
    ValueError
        As `tune`; without any outer split.

    Examples
    --------
    >>> from aimass_core import datasets
    >>> from aimass_core.data import split
    >>> from aimass_core.tuning import nested_tune
    >>> x = datasets.make_store(n_users=300, n_items=60, n_interactions=4000).to_interactions()
    >>> outer = split.k_fold(x, n_splits=3, random_state=0)
    >>> results, score = nested_tune("popularity", outer)
    >>> len(results), 0 < score < 1
    (3, True)
    """
    results = [tune(models, fold, **options) for fold in outer]
    if not results:
        raise ValueError("outer must hold at least one split")
    scores = []
    for result in results:
        if result.best_model_ is None:
            raise ValueError("nested_tune evaluates the refitted winners: leave out refit=False")
        scores.append(result.test_score_)
    return results, float(np.mean(scores))


def _journal(
    path: Any, folds: list[Split], metric: str, resource: str, features: Features
) -> Journal:
    return Journal(path, "" if path is None else fingerprint(folds, metric, resource, features))


def check_metric(metric: Any) -> None:
    """Refuse a metric that `evaluate` does not know, before any fit.

    Parameters
    ----------
    metric : object
        What the caller gave.
    """
    if not isinstance(metric, str):
        raise TypeError(f"metric must be the name of one metric, such as 'ndcg@10', got {metric!r}")
    parse_metrics([metric], 10)


# ---- what is searched ------------------------------------------------------------------------


def _candidates(models: Any, space: Any, metric: str, features: Features) -> list[_Candidate]:
    is_rating = metric.partition("@")[0] in RATINGS
    if models is None:
        models = [n for n in model_names() if suits_search(find(n), is_rating, features.given)]
    if isinstance(models, (str, type)) or hasattr(models, "fit"):
        models = [models]
    names = list(map(str, models)) if isinstance(models, Mapping) else None
    models = list(models.values()) if isinstance(models, Mapping) else list(models)
    if not models:
        raise ValueError("models must name at least one model")
    several = len(models) > 1
    by_name = (
        isinstance(space, Mapping)
        and len(space) > 0
        and all(isinstance(part, Mapping) for part in space.values())
    )
    result: list[_Candidate] = []
    for i, model in enumerate(models):
        cls = find(model) if isinstance(model, str) else model
        fixed: dict[str, Any] = {}
        if not isinstance(cls, type):
            fixed = {n: getattr(cls, n) for n in inspect.signature(type(cls)).parameters}
            cls = type(cls)
        name = (name_of(cls) or cls.__name__) if names is None else names[i]
        while any(c.name == name for c in result):
            name += "'"
        given = space
        if space is not None and several and not by_name:
            raise ValueError("space must be {model name: {parameter: values}} for many models")
        if by_name:
            given = space.get(name)
        own = default_space(cls, name_of(cls), metric=metric) if given is None else as_space(given)
        known = sorted(inspect.signature(cls).parameters)
        unknown = sorted(own.keys() - set(known))
        if unknown:
            raise ValueError(
                f"space has {unknown[0]!r}, but {cls.__name__} has the parameters "
                f"{', '.join(known)}"
            )
        result.append(_Candidate(name, cls, fixed, own))
    if by_name:
        extra = sorted(set(space) - {c.name for c in result})
        if extra:
            raise ValueError(f"space has {extra[0]!r}, which is none of the models")
    for name in features.given:
        if not any(getattr(c.cls, f"uses_{name}", False) for c in result):
            raise ValueError(
                f"{name}: none of the models uses them; models that do: "
                f"{', '.join(models_with(f'uses_{name}'))}"
            )
    return result


def suits_search(cls: Any, is_rating: bool, given: Sequence[str] = ()) -> bool:
    """Return whether a search of every model tries this one.

    Models that need further input, or an optional package, take part if they are named. So do
    models that rank by features of users or items, unless some that they use are given: without
    features they equal another model.

    Parameters
    ----------
    cls : class
        A registered model.
    is_rating : bool
        Whether the metric is one of predicted ratings.
    given : sequence of str, default ()
        Those of "item_features" and "user_features" that the search has.
    """
    if not issubclass(cls, Recommender):  # another author's class, whose parameters are unknown
        return False
    if cls.requires or cls.needs_extra or cls.__name__ == "ContextKNN":
        return False
    if not set(cls.needs_features) <= set(given):
        return False
    rates = getattr(cls, "predicts_ratings", False)
    if is_rating:
        return bool(rates) or has_rating_space(name_of(cls))
    if cls.uses_item_features or cls.uses_user_features:
        return any(getattr(cls, f"uses_{name}") for name in given)
    return rates is False or not isinstance(rates, bool)


def _outer(data: Any, test: Any, seed: int) -> tuple[Interactions, Split | None]:
    """Return the part for the search, and the split whose test part evaluates the winner."""
    if isinstance(data, Split):
        if data.fold_in is not None:
            raise ValueError(
                "data must be a split of known users: tune splits its train part again, and a "
                "split by users has no test entries for these"
            )
        return data.train, data
    if not isinstance(data, Interactions):
        raise TypeError(
            f"data must be Interactions or a Split, got {type(data).__name__}; see "
            "Interactions.from_table and Interactions.from_csr"
        )
    if test is False:
        return data, None
    parts = _default_split(data, 0.2, seed) if test is None else test(data)
    if not isinstance(parts, Split):
        raise TypeError(f"test must return a Split, got {type(parts).__name__}")
    return parts.train, parts


def _default_split(x: Interactions, test_size: float, seed: int) -> Split:
    if x.timestamps is not None:
        try:
            return splits.temporal(x, test_size=test_size)
        except ValueError:
            pass  # all at one moment
    return splits.random(x, test_size=test_size, random_state=seed % 2**63)


def _folds(train: Interactions, validation: Any, seed: int) -> list[Split]:
    if validation is None:
        folds: Any = [_default_split(train, 0.1, seed)]
    elif callable(validation):
        folds = validation(train)
    elif isinstance(validation, (int, np.integer)) and not isinstance(validation, bool):
        n = as_int(validation, "validation", minimum=2)
        folds = splits.k_fold(train, n_splits=n, random_state=seed % 2**63)
    else:
        folds = validation
    folds = [folds] if isinstance(folds, Split) else folds
    folds = list(folds) if np.iterable(folds) else []
    if not folds or not all(isinstance(fold, Split) for fold in folds):
        raise TypeError("validation must give a Split or several of them")
    for fold in folds:
        fold.check()
        if not fold.test.nnz:
            raise ValueError("a validation part is empty: make it larger")
    return list(folds)


def _settings(
    candidates: list[_Candidate], method: str, n_trials: int, n_points: int, seed: int
) -> list[tuple[_Candidate, Iterator[list[dict[str, Any]]], int]]:
    """Return the groups of settings of each candidate; those of a group share a fit."""
    plan: list[tuple[_Candidate, Iterator[list[dict[str, Any]]], int]] = []
    for i, candidate in enumerate(candidates):
        if method in ("tpe", "cma-es"):
            plan.append((candidate, iter(()), n_trials if candidate.space else 1))
            continue
        if method == "grid":
            settings = grid_settings(candidate.space, n_points)
            groups = _grouped(candidate, settings)
            plan.append((candidate, iter(groups), len(settings)))
            continue
        rng = np.random.default_rng([seed, i])
        n = n_trials if candidate.space else 1
        plan.append((candidate, _random_groups(candidate, n, rng), n))
    return plan


def _grouped(candidate: _Candidate, settings: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return groups of settings that differ in the shared parameter only."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for setting in settings:
        params = {**candidate.fixed, **setting}
        shared = shared_parameter(candidate.cls, params)
        others = {name: value for name, value in setting.items() if name != shared}
        key = repr(others) if shared is not None else repr(setting)
        groups.setdefault(key, []).append(setting)
    return list(groups.values())


def _random_groups(
    candidate: _Candidate, n: int, rng: np.random.Generator
) -> Iterator[list[dict[str, Any]]]:
    """Yield random settings; all values of a shared parameter with few values come with each."""
    seen: set[str] = set()
    repeats = 0
    while n > 0 and repeats < 100:
        setting = sample_setting(candidate.space, rng)
        shared = shared_parameter(candidate.cls, {**candidate.fixed, **setting})
        group = [setting]
        dimension = candidate.space.get(shared or "")
        if isinstance(dimension, Choice):
            group = [{**setting, str(shared): value} for value in dimension.values]
        group = [one for one in group if repr(one) not in seen][:n]
        repeats = 0 if group else repeats + 1
        seen.update(map(repr, group))
        n -= len(group)
        if group:
            yield group


def _by_turns(
    search: _Search, parts: list[tuple[_Candidate, Iterator[list[dict[str, Any]]]]]
) -> Iterator[tuple[_Candidate, list[dict[str, Any]]]]:
    """Yield groups of all candidates, so that a time limit treats every model alike."""
    active = {candidate.name: (candidate, groups) for candidate, groups in parts}
    search.begin(active)
    while active:
        name = min(active, key=search.turn)  # of equal ones the first
        candidate, groups = active[name]
        group = next(groups, None)
        if group is None:
            del active[name]
        else:
            yield candidate, group


# ---- trials ----------------------------------------------------------------------------------


def _run(
    search: _Search,
    groups: Iterable[tuple[_Candidate, list[dict[str, Any]]]],
    resource: float,
    folds: list[Split] | None = None,
) -> list[Trial]:
    """Evaluate groups of settings, several at a time; the trials in the order of the settings."""
    folds = search.folds if folds is None else folds
    first, number = len(search.trials), len(search.trials)
    finished: dict[int, Trial] = {}
    is_stopped = False
    pending: dict[Future[list[Trial]], str] = {}

    def take(name: str, trials: list[Trial]) -> None:
        nonlocal is_stopped
        search.end(name, trials)
        for trial in trials:
            finished[trial.number] = trial
            done = len(search.trials) + len(finished)
            is_stopped |= search.progress.step(done, {search.metric: trial.score})

    def take_completed(*, all_of_them: bool = False) -> None:
        completed, _ = wait(pending, return_when=ALL_COMPLETED if all_of_them else FIRST_COMPLETED)
        for future in sorted(completed, key=list(pending).index):
            take(pending.pop(future), future.result())

    pool = ThreadPoolExecutor(search.n_jobs) if search.n_jobs > 1 else None
    try:
        for candidate, group in groups:
            if is_stopped or (search.is_over and number > first):
                break
            numbers = range(number, number + len(group))
            number += len(group)
            limit = search.start(candidate.name)
            arguments = search, candidate, group, numbers, resource, folds, limit
            if pool is None:
                take(candidate.name, _evaluate_group(*arguments))
                continue
            pending[pool.submit(_evaluate_group, *arguments)] = candidate.name
            if len(pending) >= search.n_jobs:
                take_completed()
        take_completed(all_of_them=True)
    finally:
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        search.trials += [finished[n] for n in sorted(finished)]
    return search.trials[first:]


def _complete_one(search: _Search, candidates: list[_Candidate]) -> None:
    """Complete a trial that the time limit ended, where it ended all that could be done."""
    if search.is_any_done:
        return
    for i, trial in enumerate(search.trials):
        if trial.state == "stopped":
            candidate = next(c for c in candidates if c.name == trial.model)
            arguments = [trial.params], [trial.number], 1.0, search.folds, math.inf
            (search.trials[i],) = _evaluate_group(search, candidate, *arguments)
            return


def _evaluate_group(
    search: _Search,
    candidate: _Candidate,
    group: list[dict[str, Any]],
    numbers: Sequence[int],
    resource: float,
    folds: list[Split],
    limit: float,
) -> list[Trial]:
    """Return the trials of settings that share a fit; finished ones come from the journal.

    The next step of a fit after ``limit`` seconds ends it.
    """
    trials: list[Trial | None] = []
    for setting, number in zip(group, numbers):
        entry = search.journal.find(candidate.name, _unsearched(candidate), setting, resource)
        trials.append(None if entry is None else _from_entry(entry, setting, number))
    todo = [i for i, trial in enumerate(trials) if trial is None]
    if todo:
        start = time.perf_counter()
        params = [{**candidate.fixed, **group[i]} for i in todo]
        shared = shared_parameter(candidate.cls, params[0])
        arguments = candidate.cls, shared, search.shared_folds.shared(folds)
        options = search.metric, search.n_threads, search.features, limit
        ((scores, error),) = search.runner.map(score_settings, [params], *arguments, *options)
        seconds = (time.perf_counter() - start) / len(todo)
        failed_state = "stopped" if error == TIME_IS_OVER else "failed"
        for i, values in zip(todo, scores):
            failed = error if len(values) < len(folds) else ""
            trial = Trial(
                numbers[i],
                candidate.name,
                group[i],
                math.nan if failed else float(np.mean(values)),
                tuple(values),
                resource,
                seconds,
                failed_state if failed else "done",
                failed,
            )
            trials[i] = trial
            if trial.state != "stopped":  # which another search may complete
                search.journal.add({**_entry(trial), "fixed": plain(_unsearched(candidate))})
    return [trial for trial in trials if trial is not None]


def _unsearched(candidate: _Candidate) -> dict[str, Any]:
    """Return the parameters of a given model that its space does not hold."""
    return {n: value for n, value in candidate.fixed.items() if n not in candidate.space}


def _entry(trial: Trial) -> dict[str, Any]:
    values = trial.to_dict()
    del values["number"]
    if math.isnan(trial.score):
        values["score"] = None
    return values


def _from_entry(entry: dict[str, Any], setting: dict[str, Any], number: int) -> Trial:
    score = entry["score"]
    return Trial(
        number,
        entry["model"],
        setting,
        math.nan if score is None else float(score),
        tuple(entry["fold_scores"]),
        float(entry["resource"]),
        float(entry["seconds"]),
        entry["state"],
        entry["error"],
    )


def _halve(
    search: _Search,
    settings: list[tuple[_Candidate, Iterator[list[dict[str, Any]]]]],
    min_resource: float,
    eta: int,
    seed: int,
) -> None:
    """Run successive halving over the share of the users.

    Each round has an equal part of a time limit, and what earlier rounds left of theirs. A round
    begins with the model of the best trial before, so that the limit leaves out worse models.
    """
    by_name = {candidate.name: candidate for candidate, _ in settings}
    groups: Iterable[tuple[_Candidate, list[dict[str, Any]]]] = _by_turns(search, settings)
    n_rounds = max(1, math.ceil(math.log(1 / min_resource, eta) - 1e-9) + 1)
    begin, end = time.monotonic(), search.deadline
    for r in range(n_rounds):
        share = min(1.0, float(eta) ** (r - n_rounds + 1))
        folds = [_some_users(fold, share, seed) for fold in search.folds]
        search.deadline = end if r == n_rounds - 1 else begin + (end - begin) * (r + 1) / n_rounds
        trials = _run(search, groups, share, folds)
        ranked = sorted((t for t in trials if t.state == "done"), key=search.key)
        if not ranked:
            return
        kept = ranked[: max(1, len(ranked) // eta)]
        groups = []
        models = list(dict.fromkeys(t.model for t in kept))
        search.begin(models, are_equal=False)
        for name in models:  # the model with the best trial first
            own = [t.params for t in kept if t.model == name]
            groups += [(by_name[name], group) for group in _grouped(by_name[name], own)]


def _some_users(fold: Split, share: float, seed: int) -> Split:
    """Return the entries of a share of the users.

    One seed gives the same users, and a larger share contains the smaller ones. Shapes and ids
    stay.
    """
    if share >= 1:
        return fold
    key = np.random.default_rng(seed).random(fold.train.n_users)
    # Of the users with test entries, so that the smallest share has some.
    has_test = np.diff(fold.test.matrix.indptr) > 0
    rank = np.argsort(np.argsort(np.where(has_test, key, 2.0)))
    n_kept = max(1, math.ceil(share * has_test.sum()))
    chosen = np.where(has_test, rank < n_kept, key < share)
    parts = [part.keep_entries(chosen[part.row_indices()]) for part in (fold.train, fold.test)]
    return Split(parts[0], parts[1], order=fold.order, repeats=fold.repeats)


def _finished(
    search: _Search,
    candidates: list[_Candidate],
    train: Interactions,
    test: Split | None,
    refit: bool,
) -> SearchResult:
    """Return the result; the winner is fitted on all of train and evaluated on the test part."""
    trials = [replace(trial, number=i) for i, trial in enumerate(search.trials)]
    done = [t for t in trials if t.state == "done"]
    if not done:
        errors = [t.error for t in trials if t.state == "failed"] or [t.error for t in trials]
        reason = errors[0] if errors else "no trial was started"
        raise ValueError(f"every trial failed; the first one: {reason}")
    largest = max(t.resource for t in done)
    best = min((t for t in done if t.resource == largest), key=lambda t: (search.key(t), t.number))
    result = SearchResult(trials, search.metric, search.lower_is_better, best)
    tried = {trial.model for trial in trials}
    result.untried = [c.name for c in candidates if c.name not in tried]
    if not refit:
        return result
    candidate = next(c for c in candidates if c.name == best.model)
    logger.info(
        "tune: %d trials, best %s with %s: %s %.6g",
        len(trials),
        best.model,
        best.params,
        search.metric,
        best.score,
    )
    chosen = as_recommender(candidate.cls(**{**candidate.fixed, **best.params}))
    given: dict[str, Any] = dict(search.features.for_fit(candidate.cls))
    result.best_model_ = chosen.fit(train, **given)
    if test is not None and test.test.nnz:
        result.test_score_, result.test_interval_ = _test_score(search, result.best_model_, test)
    return result


def _test_score(search: _Search, model: Any, test: Split) -> tuple[float, Interval | None]:
    """Return the metric on the test part, with its interval where it is a mean over users."""
    table = evaluate(
        {"model": model},
        test,
        metrics=[search.metric],
        fit=False,
        per_user=True,
        n_threads=search.n_threads,
        item_features=search.features.item_features,
        user_features=search.features.user_features,
    )
    column = column_of_metric(table["model"], search.metric)
    values = table.per_user.get("model", {}).get(column)
    if values is None or np.sum(~np.isnan(values)) < 2:
        return table["model"][column], None
    return table["model"][column], bootstrap_interval(values, n_threads=search.n_threads)
