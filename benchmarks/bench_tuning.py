"""A grid of 30 settings with shared fits beside independent fits of the same settings.

ImplicitALS shares one training of the largest number of epochs, with the exact step of users that
ends a fit taken after each number of epochs in question: 30 settings take 96 epochs instead of 252.
ItemKNN shares one fit of the largest number of neighbours and one pass over the data for the lists
of all numbers (`nested_topk`): on MovieLens 1M the evaluation of long lists takes most of the time
of independent fits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from data import power_law

from aimass_core import ImplicitALS, Interactions, ItemKNN, Similarity, reference
from aimass_core.base.csr import spgemm_topk, transpose
from aimass_core.base.validation import csr_parts, wrap_csr
from aimass_core.data import split
from aimass_core.evaluation import evaluate
from aimass_core.jit.nested_topk import nested_topk
from aimass_core.tuning import tune
from aimass_core.tuning._nested_lists import by_level
from aimass_core.tuning._sharing import ranks_in_lists
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


LEVELS = {
    "small": [2, 5, 10],
    "medium": [5, 10, 20, 50, 100, 200],
    "full": [5, 10, 20, 50, 100, 200],
}


@pytest.mark.parametrize("member", ["native", "reference", "one product for each level"])
def bench_nested_topk(measure: Callable[..., Any], member: str, scale: str, n_threads: int) -> None:
    """The lists of all users at every number of neighbours, items seen excluded."""
    if member == "reference" and scale != "small":
        pytest.skip("dense products of NumPy take minutes")
    lengths = LEVELS[scale]
    train = parts(scale).train.matrix
    model = ItemKNN(n_neighbors=lengths[-1], similarity="cosine").fit(train)
    lists = model.similarity_
    ranks = ranks_in_lists(lists)

    def cut(n: int) -> Any:
        kept = ranks < n
        indptr = np.concatenate([[0], np.cumsum(kept)])[lists.indptr]
        return transpose(
            wrap_csr(indptr, lists.indices[kept], lists.data[kept], lists.shape), n_threads
        )

    products = [cut(n) for n in lengths]
    levels = np.searchsorted(lengths, ranks, side="right").astype(np.float32)
    marked = transpose(wrap_csr(lists.indptr, lists.indices, levels, lists.shape), n_threads)
    columns, values, bounds = by_level(products[-1], marked.data, len(lengths))
    arguments = (
        *csr_parts(model.user_items_),
        bounds,
        columns,
        values,
        train.shape[1],
        *csr_parts(train)[:2],
    )
    shape = len(lengths), train.shape[0], 10

    def separate() -> Any:
        found = [spgemm_topk(model.user_items_, Y, 10, n_threads, exclude=train) for Y in products]
        return [np.stack(part) for part in zip(*found, strict=True)]

    def nested() -> Any:
        out = np.full(shape, -1, np.int32), np.full(shape, -np.inf)
        (nested_topk if member == "native" else reference.nested_topk)(*arguments, *out)
        return out

    def check(found: Any) -> None:
        np.testing.assert_allclose(found[1], separate()[1], rtol=1e-4)

    call = nested if member in ("native", "reference") else separate
    measure(
        f"lists at {len(lengths)} numbers of neighbours, {train.nnz:,} interactions",
        member,
        call,
        check,
    )
