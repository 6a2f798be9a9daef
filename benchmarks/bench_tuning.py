"""A grid of 30 settings with shared fits beside independent fits of the same settings.

ImplicitALS shares one training of the largest number of epochs, ItemKNN one fit of the largest
number of neighbours. Both members evaluate every setting, so the gain of ItemKNN is bounded by the
share of the fits: on MovieLens 1M the evaluation of long lists takes most of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from data import power_law

from aimass_core import ImplicitALS, Interactions, ItemKNN, Similarity
from aimass_core.data import split
from aimass_core.evaluation import evaluate
from aimass_core.tuning import tune
from aimass_core.tuning.space import as_space, grid_settings

SHAPES = {
    "small": (300, 200, 6_000),
    "medium": (6_040, 3_706, 1_000_000),
    "full": (6_040, 3_706, 1_000_000),
}
SPACES = {
    ImplicitALS: {
        "n_factors": [32],
        "regularization": [0.003, 0.03, 0.3],
        "alpha": [1.0, 5.0],
        "max_iter": [2, 4, 8, 12, 16],
    },
    ItemKNN: {
        "n_neighbors": [5, 10, 20, 50, 100, 200],
        "similarity": [
            "cosine",
            "jaccard",
            Similarity("cosine", shrink=10.0),
            Similarity("cosine", shrink=100.0),
            Similarity("asymmetric_cosine", alpha=0.3),
        ],
    },
}


@cache
def parts(scale: str) -> Any:
    """The split whose test part the settings are scored on."""
    matrix = power_law(*SHAPES[scale])
    return split.random(Interactions.from_csr(matrix), random_state=0)


@pytest.mark.parametrize("cls", list(SPACES), ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("member", ["native", "independent fits"])
def bench_thirty_settings(
    measure: Callable[..., Any], member: str, cls: Any, scale: str, n_threads: int
) -> None:
    data = parts(scale)
    settings = grid_settings(as_space(SPACES[cls]), 1)
    assert len(settings) == 30

    def shared() -> list[float]:
        result = tune(
            cls,
            data.train,
            space=SPACES[cls],
            method="grid",
            validation=[data],
            test=False,
            refit=False,
            n_threads=n_threads,
        )
        scores = {repr(trial.params): trial.score for trial in result.trials}
        return [scores[repr(setting)] for setting in settings]

    def independent() -> list[float]:
        return [
            evaluate({"m": cls(**setting)}, data, metrics=["ndcg@10"], n_threads=n_threads)["m"][
                "ndcg@10"
            ]
            for setting in settings
        ]

    def check(scores: list[float]) -> None:
        assert np.isfinite(scores).all()
        for i in (0, 17, 29):
            model = cls(**settings[i])
            expected = evaluate({"m": model}, data, metrics=["ndcg@10"])["m"]["ndcg@10"]
            assert scores[i] == pytest.approx(expected, abs=0.002)

    measure(
        f"30 settings of {cls.__name__}, {data.train.nnz:,} interactions",
        member,
        shared if member == "native" else independent,
        check,
        rounds=1,
        warm_up=False,
    )
