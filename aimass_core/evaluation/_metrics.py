"""The metrics that `evaluate` knows by name, and the columns that the caller asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.metric_names import SCORE_NAMES, TRAIN_NAMES, parse_metric_name
from ..base.validation import as_int
from . import catalog, gain, hits, ranking, ratings, variety
from ._judged import Judged

if TYPE_CHECKING:
    from ._judged import Floats, Ints

__all__ = [
    "COUNT_METRICS",
    "LIST_METRICS",
    "RATING_METRICS",
    "TRAIN_METRICS",
    "Column",
    "parse_metrics",
]

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
# Of the number of lists that each item is in, the number of lists, and k.
COUNT_METRICS: dict[str, Callable[[Ints, int, int], float]] = {
    "coverage": lambda counts, _n, _k: catalog._coverage(counts),
    "gini": lambda counts, _n, _k: catalog._gini(counts),
    "gini_normalized": lambda counts, _n, _k: catalog._gini_normalized(counts),
    "entropy": lambda counts, _n, _k: catalog._entropy(counts),
    "personalization": lambda counts, n, k: variety._personalization(counts, n, k),
}
TRAIN_METRICS = TRAIN_NAMES
SCORE_METRICS = SCORE_NAMES
RATING_METRICS: dict[str, Callable[[Floats, Floats], float]] = {
    "rmse": ratings.rmse,
    "mae": ratings.mae,
    "mse": ratings.mse,
    "r2": ratings.r2,
}


@dataclass(frozen=True)
class Column:
    """One metric at one cut-off.

    Parameters
    ----------
    title : str
        Name of the column, as the caller wrote the metric, with its cut-off.
    metric : str or callable
        Name in this module, aliases resolved.
    k : int
        Cut-off; 0 for metrics of all items.
    """

    title: str
    metric: str | Callable[..., Floats]
    k: int


def parse_metrics(metrics: Any, k: int | Sequence[int]) -> tuple[list[Column], list[Column]]:
    """Return the columns of lists and the columns of ratings that the caller asks for."""
    cuts = [as_int(one, "k", minimum=1) for one in ([k] if np.isscalar(k) else k)]  # type: ignore[union-attr]
    names = [metrics] if isinstance(metrics, str) or callable(metrics) else list(metrics)
    columns: list[Column] = []
    rated: list[Column] = []
    for one in names:
        if callable(one):
            label = getattr(one, "__name__", "metric")
            columns += [Column(f"{label}@{each}", one, each) for each in cuts]
            continue
        written, metric, cut = parse_metric_name(one)
        if metric in RATING_METRICS:
            rated.append(Column(written, metric, 0))
        elif metric in SCORE_METRICS:
            columns.append(Column(written, metric, 0))
        else:
            own = [as_int(int(cut), "k", minimum=1)] if cut else cuts
            columns += [Column(f"{written}@{each}", metric, each) for each in own]
    return list(dict.fromkeys(columns)), list(dict.fromkeys(rated))
