"""An objective for Optuna studies of your own, with pruning by epoch and by fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..base.foreign import as_recommender
from ..base.optional import import_optional
from ..base.progress import Event
from ..evaluation._features import Features
from ._optuna import suggest
from ._scoring import score_of
from .search import _candidates, _folds, _outer, check_metric

__all__ = ["optuna_objective"]


def optuna_objective(
    model: Any,
    data: Any,
    *,
    space: Mapping[str, Any] | None = None,
    metric: str = "ndcg@10",
    validation: Any = None,
    random_state: int = 0,
    n_threads: int | None = None,
    item_features: Any = None,
    user_features: Any = None,
) -> Callable[[Any], float]:
    """Return a function of an Optuna trial that fits a model and returns its validation score.

    Parameters
    ----------
    model : model, class or registered name
        As in `tune`.
    data : Interactions or Split
        All of it is for the search; the test part of a split is not used.
    space : dict of str to list, Choice or Range, optional
        Default: `default_space` of the model.
    metric : str, default "ndcg@10"
        Any metric of `evaluate`.
    validation : callable, list of Split, or int, optional
        As in `tune`.
    random_state : int, default 0
        Seed of the default splits.
    n_threads : int, optional
        Threads of the evaluation.
    item_features, user_features : table, FeatureTable or matrix, optional
        As in `tune`.

    Returns
    -------
    callable
        For ``study.optimize``. A model whose fit reports its epochs reports the score of each to
        the trial, which the study's pruner may end; other models report after each fold.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    ValueError
        For features that the model does not use.

    Examples
    --------
    >>> import optuna
    >>> from aimass_core import datasets
    >>> from aimass_core.tuning import optuna_objective
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> x = datasets.make_store(n_users=200, n_items=50, n_interactions=3000).to_interactions()
    >>> study = optuna.create_study(direction="maximize")
    >>> study.optimize(optuna_objective("item-knn", x), n_trials=2)
    >>> len(study.trials)
    2
    """
    optuna = import_optional("optuna")
    check_metric(metric)
    train, _ = _outer(data, False, random_state)
    features = Features.of(item_features, user_features, train)
    (candidate,) = _candidates(model, space, metric, features)
    given: dict[str, Any] = dict(features.for_fit(candidate.cls))
    folds = _folds(train, validation, random_state)
    learns_in_epochs = getattr(candidate.cls, "learns_in_epochs", False)

    def objective(trial: Any) -> float:
        params = {**candidate.fixed, **suggest(trial, candidate.space)}
        scores: list[float] = []
        steps = 0

        def report(value: float) -> None:
            nonlocal steps
            steps += 1
            trial.report(value, steps)
            if trial.should_prune():
                raise optuna.TrialPruned

        def after_epoch(event: Event) -> None:
            report(score_of(event.model, folds[0], metric, n_threads, features))

        for fold in folds:
            model = as_recommender(candidate.cls(**params))
            if learns_in_epochs and len(folds) == 1:
                model.fit(fold.train, callback=after_epoch, **given)
            else:
                model.fit(fold.train, **given)
            scores.append(score_of(model, fold, metric, n_threads, features))
            if len(folds) > 1:
                report(float(np.mean(scores)))
        return float(np.mean(scores))

    return objective
