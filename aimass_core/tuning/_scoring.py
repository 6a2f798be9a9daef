"""Scores of settings on folds, in this process or by a worker of an executor."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from ..data.split import Split
from ..evaluation import evaluate
from ..evaluation._features import Features
from ..evaluation._split_files import SplitFiles
from ._sharing import fit_settings

__all__ = ["TIME_IS_OVER", "column_of_metric", "score_of", "score_settings"]

TIME_IS_OVER = "the time limit of the search ended this trial"


class _TimeIsOverError(Exception):
    """Ends a fit from its callback."""


def score_settings(
    params: list[dict[str, Any]],
    model: Any,
    shared: str | None,
    folds: list[Any],
    metric: str,
    n_threads: int | None,
    features: Features,
    seconds: float = math.inf,
) -> tuple[list[list[float]], str]:
    """Return the scores of settings on each fold, and the error that ended them, if any.

    Parameters
    ----------
    params : list of dict
        Settings that share a fit.
    model : class
        The model.
    shared : str or None
        The parameter in which the settings differ.
    folds : list of Split, or of their files
        Where the model is evaluated.
    metric : str
        The metric.
    n_threads : int or None
        Threads of each evaluation.
    features : Features
        Encoded features of items and users, for models that use them.
    seconds : float, default inf
        After this time the next step of a fit ends it, with the error `TIME_IS_OVER`.
    """
    scores: list[list[float]] = [[] for _ in params]
    deadline = time.monotonic() + seconds

    def end_in_time(event: Any = None) -> None:
        if time.monotonic() >= deadline:
            raise _TimeIsOverError

    try:
        for fold in folds:
            end_in_time()
            split = fold.load() if isinstance(fold, SplitFiles) else fold

            def evaluate_model(i: int, fitted: Any, split: Split = split) -> None:
                scores[i].append(score_of(fitted, split, metric, n_threads, features))

            fit_settings(
                model,
                params,
                shared,
                split.train,
                evaluate_model,
                features.for_fit(model),
                None if math.isinf(seconds) else end_in_time,
            )
    except _TimeIsOverError:
        return scores, TIME_IS_OVER
    except Exception as problem:  # a setting that cannot be fitted ends itself, not the search
        return scores, f"{type(problem).__name__}: {problem}"
    return scores, ""


def score_of(
    model: Any, fold: Split, metric: str, n_threads: int | None, features: Features
) -> float:
    """Return the metric of a fitted model on the test part of a split.

    Parameters
    ----------
    model : recommender
        Fitted on the train part.
    fold : Split
        Where it is evaluated.
    metric : str
        Any metric of `evaluate`.
    n_threads : int or None
        Threads of the evaluation.
    features : Features
        As in `score_settings`.
    """
    table = evaluate(
        {"model": model},
        fold,
        metrics=[metric],
        fit=False,
        n_threads=n_threads,
        item_features=features.item_features,
        user_features=features.user_features,
    )
    return table["model"][column_of_metric(table["model"], metric)]


def column_of_metric(row: Mapping[str, float], metric: str) -> str:
    """Return the column of a metric, which may be named without its default cut-off."""
    return next(name for name in row if name == metric or name.startswith(f"{metric}@"))
