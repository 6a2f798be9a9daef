"""Fit models, ask them for lists or ratings block by block, and hand these to the metrics."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..base.estimator import Estimator, clone
from ..base.foreign import AdaptedModel, as_recommender
from ..base.validation import as_int
from ._judged import as_lists, average
from ._task import COUNT_METRICS, RATING_METRICS, Task, make_task, parse_metrics
from .table import EvaluationTable

__all__ = ["evaluate"]


def _named(models: Any) -> dict[str, Any]:
    if isinstance(models, Mapping):
        return {str(name): model for name, model in models.items()}
    named: dict[str, Any] = {}
    for model in models if isinstance(models, Iterable) else [models]:
        name, n = type(model).__name__, 1
        while name in named:
            n += 1
            name = f"{type(model).__name__} {n}"
        named[name] = model
    return named


def evaluate(
    models: Any,
    split: Any,
    *,
    metrics: Any = ("recall", "ndcg"),
    k: int | Sequence[int] = 10,
    threshold: float | None = None,
    exclude_seen: bool = True,
    fit: bool = True,
    per_user: bool = False,
    block_size: int = 4096,
    n_threads: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> EvaluationTable:
    """Fit models on one part of the data and judge them on the other.

    Parameters
    ----------
    models : model, list of models or dict of str to model
        Anything with ``fit`` and ``recommend`` (``predict`` for rating metrics, ``fold_in`` for
        a split by users).
    split : Split or pair (train, test)
        Two Interactions over the same id maps, or two matrices of the same shape. With
        ``split.fold_in``, users are unknown to the model: lists come from ``fold_in`` and are
        judged on ``split.holdout``.
    metrics : str, callable or list of these, default ("recall", "ndcg")
        Names of this package's metrics, optionally with a cut-off ("recall@20"). A callable is
        called per block as ``f(lists, relevant, k=k, mean=False)``, one value per user.
    k : int or list of int, default 10
        Cut-offs for metrics without their own.
    threshold : float, optional
        Test entries of at least this value, and above 0, are relevant; default all above 0.
        Rating metrics use all test entries.
    exclude_seen : bool, default True
        Whether lists leave out the items of train.
    fit : bool, default True
        False for models that are fitted already, on `split.train`.
    per_user : bool, default False
        Keep the values of each user in the result.
    block_size : int, default 4096
        Users per call of ``recommend``.
    n_threads : int, optional
        Handed to ``recommend``.
    progress : callable, optional
        Called after each block as ``progress(model_name, users_done, users_in_all)``.

    Returns
    -------
    EvaluationTable
        Rows are models, columns the metrics and the seconds for fit and recommend.

    Raises
    ------
    ValueError
        For unknown metrics, parts of different shapes, or a test part without relevant items.

    Notes
    -----
    Users without relevant test items are not asked for. Memory O(block_size k) beside the models
    and one number per user and metric: never a users x items table.

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
    block_size = as_int(block_size, "block_size", minimum=1)
    task = make_task(split, columns, threshold, exclude_seen, n_threads)
    if rated and task.asked is not None:
        raise ValueError(f"{rated[0]} needs known users; use a split with users in both parts")
    if columns and not len(task.rows):
        raise ValueError("test holds no relevant item; lower threshold or split otherwise")
    table = EvaluationTable({}, task.rows)
    for name, model in _named(models).items():
        model = model if hasattr(model, "recommend") else as_recommender(model)
        start = time.perf_counter()
        if fit:
            model = _unfitted(model).fit(task.train)
        row: dict[str, float] = {"fit_s": time.perf_counter() - start}
        if columns:
            report = None if progress is None else partial(progress, name)
            values, row["recommend_s"] = _list_values(task, model, block_size, report)
            for column in columns:
                found = values[column.title]
                if column.metric in COUNT_METRICS:
                    row[column.title] = COUNT_METRICS[str(column.metric)](found)
                    continue
                row[column.title] = average(found, True)
                if per_user:
                    table.per_user.setdefault(name, {})[column.title] = found
        if rated:
            if not getattr(model, "predicts_ratings", True):
                raise ValueError(
                    f"metrics: {rated[0]!r} needs ratings, but model {name!r} only ranks; leave it "
                    "out, or take a model of ratings (ItemKNN or UserKNN with aggregation='mean')"
                )
            start = time.perf_counter()
            predicted = task.predictions(model)
            row["predict_s"] = time.perf_counter() - start
            row.update({one: RATING_METRICS[one](task.truth.data, predicted) for one in rated})
        table.rows[name] = dict(sorted(row.items(), key=lambda item: item[0].endswith("_s")))
    return table


def _unfitted(model: Any) -> Any:
    """Return a copy to fit, so that the caller's model stays as it is."""
    if isinstance(model, Estimator) and not isinstance(model, AdaptedModel):
        return clone(model)
    return copy.deepcopy(model)


def _list_values(
    task: Task, model: Any, block_size: int, report: Callable[[int, int], None] | None
) -> tuple[dict[str, Any], float]:
    """Users' values (or items' counts) of each column, and the seconds spent in the model."""
    parts: dict[str, list[Any]] = {column.title: [] for column in task.columns}
    seconds = 0.0
    for at in range(0, len(task.rows), block_size):
        block = task.rows[at : at + block_size]
        start = time.perf_counter()
        result = task.lists(model, block)
        seconds += time.perf_counter() - start
        for title, found in task.values(as_lists(result), block).items():
            parts[title].append(found)
        if report is not None:
            report(at + len(block), len(task.rows))
    counted = {column.title for column in task.columns if column.metric in COUNT_METRICS}
    return {
        title: np.sum(part, axis=0) if title in counted else np.concatenate(part)
        for title, part in parts.items()
    }, seconds
