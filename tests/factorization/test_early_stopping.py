"""The metric of early stopping is checked when the fit begins, as every other parameter is."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import aimass_core
from aimass_core.base import metric_names
from aimass_core.evaluation import _metrics
from aimass_core.factorization import MODELS

X = (np.random.default_rng(0).random((12, 8)) < 0.5).astype(np.float32)
STOPPING = [
    name
    for name in sorted(MODELS)
    if "metric" in inspect.signature(getattr(aimass_core, name)).parameters
]


@pytest.mark.parametrize("name", STOPPING)
def test_unknown_metrics_are_refused_before_the_first_epoch(name: str) -> None:
    cls: Any = getattr(aimass_core, name)
    for metric, message in (
        ("abc", "metric holds 'abc'; known are hit_rate, precision"),
        ("ndgc@10", "did you mean 'ndcg'"),
        ("recall@ten", "write the cut-off as in 'recall@20'"),
    ):
        with pytest.raises(ValueError, match=message):
            cls(n_factors=2, max_iter=1, metric=metric).fit(X)
    with pytest.raises(TypeError, match="metric must hold names or functions, got 3"):
        cls(n_factors=2, max_iter=1, metric=3).fit(X)
    if not cls.predicts_ratings:
        with pytest.raises(ValueError, match=rf"'rmse', an error of ratings, but {name} only ra"):
            cls(n_factors=2, max_iter=1, metric="rmse").fit(X)


def test_models_that_stop_early_are_covered() -> None:
    assert {"BPR", "WARP", "ImplicitALS", "LogisticMF", "SVD"} <= set(STOPPING)


def test_names_are_those_of_the_metrics() -> None:
    assert tuple(_metrics.LIST_METRICS) == metric_names.LIST_NAMES
    assert tuple(_metrics.COUNT_METRICS) == metric_names.COUNT_NAMES
    assert tuple(_metrics.RATING_METRICS) == metric_names.RATING_NAMES
