"""Names of the metrics of `evaluate`, checked without importing them: `parse_metric_name`."""

from __future__ import annotations

from typing import Any

from .validation import suggest

__all__ = [
    "ALIASES",
    "COUNT_NAMES",
    "LIST_NAMES",
    "RATING_NAMES",
    "SCORE_NAMES",
    "TRAIN_NAMES",
    "parse_metric_name",
]

LIST_NAMES = (
    "hit_rate",
    "precision",
    "recall",
    "recall_capped",
    "f1",
    "average_precision",
    "average_precision_capped",
    "average_precision_hits",
    "reciprocal_rank",
    "ndcg",
    "ndcg_graded",
)
# Of the number of lists that each item is in.
COUNT_NAMES = ("coverage", "gini", "gini_normalized", "entropy", "personalization")
# One value per list, computed with the training part or with features of the items.
TRAIN_NAMES = ("novelty", "popularity_complement", "serendipity", "diversity", "user_coverage")
SCORE_NAMES = ("auc",)
RATING_NAMES = ("rmse", "mae", "mse", "r2")
# Usual names of the same metrics.
ALIASES = {
    "map": "average_precision",
    "mean_average_precision": "average_precision",
    "mrr": "reciprocal_rank",
    "mean_reciprocal_rank": "reciprocal_rank",
    "hr": "hit_rate",
    "hit_ratio": "hit_rate",
    "hit": "hit_rate",
    "intra_list_diversity": "diversity",
    "ild": "diversity",
    "catalog_coverage": "coverage",
    "catalogue_coverage": "coverage",
    "roc_auc": "auc",
}


def parse_metric_name(one: Any, argument: str = "metrics") -> tuple[str, str, str]:
    """Return the parts of the name of a metric.

    Parameters
    ----------
    one : str
        A name, possibly with its cut-off: "map@10".
    argument : str, default="metrics"
        The argument that holds it, for messages.

    Returns
    -------
    name : str
        As written, in lower case with underscores.
    metric : str
        The name of the metric, aliases resolved.
    cut : str
        The cut-off as digits; empty where there is none.

    Raises
    ------
    TypeError
        For what is no text.
    ValueError
        For an unknown name, which lists the known ones, and for a cut-off that is no number.
    """
    if not isinstance(one, str):
        raise TypeError(f"{argument} must hold names or functions, got {one!r}")
    name, at, cut = one.partition("@")
    name = name.strip().lower().replace("-", "_").replace(" ", "_")
    metric = ALIASES.get(name, name)
    known = [*LIST_NAMES, *COUNT_NAMES, *TRAIN_NAMES, *SCORE_NAMES, *RATING_NAMES]
    if metric not in known:
        others = ", ".join(f"{alias} ({of})" for alias, of in ALIASES.items())
        raise ValueError(
            f"{argument} holds {one!r}; known are {', '.join(known)}; other names: {others}"
            f"{suggest(name, [*known, *ALIASES])}"
        )
    if at and metric in (*SCORE_NAMES, *RATING_NAMES):
        raise ValueError(f"{argument} holds {one!r}; {name} has no cut-off: write {name!r}")
    if at and not cut.isdecimal():
        raise ValueError(f"{argument} holds {one!r}; write the cut-off as in 'recall@20'")
    return name, metric, cut
