"""Scores of settings on folds, in this process or by a worker of an executor."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.persistence import load, save
from ..data.split import Split
from ..evaluation import evaluate
from ._sharing import fit_settings

if TYPE_CHECKING:
    from ..base.executor import Runner

__all__ = ["Folds", "column_of_metric", "score_settings"]

_PARTS = ("train", "test", "fold_in", "holdout")
_MAX_LOADED = 8  # splits that a worker keeps

_loaded: OrderedDict[_SplitFiles, Split] = OrderedDict()


@dataclass(frozen=True)
class _SplitFiles:
    """Names of the files of a split, and its rules."""

    files: tuple[str | None, ...]
    order: str
    repeats: str

    def load(self) -> Split:
        """Return the split; a process reads it once."""
        if self not in _loaded:
            parts: Any = [None if file is None else load(file) for file in self.files]
            train, test, fold_in, holdout = parts
            _loaded[self] = Split(train, test, fold_in, holdout, self.order, self.repeats)
            while len(_loaded) > _MAX_LOADED:
                _loaded.popitem(last=False)
        return _loaded[self]


class Folds:
    """Gives the splits of a search to its tasks: as they are, or as names of files.

    Parameters
    ----------
    runner : Runner
        Where the tasks run.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._written: dict[int, tuple[Split, _SplitFiles]] = {}  # by identity of the split
        self._lock = threading.Lock()

    def shared(self, folds: list[Split]) -> list[Any]:
        """Return what a task needs to read splits; each is written on its first use."""
        if self._runner.is_local:
            return folds
        with self._lock:
            return [self._files_of(fold) for fold in folds]

    def _files_of(self, fold: Split) -> _SplitFiles:
        known = self._written.get(id(fold))
        if known is not None:
            return known[1]
        folder: Path = getattr(self._runner, "folder")  # noqa: B009 (of an ExecutorRunner)
        files: list[str | None] = []
        for name in _PARTS:
            part = getattr(fold, name)
            path = str(folder / f"split.{len(self._written)}.{name}.safetensors")
            if part is not None:
                save(part, path)
            files.append(None if part is None else path)
        written = _SplitFiles(tuple(files), fold.order, fold.repeats)
        self._written[id(fold)] = fold, written
        return written


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
            split = fold.load() if isinstance(fold, _SplitFiles) else fold

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
