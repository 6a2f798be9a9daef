"""ApproximateIndex: recall, exact scores, filters; the package it needs."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core.retrieval import ApproximateIndex, FactorIndex


@pytest.fixture
def factors(rng):
    V = rng.standard_normal((2000, 16)) / np.arange(1, 2001)[:, None] ** 0.3
    return rng.standard_normal((50, 16)).astype(np.float32), V.astype(np.float32)


def test_without_usearch_it_says_what_to_install(monkeypatch, factors):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(ImportError, match=r"pip install 'aimass_core\[ann\]'"):
        ApproximateIndex(factors[1])


@pytest.mark.parametrize("metric", ["dot", "cosine"])
def test_recall_and_scores(factors, metric):
    pytest.importorskip("usearch")
    U, V = factors
    index, exact = ApproximateIndex(V, metric=metric), FactorIndex(V, metric=metric)
    assert index.recall(U, 10) > 0.95
    lists, want = index.topk(U, 10), exact.topk(U, 10)
    same = lists.indices == want.indices
    assert same.mean() > 0.9
    np.testing.assert_allclose(lists.scores[same], want.scores[same], rtol=1e-6)
    assert (np.diff(lists.scores, axis=1) <= 0).all()


def test_filters(factors, rng):
    pytest.importorskip("usearch")
    U, V = factors
    index = ApproximateIndex(V)
    best = FactorIndex(V).topk(U, 30).indices
    seen = sp.csr_array(
        (np.ones(best.size), (np.repeat(np.arange(50), 30), best.ravel())), (50, 2000)
    )
    indices = index.topk(U, 10, exclude=seen).indices
    assert all(not set(a) & set(b) for a, b in zip(indices.tolist(), best.tolist()))
    want = FactorIndex(V).topk(U, 10, exclude=seen).indices
    assert np.mean([np.isin(a, b).mean() for a, b in zip(want, indices)]) > 0.9
    mask = rng.random(2000) < 0.5
    indices = index.topk(U, 10, candidates=mask).indices
    assert mask[indices].all()
    indices = index.topk(U, 10, candidates=seen, exclude=np.flatnonzero(~mask)).indices
    assert mask[indices[indices >= 0]].all()
    assert all(set(a) - {-1} <= set(b) for a, b in zip(indices.tolist(), best.tolist()))
    assert (index.topk(U, 10, exclude=seen, candidates=seen).indices == -1).all()


def test_a_narrow_filter_is_answered_exactly(factors, rng):
    pytest.importorskip("usearch")
    U, V = factors
    few = rng.choice(2000, 12, replace=False)
    index, exact = ApproximateIndex(V), FactorIndex(V)
    own = sp.random_array((50, 2000), density=0.004, random_state=rng, format="csr")
    for candidates in (few, own):
        got, want = (i.topk(U, 10, candidates=candidates) for i in (index, exact))
        np.testing.assert_array_equal(got.indices, want.indices)
        np.testing.assert_array_equal(got.scores, want.scores)


def test_ids(factors):
    pytest.importorskip("usearch")
    U, V = factors
    names = np.array([f"item-{n}" for n in range(2000)])
    lists = ApproximateIndex(V, ids=names).topk(U[:2], 3, exclude=["item-7"], query_ids=["a", "b"])
    np.testing.assert_array_equal(lists.ids, names[lists.indices])
    assert lists.queries.tolist() == ["a", "b"]


def test_what_is_proposed_gets_the_bits_of_the_exact_index(rng):
    """With all items proposed the answer is the exact one, over several blocks, filters and all."""
    pytest.importorskip("usearch")
    U = rng.standard_normal((300, 12)).astype(np.float32)
    V = rng.integers(-2, 3, (150, 12)).astype(np.float32)  # many ties
    index, exact = ApproximateIndex(V, oversampling=30), FactorIndex(V)
    seen = sp.csr_array(rng.random((300, 150)) < 0.3)
    lists = sp.csr_array(rng.random((300, 150)) < 0.5)
    mask = rng.random(150) < 0.5
    for filters in (
        {},
        {"exclude": seen},
        {"exclude": seen, "candidates": mask},
        {"exclude": seen, "candidates": lists},
    ):
        for n_threads in (1, 2):
            got = index.topk(U, 5, n_threads=n_threads, **filters)
            want = exact.topk(U, 5, **filters)
            np.testing.assert_array_equal(got.indices, want.indices)
            np.testing.assert_array_equal(got.scores, want.scores)
    assert index.recall(U, 5) == 1


def test_small_and_bad_input(factors):
    pytest.importorskip("usearch")
    index = ApproximateIndex(factors[1][:3])
    assert index.topk(factors[0], 10).indices.shape == (50, 3)
    assert ApproximateIndex(np.ones((0, 4))).topk(np.ones((2, 4)), 3).indices.shape == (2, 0)
    assert index.topk(factors[0][:1], 3, exclude=[1000, -5]).lengths.tolist() == [3]
    huge = ApproximateIndex(factors[1].astype(np.float64)[:20] * 1e200)
    want = FactorIndex(factors[1][:20]).topk(factors[0], 3).indices
    assert np.mean(huge.topk(factors[0].astype(np.float64), 3).indices == want) > 0.9
    with pytest.raises(ValueError, match="queries row 0 holds nan"):
        index.topk(np.full((1, 16), np.nan, np.float32), 3)
