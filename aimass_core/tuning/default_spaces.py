"""Default search spaces of the models, and a rule for models without one.

Ranges are those in which the literature and our own benchmarks find the best settings of data sets
from 100 thousand to 20 million interactions.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

from ..data.weighting import BM25
from ..similarity import Similarity
from .space import Choice, Range, Space

__all__ = ["RATINGS", "default_space", "has_rating_space"]

RATINGS = ("rmse", "mae", "mse", "r2")  # metrics of predicted ratings

_NEIGHBORS = Choice([5, 10, 20, 50, 100, 200, 500])
_FACTORS = Choice([16, 32, 64, 128, 256])
_EPOCHS = Choice([15, 30, 60])  # one training serves all of them
_LEARNING_RATE = Range(0.01, 0.3, log=True)
_DEPTH = Choice([100, 200, 500])


def _weightings(documents: str) -> Choice:
    return Choice([None, "bm25", BM25(B=0.1, documents=documents), "tf_idf", "log"])


def _similarities() -> Choice:
    return Choice(
        [
            None,  # the default of the class
            "cosine",
            Similarity("cosine", shrink=10.0),
            Similarity("cosine", shrink=100.0),
            "jaccard",
            Similarity("asymmetric_cosine", alpha=0.3),
            Similarity("rp3beta", alpha=1.0, beta=0.4),
            Similarity("rp3beta", alpha=0.6, beta=0.3),
        ]
    )


_ALS: Space = {
    "n_factors": _FACTORS,
    "regularization": Range(1e-3, 1.0, log=True),
    "alpha": Range(0.5, 50.0, log=True),
    "max_iter": Choice([8, 16, 32]),
}
_BPR: Space = {
    "n_factors": _FACTORS,
    "learning_rate": _LEARNING_RATE,
    "regularization": Range(1e-3, 0.1, log=True),
    "negatives": Choice(["uniform", "popularity"]),
    "n_candidates": Choice([1, 4, 8, 16]),
    "max_iter": _EPOCHS,
}
_WARP: Space = {
    "n_factors": _FACTORS,
    "learning_rate": _LEARNING_RATE,
    "regularization": Range(1e-6, 1e-3, log=True),
    "max_iter": _EPOCHS,
}
_SOFTMAX: Space = {
    "n_factors": _FACTORS,
    "learning_rate": _LEARNING_RATE,
    "temperature": Range(0.05, 0.5, log=True),
    "max_iter": _EPOCHS,
}
_FEATURE_SHARE: Space = {"feature_share": Range(0.1, 0.9)}
_FEATURE_RIDGE: Space = {"feature_regularization": Range(0.1, 100.0, log=True)}
_NETWORK: Space = {
    "n_factors": Choice([32, 64, 128]),
    "dropout": Range(0.0, 0.5),
    "learning_rate": Range(5e-4, 1e-2, log=True),
    "max_iter": Choice([8, 15, 30]),
}

_SPACES: dict[str, Space] = {
    "item-knn": {
        "n_neighbors": _NEIGHBORS,
        "similarity": _similarities(),
        "weighting": _weightings("items"),
    },
    "user-knn": {
        "n_neighbors": _NEIGHBORS,
        "similarity": _similarities(),
        "weighting": _weightings("users"),
    },
    "session-knn": {"n_neighbors": _NEIGHBORS, "recency": Range(0.1, 4.0, log=True)},
    "context-knn": {"base": Choice(["item", "user"])},
    "popularity": {},
    "slope-one": {},
    "co-clustering": {
        "n_user_clusters": Choice([2, 3, 5, 8]),
        "n_item_clusters": Choice([2, 3, 5, 8]),
    },
    "baseline": {
        "reg_u": Range(1.0, 50.0, log=True),
        "reg_i": Range(1.0, 50.0, log=True),
    },
    "implicit-als": _ALS,
    "explicit-als": {
        "n_factors": Choice([8, 16, 32, 64]),
        "regularization": Range(0.02, 0.5, log=True),
        "max_iter": Choice([10, 20]),
    },
    "nmf": {"n_factors": _FACTORS, "regularization": Range(1e-3, 1.0, log=True)},
    "pure-svd": {"n_factors": Choice([8, 16, 32, 64, 128, 256, 512])},
    "bpr": _BPR,
    "warp": _WARP,
    "logistic-mf": {
        "n_factors": _FACTORS,
        "learning_rate": _LEARNING_RATE,
        "regularization": Range(1e-4, 0.1, log=True),
        "n_negatives": Choice([4, 8, 16, 32]),
        "max_iter": _EPOCHS,
    },
    "sampled-softmax-mf": _SOFTMAX,
    "cosine-contrastive-mf": {
        "n_factors": _FACTORS,
        "learning_rate": _LEARNING_RATE,
        "margin": Range(0.4, 0.95),
        "negative_weight": Range(5.0, 500.0, log=True),
        "max_iter": _EPOCHS,
    },
    "svd": {
        "n_factors": Choice([20, 50, 100, 200]),
        "learning_rate": Range(0.002, 0.02, log=True),
        "regularization": Range(0.01, 0.2, log=True),
        "max_iter": Choice([20, 40, 80]),
    },
    "svdpp": {
        "n_factors": Choice([10, 20, 50]),
        "learning_rate": Range(0.002, 0.02, log=True),
        "regularization": Range(0.01, 0.2, log=True),
        "max_iter": Choice([10, 20, 40]),
    },
    "asymmetric-svd": {
        "n_factors": Choice([10, 20, 50]),
        "learning_rate": Range(0.0005, 0.005, log=True),
        "regularization": Range(0.01, 0.2, log=True),
        "max_iter": Choice([10, 20, 40]),
    },
    "rating-nmf": {
        "n_factors": Choice([5, 15, 30]),
        "regularization_user": Range(0.01, 0.3, log=True),
        "regularization_item": Range(0.01, 0.3, log=True),
        "max_iter": Choice([25, 50, 100]),
    },
    "ease": {"regularization": Range(10.0, 10_000.0, log=True)},
    "edlae": {
        "regularization": Range(10.0, 10_000.0, log=True),
        "dropout": Range(0.02, 0.5, log=True),
    },
    "sparse-ease": {
        "regularization": Range(10.0, 10_000.0, log=True),
        "n_neighbors": Choice([50, 100, 200, 500]),
    },
    "slim": {
        "alpha": Range(1e-3, 1.0, log=True),
        "l1_ratio": Range(1e-6, 1e-1, log=True),
    },
    "content": {"values": Choice(["binary", "log", "raw"]), "idf": Choice([True, False])},
    "hybrid-als": _ALS | _FEATURE_RIDGE,
    "hybrid-bpr": _BPR | _FEATURE_SHARE,
    "hybrid-warp": _WARP | _FEATURE_SHARE,
    "hybrid-sampled-softmax": _SOFTMAX
    | {"temperature": Range(0.2, 3.0, log=True), "regularization": Range(1e-3, 0.1, log=True)}
    | _FEATURE_SHARE,
    "external-vectors": _ALS,
    "fm": {"n_factors": Choice([4, 8, 16, 32]), "max_iter": Choice([50, 100, 200])},
    "gru4rec": _NETWORK | {"n_hidden": Choice([64, 128, 256])},
    "sasrec": _NETWORK | {"n_layers": Choice([1, 2, 3])},
    "two-tower": _NETWORK
    | {"n_hidden": Choice([64, 128, 256]), "id_dropout": Choice([0.0, 0.2, 0.5])},
    "rank-fusion": {"method": Choice(["reciprocal_rank", "borda", "vote"]), "depth": _DEPTH},
    "score-fusion": {"scale": Choice(["z_score", "probability"]), "depth": _DEPTH},
    "stacking": {"depth": _DEPTH},
    "bagging": {"n_estimators": Choice([5, 10]), "share": Choice([0.7, 1.0])},
    "cold-start": {"model": Choice(["item-knn", "implicit-als", "popularity"])},
}

# Spaces for a metric of rating errors, of models that can rank or predict ratings.
_RATING_KNN: Space = {
    "n_neighbors": Choice([10, 20, 40, 80]),
    "similarity": Choice(["cosine", "msd", "pearson", "pearson_baseline"]),
    "aggregation": Choice(["mean", "centered", "zscore", "baseline"]),
    "min_k": Choice([1, 3]),
}
_RATING_SPACES: dict[str, Space] = {"item-knn": _RATING_KNN, "user-knn": _RATING_KNN}

# Parameters that decide the quality of most models, by name.
_TUNABLE = (
    "n_neighbors",
    "n_factors",
    "regularization",
    "l1",
    "l2",
    "alpha",
    "beta",
    "shrink",
    "learning_rate",
    "dropout",
    "temperature",
)
_BELOW = {"dropout": 0.9}  # the largest value of parameters that must stay below 1


def has_rating_space(name: str | None) -> bool:
    """Return whether a model that ranks by default has a space for predicting ratings.

    Parameters
    ----------
    name : str, optional
        Name of a registered model.

    Returns
    -------
    bool
    """
    return name in _RATING_SPACES


def default_space(model: type, name: str | None = None, *, metric: str = "ndcg@10") -> Space:
    """Return the default search space of a model class.

    Parameters
    ----------
    model : type
        A recommender class.
    name : str, optional
        Its registered name.
    metric : str, default "ndcg@10"
        For a metric of rating errors, such as "rmse", the neighbourhood models get a space of
        settings that predict ratings.

    Returns
    -------
    dict of str to Choice or Range
        Every model of the package has a space. A model of your own: its parameters of well-known
        names, from a tenth to ten times their default. Empty where there is nothing to tune.

    Examples
    --------
    >>> from aimass_core import PureSVD
    >>> from aimass_core.tuning import default_space
    >>> default_space(PureSVD, "pure-svd")
    {'n_factors': Choice(values=(8, 16, 32, 64, 128, 256, 512))}
    """
    parameters = inspect.signature(model).parameters
    if metric.partition("@")[0] in RATINGS and name in _RATING_SPACES:
        return dict(_RATING_SPACES[name])
    if name in _SPACES:
        return {key: values for key, values in _SPACES[name].items() if key in parameters}
    return {
        key: _around(parameter.default, _BELOW.get(key, math.inf))
        for key, parameter in parameters.items()
        if key in _TUNABLE and _is_positive(parameter.default)
    }


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _around(default: float, maximum: float) -> Range:
    if isinstance(default, int):
        return Range(max(1, default // 10), default * 10, log=True, integer=True)
    return Range(default / 10, max(default, min(default * 10, maximum)), log=True)
