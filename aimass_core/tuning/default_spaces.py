"""Default search spaces of the models, and a rule for models without one.

Ranges are those in which the literature and our own benchmarks find the best settings of data sets
from 100 thousand to 20 million interactions.
"""

from __future__ import annotations

import inspect
from typing import Any

from ..data.weighting import BM25
from ..similarity import Similarity
from .space import Choice, Range, Space

__all__ = ["default_space"]

_NEIGHBORS = Choice([5, 10, 20, 50, 100, 200, 500])
_FACTORS = Choice([16, 32, 64, 128, 256])


def _weightings(documents: str) -> Choice:
    return Choice([None, "bm25", BM25(B=0.1, documents=documents), "tf_idf", "log"])


def _similarities() -> Choice:
    return Choice(
        [
            "cosine",
            Similarity("cosine", shrink=10.0),
            Similarity("cosine", shrink=100.0),
            "jaccard",
            Similarity("asymmetric_cosine", alpha=0.3),
            Similarity("rp3beta", alpha=1.0, beta=0.4),
            Similarity("rp3beta", alpha=0.6, beta=0.3),
        ]
    )


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
    "implicit-als": {
        "n_factors": _FACTORS,
        "regularization": Range(1e-3, 1.0, log=True),
        "alpha": Range(0.5, 50.0, log=True),
        "max_iter": Choice([8, 16, 32]),
    },
    "explicit-als": {
        "n_factors": Choice([8, 16, 32, 64]),
        "regularization": Range(0.02, 0.5, log=True),
        "max_iter": Choice([10, 20]),
    },
    "nmf": {"n_factors": _FACTORS, "regularization": Range(1e-3, 1.0, log=True)},
    "pure-svd": {"n_factors": Choice([8, 16, 32, 64, 128, 256, 512])},
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
    "baseline": {
        "reg_u": Range(1.0, 50.0, log=True),
        "reg_i": Range(1.0, 50.0, log=True),
    },
    "popularity": {},
    "slope-one": {},
}

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


def default_space(model: type, name: str | None = None) -> Space:
    """Return the default search space of a model class.

    Parameters
    ----------
    model : type
        A recommender class.
    name : str, optional
        Its registered name.

    Returns
    -------
    dict of str to Choice or Range
        A model without an entry of its own: its parameters of well-known names, from a tenth to ten
        times their default. Empty where there is nothing to tune.

    Examples
    --------
    >>> from aimass_core import PureSVD
    >>> from aimass_core.tuning import default_space
    >>> default_space(PureSVD, "pure-svd")
    {'n_factors': Choice(values=(8, 16, 32, 64, 128, 256, 512))}
    """
    parameters = inspect.signature(model).parameters
    if name in _SPACES:
        return {key: values for key, values in _SPACES[name].items() if key in parameters}
    return {
        key: _around(parameter.default)
        for key, parameter in parameters.items()
        if key in _TUNABLE and _is_positive(parameter.default)
    }


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _around(default: float) -> Range:
    if isinstance(default, int):
        return Range(max(1, default // 10), default * 10, log=True, integer=True)
    return Range(default / 10, default * 10, log=True)
