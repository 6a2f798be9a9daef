"""One unfitted model of each registered recommender, and values of every option, for tests."""

from __future__ import annotations

import inspect
from importlib.util import find_spec
from typing import Any

from aimass_core import ImplicitALS, ItemKNN, Popularity, Similarity, UserKNN
from aimass_core.base import registry
from aimass_core.data.weighting import BM25, TfIdf

# Small sizes, where the constructor has the argument.
SMALL = {
    "n_factors": 4,
    "max_iter": 3,
    "n_burn_in": 1,
    "n_draws": 2,
    "n_neighbors": 7,
    "n_estimators": 2,
    "n_folds": 2,
    "share": 0.8,
    "n_hidden": 4,
    "n_threads": 2,
    "models": [Popularity(), ItemKNN(n_neighbors=7)],
    "model": ItemKNN(n_neighbors=7),
}
# Descent over all items must converge, or `fit` warns.
LONGER = {"slim": {"max_iter": 200}}

# Values other than the default of every option that changes learned state or answers.
VALUES: dict[str, list[Any]] = {
    "aggregation": ["mean", "centered", "zscore", "baseline"],
    "alpha": [0.05, 1.5],
    "base": ["user", ItemKNN(n_neighbors=5, weighting="bm25"), UserKNN(n_neighbors=5)],
    "baseline": ["sgd"],
    "batch_size": [7],
    "bias_share": [0.6],
    "biases": [True, False],
    "block_size": [2],
    "by": ["sum", "mean"],
    "clip": [False],
    "confidence": ["linear", "total"],
    "constant_regularization": [2.0],
    "decay": [0.9],
    "depth": [5, 30],
    "dropout": [0.6],
    "dtype": ["float32", "float64"],
    "end": [800],
    "estimator": [
        {"steps": [["DecisionTreeClassifier", {"max_depth": 4, "random_state": 0}]]},
        {"steps": [["LogisticRegression", {"C": 0.5}]]},
    ],
    "feature_regularization": [0.1],
    "feature_share": [0.2],
    "half_life": [300.0],
    "id_dropout": [0.0, 1.0],
    "idf": [False],
    "init_high": [2.0],
    "init_low": [0.5],
    "init_mean": [0.1],
    "init_scale": [0.3],
    "init_std": [0.3],
    "k_positive": [2],
    "l1_ratio": [0.1],
    "learning_rate": [0.01],
    "learning_rate_implicit": [0.01],
    "learning_rate_item": [0.01],
    "learning_rate_item_bias": [0.01],
    "learning_rate_user": [0.01],
    "learning_rate_user_bias": [0.01],
    "margin": [0.5],
    "max_iter": [1, 5],
    "max_length": [3, 90],
    "method": ["sgd", "borda", "vote"],
    "min_k": [2],
    "model": [ImplicitALS(n_factors=3, max_iter=2), Popularity()],
    "models": [[ItemKNN(n_neighbors=3), ImplicitALS(n_factors=3, max_iter=2)]],
    "momentum": [0.5],
    "n_burn_in": [2],
    "n_candidates": [3, 12],
    "n_checked": [2],
    "n_draws": [1],
    "n_estimators": [3],
    "n_factors": [1, 9],
    "n_folds": [3],
    "n_heads": [2],
    "n_hidden": [1, 9],
    "n_item_clusters": [2],
    "n_layers": [1, 3],
    "n_negatives": [1, 4],
    "n_neighbors": [2, 15],
    "n_oversamples": [4],
    "n_positives": [2],
    "n_steps": [1, 4],
    "n_time_bins": [3],
    "n_user_clusters": [2],
    "n_votes": [3],
    "negative_weight": [2.0],
    "negatives": ["popularity"],
    "neighbors_of": ["seen"],
    "nonnegative": [False],
    "normalize": [True, False],
    "now": [2000],
    "nu": [0.0, 0.5],
    "optimizer": ["sgd", "momentum", "adagrad", "adam"],
    "order": ["stored"],
    "penalty": [0.5],
    "popularity_power": [0.5],
    "positive_only": [False],
    "prior_weight": [0.6],
    "profile": ["raw", "binary"],
    "rank_constant": [5.0],
    "rating_scale": [(1, 5)],
    "recency": [0.0, 2.5],
    "reg_i": [1.0],
    "reg_time": [1.0],
    "reg_u": [1.0],
    "regularization": [0.1, 5.0],
    "regularization_bias": [0.1],
    "regularization_implicit": [0.1],
    "regularization_item": [0.1],
    "regularization_item_bias": [0.1],
    "regularization_negative": [0.1],
    "regularization_positive": [0.1],
    "regularization_user": [0.1],
    "regularization_user_bias": [0.1],
    "scale": ["probability", "none"],
    "share": [0.6],
    "similarity": [
        "jaccard",
        "rp3beta",
        "pearson_corated",
        "msd",
        Similarity("cosine", shrink=5.0),
        Similarity("cosine", support_shrink=3.0, significance=4),
    ],
    "solver": ["cholesky", "cg", "pcg", "subspace", "nonnegative", "dense", "sparse"],
    "start": [300],
    "support": [2.0],
    "temperature": [0.5],
    "tol": [0.05],
    "unobserved_weight": [0.3],
    "user_drift": [True],
    "validation": ["latest"],
    "values": ["raw", "log"],
    "weighting": ["bm25", "tf_idf", "log", "binarize", BM25(documents="users"), TfIdf()],
    "weights": [[2.0, 1.0]],
}
# Options that are not varied, and why.
NOT_VARIED = {
    "device": "there is one device on every machine",
    "item_category": "needs a table of features: tests/fusion/test_cold_start.py",
    "max_rows": "a limit of memory while the combination is learned",
    "metric": "read where fit gets a validation part",
    "n_threads": "tests of their own",
    "patience": "read where fit gets a validation part",
    "random_state": "tests of their own",
    "track_loss": "reports, and changes nothing",
    "update_iter": "read by partial_fit",
    "user_category": "needs a table of features: tests/fusion/test_cold_start.py",
    "validation_interval": "read where fit gets a validation part",
}


def small_model(name: str) -> Any:
    """Return a model by its registered name, with sizes for a matrix of some dozens of rows."""
    cls = registry.find(name)
    known = inspect.signature(cls).parameters
    sizes = SMALL | LONGER.get(name, {})
    return cls(**{option: value for option, value in sizes.items() if option in known})


LIBRARIES = {"deep": "torch"}  # extra of this package: module that it installs


def missing_library(model: Any) -> str | None:
    """Return why a model cannot be fitted here: its library is not installed; else None."""
    extra = getattr(model, "needs_extra", None)
    if extra is None or find_spec(LIBRARIES[extra]) is not None:
        return None
    return f"{LIBRARIES[extra]} is not installed: pip install 'aimass_core[{extra}]'"


def own_names() -> list[str]:
    """Return the registered names of the models of this package."""
    names = registry.model_names()
    return [n for n in names if registry.find(n).__module__.startswith("aimass_core.")]


def small_models() -> list[Any]:
    """Return a small model of each registered name that needs no features."""
    models = [small_model(name) for name in own_names()]
    return [model for model in models if not model.needs_features]
