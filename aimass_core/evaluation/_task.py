"""What `evaluate` asks of every model: the parts of a split, the metrics, one block of users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..base.validation import as_csr, as_float, as_int, suggest
from . import catalog, gain, hits, ranking, ratings, variety
from ._judged import Judged, judge
from ._judged import per_user as user_values

if TYPE_CHECKING:
    from ._judged import Floats, Ints

__all__ = ["COUNT_METRICS", "RATING_METRICS", "Column", "Task", "make_task", "parse_metrics"]

LIST_METRICS: dict[str, Callable[[Judged], Floats]] = {
    "hit_rate": hits._hit_rate,
    "precision": hits._precision,
    "recall": hits._recall,
    "recall_capped": hits._recall_capped,
    "f1": hits._f1,
    "average_precision": ranking._average_precision,
    "average_precision_capped": ranking._average_precision_capped,
    "average_precision_hits": ranking._average_precision_hits,
    "reciprocal_rank": ranking._reciprocal_rank,
    "ndcg": gain._ndcg,
    "ndcg_graded": gain._ndcg_graded,
}
COUNT_METRICS = {
    "coverage": catalog._coverage,
    "gini": catalog._gini,
    "gini_normalized": catalog._gini_normalized,
    "entropy": catalog._entropy,
}
TRAIN_METRICS = {
    "novelty": variety.novelty,
    "popularity_complement": variety.popularity_complement,
}
RATING_METRICS: dict[str, Callable[[Floats, Floats], float]] = {
    "rmse": ratings.rmse,
    "mae": ratings.mae,
    "mse": ratings.mse,
    "r2": ratings.r2,
}
N_PAIRS = 1 << 20  # rating pairs per call of predict


@dataclass(frozen=True)
class Column:
    """One metric at one cut-off."""

    title: str
    metric: str | Callable[..., Floats]
    k: int


def parse_metrics(metrics: Any, k: int | Sequence[int]) -> tuple[list[Column], list[str]]:
    """Columns of list metrics, and names of rating metrics, from what the caller wrote."""
    cuts = [as_int(one, "k", minimum=1) for one in ([k] if np.isscalar(k) else k)]  # type: ignore[union-attr]
    names = [metrics] if isinstance(metrics, str) or callable(metrics) else list(metrics)
    known = [*LIST_METRICS, *COUNT_METRICS, *TRAIN_METRICS, *RATING_METRICS]
    columns, rated = [], []
    for one in names:
        name, _, cut = one.partition("@") if isinstance(one, str) else (one, "", "")
        if isinstance(name, str) and name not in known:
            raise ValueError(
                f"metrics holds {one!r}; known are {', '.join(known)}{suggest(name, known)}"
            )
        if name in RATING_METRICS:
            rated.append(name)
            continue
        if cut and not cut.isdigit():
            raise ValueError(f"metrics holds {one!r}; write the cut-off as in 'recall@20'")
        for each in [as_int(int(cut), "k", minimum=1)] if cut else cuts:
            label = name if isinstance(name, str) else getattr(name, "__name__", "metric")
            columns.append(Column(f"{label}@{each}", name, each))
    return columns, rated


@dataclass(frozen=True)
class Task:
    """What every model is asked, and what the answers are held against."""

    train: Any
    seen: sp.csr_array
    asked: sp.csr_array | None
    truth: sp.csr_array
    relevant: sp.csr_array
    rows: Ints
    columns: list[Column]
    options: dict[str, Any]

    def _users(self, rows: Ints) -> Any:
        """Rows in the terms in which a model fitted on `train` is asked."""
        return self.train.users.to_ids(rows) if hasattr(self.train, "users") else rows

    def _items(self, columns: Ints) -> Any:
        return self.train.items.to_ids(columns) if hasattr(self.train, "items") else columns

    def lists(self, model: Any, block: Ints) -> Any:
        """Best items for a block of rows."""
        if self.asked is not None:
            return model.recommend_new(self.asked[block], **self.options)
        return model.recommend(self._users(block), **self.options)

    def values(self, lists: Any, block: Ints) -> dict[str, Any]:
        """Of each column the users' values, or the items' counts."""
        truth = self.relevant[block]
        judged = judge(lists, truth, self.options["k"])
        values: dict[str, Any] = {}
        for column in self.columns:
            name = column.metric
            if callable(name):
                found: Any = np.asarray(name(lists, truth, k=column.k, mean=False))
            elif name in COUNT_METRICS:
                found = catalog.item_counts(lists, truth.shape[1], k=column.k)
            elif name in TRAIN_METRICS:
                found = TRAIN_METRICS[name](lists, self.seen, k=column.k, mean=False)
            else:
                found = user_values(LIST_METRICS[name], judged.at(column.k))
            values[column.title] = found
        return values

    def predictions(self, model: Any) -> Floats:
        """Predicted ratings of all test entries."""
        rows = np.repeat(np.arange(self.truth.shape[0]), np.diff(self.truth.indptr))
        columns = self.truth.indices.astype(np.int64)
        blocks = [slice(at, at + N_PAIRS) for at in range(0, len(rows), N_PAIRS)]
        parts = [model.predict(self._users(rows[b]), self._items(columns[b])) for b in blocks]
        return np.concatenate(parts) if parts else np.empty(0)


def make_task(
    split: Any,
    columns: list[Column],
    threshold: float | None,
    exclude_seen: bool,
    n_threads: int | None,
) -> Task:
    """Check the parts of a split against each other."""
    if not (hasattr(split, "train") or (isinstance(split, tuple) and len(split) == 2)):
        raise TypeError(
            "split must be a Split (from aimass_core.data.split) or a pair (train, test), got "
            f"{type(split).__name__}"
        )
    train, test = split if isinstance(split, tuple) else (split.train, split.test)
    fold_in = getattr(split, "fold_in", None)
    seen = as_csr(train, "train")
    asked = None if fold_in is None else as_csr(fold_in, "split.fold_in")
    truth = as_csr(test if fold_in is None else split.holdout, "test")
    expected = (seen if asked is None else asked).shape
    if truth.shape != expected:
        raise ValueError(
            f"test has shape {truth.shape}, train {expected}: both need the same users and items; "
            "make them with one of the split functions, or give both the full shape"
        )
    relevant = truth
    if threshold is not None:
        relevant = truth.copy()
        relevant.data[relevant.data < as_float(threshold, "threshold")] = 0
    entry_rows = np.repeat(np.arange(truth.shape[0]), np.diff(truth.indptr))
    options = {
        "k": max((column.k for column in columns), default=1),
        "exclude_seen": exclude_seen,
        **({} if n_threads is None else {"n_threads": n_threads}),
    }
    rows = np.unique(entry_rows[relevant.data > 0])
    return Task(train, seen, asked, truth, relevant, rows, columns, options)
