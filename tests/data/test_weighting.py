"""Weighting against dense formulas, and a published result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import Interactions
from aimass_core.data import weighting


def dense_bm25(A: np.ndarray, K1: float, B: float) -> np.ndarray:
    """Documents in the rows."""
    idf = np.log(len(A) / (1 + (A != 0).sum(0)))
    length = A.sum(1, keepdims=True)
    return idf * A * (K1 + 1) / (K1 * (1 - B + B * length / length.mean()) + A)


def dense_tf_idf(A: np.ndarray) -> np.ndarray:
    return np.sqrt(A) * np.log(len(A) / (1 + (A != 0).sum(0)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_terms(small_ratings: sp.csr_array, dtype: Any) -> None:
    X = small_ratings.astype(dtype)
    A = X.toarray().astype(np.float64)
    for got, expected in [
        (weighting.bm25(X), dense_bm25(A.T, 1.2, 0.75).T),
        (weighting.bm25(X, K1=2.0, B=0.3, documents="users"), dense_bm25(A, 2.0, 0.3)),
        (weighting.bm25(X, B=0), dense_bm25(A.T, 1.2, 0.0).T),
        (weighting.tf_idf(X), dense_tf_idf(A)),
        (weighting.tf_idf(X, documents="items"), dense_tf_idf(A.T).T),
    ]:
        assert got.dtype == dtype
        np.testing.assert_allclose(got.toarray(), expected, rtol=1e-5, atol=1e-6)


def test_values(small_ratings: sp.csr_array) -> None:
    A = small_ratings.toarray().astype(np.float64)
    seen = A != 0
    np.testing.assert_allclose(
        weighting.log(small_ratings, alpha=3, epsilon=0.5).toarray(),
        3 * np.log1p(A / 0.5),
        rtol=1e-6,
    )
    assert (weighting.binarize(small_ratings).toarray() == seen).all()
    assert (weighting.binarize(small_ratings, threshold=4).toarray() == (A >= 4)).all()
    for axis, over in (("users", 1), ("items", 0), ("global", None)):
        n = np.maximum(seen.sum(over, keepdims=True), 1)
        expected = np.where(seen, A - A.sum(over, keepdims=True) / n, 0)
        np.testing.assert_allclose(
            weighting.center(small_ratings, axis=axis).toarray(), expected, atol=1e-6
        )


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("axis", ["users", "items"])
def test_normalize(small_ratings: sp.csr_array, norm: str, axis: str) -> None:
    centred = weighting.center(small_ratings)
    A = np.abs(weighting.normalize(centred, norm=norm, axis=axis).toarray().astype(np.float64))
    size = {"l1": A.sum, "l2": lambda i: np.sqrt((A**2).sum(i)), "max": A.max}[norm](
        1 if axis == "users" else 0
    )
    before = np.abs(centred.toarray()).max(1 if axis == "users" else 0)
    np.testing.assert_allclose(size, before > 0, atol=1e-6)


def test_normalize_neither_overflows_nor_vanishes() -> None:
    X = sp.csr_array(np.array([[3e200, 4e200], [3e-200, 4e-200], [0.0, 0.0]]))
    np.testing.assert_allclose(weighting.normalize(X).toarray(), [[0.6, 0.8], [0.6, 0.8], [0, 0]])


FUNCTIONS: list[Callable[..., Any]] = [
    weighting.tf_idf,
    weighting.bm25,
    weighting.log,
    weighting.binarize,
    lambda X: weighting.binarize(X, threshold=3),
    weighting.center,
    weighting.normalize,
]


@pytest.mark.parametrize("weight", FUNCTIONS)
def test_kind_and_input_are_kept(weight: Callable[..., Any], small_ratings: sp.csr_array) -> None:
    x = Interactions.from_csr(small_ratings, items=[f"i{i}" for i in range(25)])
    before = small_ratings.copy()
    weighted = weight(x)
    assert isinstance(weighted, Interactions)
    assert weighted.items is x.items
    assert (weighted.matrix != weight(small_ratings)).nnz == 0
    assert (small_ratings != before).nnz == 0
    assert weight(sp.csr_array((0, 0), dtype=np.float32)).shape == (0, 0)
    assert weight(sp.csr_array((3, 2))).nnz == 0


def test_refusals() -> None:
    for weight in (weighting.tf_idf, weighting.bm25, weighting.log):
        with pytest.raises(ValueError, match="needs values of at least 0, got -1"):
            weight([[-1.0]])
    with pytest.raises(ValueError, match="B must be at most 1"):
        weighting.bm25([[1.0]], B=2)
    with pytest.raises(ValueError, match="documents must be one of"):
        weighting.tf_idf([[1.0]], documents="rows")
    with pytest.raises(ValueError, match="axis must be one of"):
        weighting.center([[1.0]], axis=0)
    with pytest.raises(ValueError, match="not a finite number"):
        weighting.log([[np.nan]])


@pytest.mark.slow
def test_published_item_knn_on_movielens_1m(real_data: Callable[[str], Path]) -> None:
    """HR@10 .6694 and NDCG@10 .3979 (Rendle et al. 2020 / Anelli et al. 2021), in plain SciPy."""
    folder = real_data("movielens-1m")
    names = {"user": "user_id", "item": "item_id"}
    x = Interactions.from_table(folder / "interactions.parquet", **names)
    maps = {"users": x.users, "items": x.items}
    test = Interactions.from_table(folder / "ncf_leave_one_out_test.parquet", **names, **maps)
    others = Interactions.from_table(
        folder / "ncf_leave_one_out_negatives.parquet", **names, **maps
    )
    train = x.with_matrix(x.matrix - test.matrix)
    W = weighting.bm25(train.matrix).toarray().astype(np.float64)
    norms = np.sqrt((W**2).sum(0))
    S = (W.T @ W) / (np.outer(norms, norms) + 298)
    np.fill_diagonal(S, 0)
    few = -np.partition(-S, 110, axis=0)[110]  # the 111 best neighbours of each target (column)
    S[few > S] = 0
    scores = train.matrix @ S
    users, target = test.row_indices(), test.matrix.indices
    own = scores[users, target]
    candidates = others.matrix - others.matrix.multiply(test.matrix)  # the test item counts once
    rows, cols = candidates.nonzero()
    rank = np.bincount(rows, weights=scores[rows, cols] > own[rows], minlength=x.n_users)
    hit = rank < 10
    assert hit.mean() == pytest.approx(0.6694, abs=5e-5)
    assert (hit / np.log2(rank + 2)).mean() == pytest.approx(0.3979, abs=5e-5)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
@pytest.mark.parametrize("documents", ["users", "items"])
def test_no_users_or_no_items(shape: tuple[int, int], documents: str) -> None:
    X = sp.csr_array(shape)
    for weight in (weighting.bm25, weighting.tf_idf):
        assert weight(X, documents=documents).shape == shape
