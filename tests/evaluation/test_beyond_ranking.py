"""Catalogue, novelty and diversity metrics, AUC and candidate ranks against plain definitions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score

from aimass_core import evaluation as ev

LISTS = [[0, 1, 2], [1, 2, 2], [], [2, 5, 1]]
UNIQUE = [[0, 1, 2], [1, 2], [], [2, 5, 1]]


def test_catalogue_metrics_equal_plain_definitions():
    counts = np.zeros(8)
    for one in UNIQUE:
        counts[one] += 1
    pairs = sum(abs(a - b) for a in counts for b in counts) / (2 * len(counts) ** 2 * counts.mean())
    share = counts[counts > 0] / counts.sum()
    assert ev.item_counts(LISTS, 8).tolist() == counts.tolist()
    assert ev.coverage(LISTS, 8) == 4 / 8
    assert ev.coverage(LISTS, 8, k=1) == 3 / 8
    assert ev.user_coverage(LISTS) == 3 / 4
    assert ev.gini(LISTS, 8) == pytest.approx(pairs)
    assert ev.gini_normalized(LISTS, 8) == pytest.approx(pairs * 8 / 7)
    assert ev.entropy(LISTS, 8) == pytest.approx(-(share * np.log2(share)).sum())
    assert ev.gini([[0], [1], [2]], 3) == 0
    assert ev.gini_normalized([[0], [0]], 1) == 0


def test_novelty_equals_plain_definition(rng):
    train = sp.csr_array((rng.random((30, 8)) < 0.3).astype(float))
    p = np.maximum((train.toarray() > 0).sum(axis=0), 1) / 30
    expected = [np.mean([-np.log2(p[i]) for i in one]) if one else np.nan for one in UNIQUE]
    np.testing.assert_allclose(ev.novelty(LISTS, train, mean=False), expected)
    assert ev.novelty(LISTS, train) == pytest.approx(np.nanmean(expected))
    expected = [np.mean([1 - p[i] for i in one]) if one else np.nan for one in UNIQUE]
    np.testing.assert_allclose(ev.popularity_complement(LISTS, train, mean=False), expected)


@pytest.mark.parametrize("sparse", [True, False])
def test_diversity_equals_plain_definition(rng, sparse):
    features = rng.normal(size=(8, 4)) * 10.0 ** rng.integers(-150, 150, size=(8, 1))
    features[5] = 0

    def cosine(a, b):
        a, b = (v / (np.abs(v).max() or 1) for v in (a, b))
        norms = np.linalg.norm(a) * np.linalg.norm(b)
        return a @ b / norms if norms else 0.0

    expected = [
        np.mean([1 - cosine(features[i], features[j]) for i, j in combinations(one, 2)])
        if len(one) > 1
        else np.nan
        for one in UNIQUE
    ]
    given = sp.csr_array(features) if sparse else features
    values = ev.diversity(LISTS, given, mean=False)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    assert ev.diversity(LISTS, given) == pytest.approx(np.nanmean(expected))


def test_personalization_equals_plain_definition():
    expected = 1 - np.mean([len(set(a) & set(b)) / 3 for a, b in combinations(UNIQUE, 2)])
    assert ev.personalization(LISTS) == pytest.approx(expected)
    assert ev.personalization([[1, 2], [1, 2]]) == 0


def test_refusals():
    nothing = [[], []]
    for metric in (ev.gini, ev.gini_normalized, ev.entropy):
        with pytest.raises(ValueError, match="no item at all"):
            metric(nothing, 4)
    assert ev.coverage(nothing, 4) == 0
    with pytest.raises(ValueError, match="no item at all"):
        ev.novelty(nothing, [[1]])
    with pytest.raises(ValueError, match="two items"):
        ev.diversity([[0], [1]], np.eye(2))
    with pytest.raises(ValueError, match="item 5, but there are 4"):
        ev.coverage(LISTS, 4)
    with pytest.raises(TypeError, match="string ids"):
        ev.coverage([["a"]], 4)
    with pytest.raises(ValueError, match="two users"):
        ev.personalization([[1]])
    with pytest.raises(ValueError, match="no user"):
        ev.novelty([[0]], sp.csr_array((0, 3)))


def test_auc_equals_sklearn(rng):
    scores = rng.integers(0, 6, size=(40, 25)).astype(float)  # many ties
    scores[scores == 5] = -np.inf
    labels = (rng.random((40, 25)) < 0.3).astype(float)
    labels[0], labels[1] = 0, 1
    seen = (rng.random((40, 25)) < 0.2).astype(float)
    finite = np.where(np.isinf(scores), -99, scores)
    for exclude in (None, sp.csr_array(seen)):
        kept = np.ones_like(seen, bool) if exclude is None else seen == 0
        expected = [
            roc_auc_score(y[m], s[m]) if 0 < y[m].sum() < m.sum() else np.nan
            for y, s, m in zip(labels, finite, kept)
        ]
        values = ev.auc(scores, sp.csr_array(labels), exclude=exclude, mean=False)
        np.testing.assert_allclose(values, expected, atol=1e-12)
        assert ev.auc(scores, labels, exclude=exclude) == pytest.approx(np.nanmean(expected))


def test_auc_refusals():
    with pytest.raises(ValueError, match="both relevant and irrelevant"):
        ev.auc([[1.0, 2.0]], [[1, 1]])
    with pytest.raises(ValueError, match="NaN"):
        ev.auc([[np.nan, 2.0]], [[1, 0]])
    with pytest.raises(ValueError, match="must be equal"):
        ev.auc([[1.0, 2.0]], [[1, 0, 0]])
    with pytest.raises(ValueError, match="2-D"):
        ev.auc([1.0, 2.0], [[1, 0]])


def test_rank_among_ties():
    scores = [[0.5, 0.9, 0.5, 0.5, 0.1]]
    items = [[7, 1, 3, 9, 2]]
    expected = {"optimistic": 2, "pessimistic": 4, "mean": 3, "index": 3}
    for ties, rank in expected.items():
        assert ev.rank_among(scores, ties=ties, candidates=items).tolist() == [rank]
    assert ev.rank_among(scores, [1]).tolist() == [1]
    constant = np.zeros((1, 100))
    assert ev.rank_among(constant).tolist() == [50.5]


def test_rank_among_counts_the_test_item_once():
    items = [[7, 1, 7, 9]]
    assert ev.rank_among([[0.5, 0.9, 0.5, 0.1]], candidates=items, ties="pessimistic") == [2]


def test_rank_among_refusals():
    with pytest.raises(ValueError, match="needs candidates"):
        ev.rank_among([[1.0]], ties="index")
    with pytest.raises(ValueError, match="within"):
        ev.rank_among([[1.0]], 1)
    with pytest.raises(TypeError, match="column numbers"):
        ev.rank_among([[1.0]], 0.0)
    with pytest.raises(ValueError, match="candidates has shape"):
        ev.rank_among([[1.0]], candidates=[[1, 2]])


def test_rank_metrics_equal_the_list_metrics(rng):
    lists = np.array([rng.permutation(30) for _ in range(50)])
    truth = [[4]] * 50
    ranks = 1 + np.argmax(lists == 4, axis=1)
    found = ev.rank_metrics(ranks, k=10)
    assert found["hit_rate"] == pytest.approx(ev.hit_rate(lists, truth, k=10))
    assert found["ndcg"] == pytest.approx(ev.ndcg(lists, truth, k=10))
    assert found["reciprocal_rank"] == pytest.approx(ev.reciprocal_rank(lists, truth, k=10))
    assert ev.rank_metrics(ranks, mean=False)["hit_rate"].shape == (50,)
    with pytest.raises(ValueError, match="at least 1"):
        ev.rank_metrics([0])
    with pytest.raises(ValueError, match="1-D array with an entry"):
        ev.rank_metrics([])
