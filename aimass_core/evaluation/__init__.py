"""Metrics (lists in, numbers out, never a model) and `evaluate`, which feeds models to them."""

from __future__ import annotations

from ._task import Counts
from .candidates import auc, rank_among, rank_metrics
from .catalog import (
    coverage,
    entropy,
    gini,
    gini_normalized,
    item_counts,
    user_coverage,
)
from .evaluate import evaluate
from .gain import ndcg, ndcg_graded
from .hits import f1, hit_rate, precision, recall, recall_capped
from .power import PowerEstimate, power, sample_size
from .ranking import (
    average_precision,
    average_precision_capped,
    average_precision_hits,
    reciprocal_rank,
)
from .ratings import accuracy, mae, mse, r2, rmse, roc_auc, roc_curve
from .resampling import (
    Interval,
    ModelComparison,
    PairedTest,
    adjust_p_values,
    bootstrap_interval,
    compare_models,
    paired_test,
)
from .sklearn_adapter import RatingRegressor, ranking_scorer
from .table import EvaluationTable
from .variety import diversity, novelty, personalization, popularity_complement, serendipity

__all__ = [
    "Counts",
    "EvaluationTable",
    "Interval",
    "ModelComparison",
    "PairedTest",
    "PowerEstimate",
    "RatingRegressor",
    "accuracy",
    "adjust_p_values",
    "auc",
    "average_precision",
    "average_precision_capped",
    "average_precision_hits",
    "bootstrap_interval",
    "compare_models",
    "coverage",
    "diversity",
    "entropy",
    "evaluate",
    "f1",
    "gini",
    "gini_normalized",
    "hit_rate",
    "item_counts",
    "mae",
    "mse",
    "ndcg",
    "ndcg_graded",
    "novelty",
    "paired_test",
    "personalization",
    "popularity_complement",
    "power",
    "precision",
    "r2",
    "rank_among",
    "rank_metrics",
    "ranking_scorer",
    "recall",
    "recall_capped",
    "reciprocal_rank",
    "rmse",
    "roc_auc",
    "roc_curve",
    "sample_size",
    "serendipity",
    "user_coverage",
]
