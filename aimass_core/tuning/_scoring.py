"""Scores of settings on folds, in this process or by a worker of an executor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.split import Split
from ..evaluation import evaluate
from ..evaluation._split_files import SplitFiles
from ._sharing import fit_settings

__all__ = ["column_of_metric", "score_settings"]


def score_settings(
    params: list[dict[str, Any]],
    model: Any,
    shared: str | None,
    folds: list[Any],
    metric: str,
    n_threads: int | None,
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
    """
    scores: list[list[float]] = [[] for _ in params]
    try:
        for fold in folds:
            split = fold.load() if isinstance(fold, SplitFiles) else fold

            def evaluate_model(i: int, fitted: Any, split: Split = split) -> None:
                scores[i].append(_score(fitted, split, metric, n_threads))

            fit_settings(model, params, shared, split.train, evaluate_model)
    except Exception as problem:  # a setting that cannot be fitted ends itself, not the search
        return scores, f"{type(problem).__name__}: {problem}"
    return scores, ""


def _score(model: Any, fold: Split, metric: str, n_threads: int | None) -> float:
    table = evaluate({"model": model}, fold, metrics=[metric], fit=False, n_threads=n_threads)
    return table["model"][column_of_metric(table["model"], metric)]


def column_of_metric(row: Mapping[str, float], metric: str) -> str:
    """Return the column of a metric, which may be named without its default cut-off."""
    return next(name for name in row if name == metric or name.startswith(f"{metric}@"))
