"""Top-k of a sparse product: recommending to every user from item similarities, beside implicit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from bench_gram_topk import CASES, NEUTRAL, problem, ratings
from peers import Lists, assert_same_lists, lists, require

from aimass_core import _core, reference

K = 10
OPTIONS = {name: value for name, value in NEUTRAL.items() if not name.endswith("_scale")}


@cache
def similarities(case: str) -> sp.csr_matrix:
    """The 100 nearest items of every item, by cosine."""
    weighted, indptr = problem(case)
    n = weighted.shape[1]
    parts = {"indptr": indptr, "indices": weighted.indices, "data": weighted.data}
    indptr, indices, scores = _core.gram_topk(**parts, n_cols=n, k=100, n_threads=2, **NEUTRAL)
    matrix = sp.csr_matrix((scores, indices, indptr), shape=(n, n))
    matrix.sort_indices()
    return matrix


def implicit_recommend(X: sp.csr_matrix, S: sp.csr_matrix) -> Lists:
    """implicit's item-item recommender with these similarities, over all users."""
    neighbours = require("implicit.nearest_neighbours", "implicit")
    model = neighbours.CosineRecommender(K=100)
    model.similarity = S
    model.scorer = neighbours.NearestNeighboursScorer(S)
    indices, scores = model.recommend(np.arange(X.shape[0]), X, N=K)
    return Lists(indices, np.where(indices < 0, -np.inf, scores))


@pytest.mark.parametrize("member", ["native", "reference", "peer:implicit"])
def bench_recommend_to_all(
    measure: Callable[..., Any], member: str, scale: str, n_threads: int
) -> None:
    case = CASES[scale][0]
    X, S = sp.csr_matrix(ratings(case)), similarities(case)
    x_indptr, x_indices = X.indptr.astype(np.int64), X.indices.astype(np.int32)
    y_indptr, y_indices = S.indptr.astype(np.int64), S.indices.astype(np.int32)

    def native(kernel: Callable[..., Any]) -> Any:
        return kernel(
            x_indptr=x_indptr,
            x_indices=x_indices,
            x_data=X.data,
            y_indptr=y_indptr,
            y_indices=y_indices,
            y_data=S.data,
            n_cols=S.shape[1],
            k=K,
            exclude_indptr=x_indptr,
            exclude_indices=x_indices,
            allowed=None,
            n_threads=n_threads,
            **OPTIONS,
        )

    def check(result: Any) -> None:
        sample = np.random.default_rng(0).permutation(X.shape[0])[:200]
        product = (X[sample].astype(np.float64) @ S.astype(np.float64)).toarray()
        product[X[sample].toarray() != 0] = 0
        got = lists(result, K)
        got = Lists(got.indices[sample], got.scores[sample])
        assert_same_lists(got, lists(sp.csr_matrix(product), K), rtol=1e-3)

    calls = {
        "native": lambda: native(_core.spgemm_topk),
        "reference": lambda: native(reference.spgemm_topk),
        "peer:implicit": lambda: implicit_recommend(X, S),
    }
    measure(f"spgemm_topk: recommend top-{K} to all users, {case}", member, calls[member], check)
