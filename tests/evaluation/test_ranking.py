"""List metrics against plain definitions, scikit-learn, worked examples and unfriendly input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import average_precision_score, ndcg_score

from aimass_core import evaluation as ev

ALL = [
    ev.hit_rate,
    ev.precision,
    ev.recall,
    ev.recall_capped,
    ev.f1,
    ev.average_precision,
    ev.average_precision_capped,
    ev.average_precision_hits,
    ev.reciprocal_rank,
    ev.ndcg,
    ev.ndcg_graded,
]


def plain(name, items, truth, k):
    """One user's value, straight from the definition; `items` may repeat, `truth` is a set."""
    seen, hits = set(), []
    for item in items[:k]:
        hits.append(item in truth and item not in seen)
        seen.add(item)
    n, found = len(truth), sum(hits)
    precisions = [sum(hits[: p + 1]) / (p + 1) for p in range(len(hits)) if hits[p]]
    dcg = sum(hit / math.log2(p + 2) for p, hit in enumerate(hits))
    ideal = sum(1 / math.log2(p + 2) for p in range(min(k, n)))
    p, r = found / k, found / n
    return {
        "hit_rate": float(found > 0),
        "precision": p,
        "recall": r,
        "recall_capped": found / min(k, n),
        "f1": 2 * p * r / (p + r) if found else 0.0,
        "average_precision": sum(precisions) / n,
        "average_precision_capped": sum(precisions) / min(k, n),
        "average_precision_hits": sum(precisions) / found if found else 0.0,
        "reciprocal_rank": 1 / (1 + hits.index(True)) if found else 0.0,
        "ndcg": dcg / ideal,
        "ndcg_graded": dcg / ideal,
    }[name]


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(5)
    lists = np.array([rng.permutation(40)[:10] for _ in range(20)])
    truth = [set(rng.choice(40, size=rng.integers(1, 15), replace=False).tolist()) for _ in lists]
    return lists, truth


def as_matrix(truth, n_items):
    rows = [u for u, items in enumerate(truth) for _ in items]
    cols = [i for items in truth for i in items]
    return sp.csr_array((np.ones(len(rows)), (rows, cols)), shape=(len(truth), n_items))


@pytest.mark.parametrize("metric", ALL, ids=lambda f: f.__name__)
@pytest.mark.parametrize("k", [1, 3, 10, 30])
def test_equals_the_plain_definition(metric, k, example):
    lists, truth = example
    expected = [plain(metric.__name__, row.tolist(), t, k) for row, t in zip(lists, truth)]
    matrix = as_matrix(truth, 40)
    values = metric(lists, matrix, k=k, mean=False)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    assert metric(lists, matrix, k=k) == pytest.approx(np.mean(expected))
    # Every form of the same input gives the same values.
    for recommended in (lists.tolist(), lists.astype(np.int32), type("R", (), {"indices": lists})):
        for relevant in (truth, [sorted(t) for t in truth], matrix.tocsc(), matrix.tocoo()):
            np.testing.assert_array_equal(
                metric(recommended, relevant, k=k, mean=False), values, strict=True
            )


@pytest.mark.parametrize("metric", ALL, ids=lambda f: f.__name__)
class TestUnfriendly:
    def test_default_k_is_the_width(self, metric, example):
        lists, truth = example
        assert metric(lists, truth) == metric(lists, truth, k=10)

    def test_string_ids(self, metric, example):
        lists, truth = example
        named = [[f"SKU-{i}" for i in row] for row in lists.tolist()]
        wanted = [{f"SKU-{i}" for i in t} for t in truth]
        assert metric(named, wanted, k=5) == metric(lists, truth, k=5)
        assert metric(np.array(named), wanted, k=5) == metric(lists, truth, k=5)

    def test_users_without_truth_are_left_out(self, metric, example):
        lists, truth = example
        half = [t if u % 2 else set() for u, t in enumerate(truth)]
        assert metric(lists, half, k=5) == pytest.approx(metric(lists[1::2], truth[1::2], k=5))
        assert np.isnan(metric(lists, half, k=5, mean=False)).tolist() == [True, False] * 10

    def test_nobody_has_truth(self, metric, example):
        lists, _ = example
        with pytest.raises(ValueError, match="no relevant item"):
            metric(lists, [[]] * 20)
        with pytest.raises(ValueError, match="no relevant item"):
            metric(lists, sp.csr_array((20, 40)))
        assert np.isnan(metric(lists, [[]] * 20, mean=False)).all()

    def test_repeated_item_counts_once(self, metric):
        once = metric([[7] + [-1] * 9], [[7]])
        assert metric([[7] * 10], [[7]]) == once
        assert 0 < once <= 1
        assert metric([[3, 7, 7, 4, 7]], [[7, 4]]) == metric([[3, 7, -1, 4, -1]], [[7, 4]])

    def test_repeated_truth_counts_once(self, metric):
        assert metric([[1, 2, 3]], [[2, 2, 2, 5]]) == metric([[1, 2, 3]], [[2, 5]])

    def test_k_beyond_the_list(self, metric):
        assert metric([[1, 2]], [[2, 3]], k=30) == metric([[1, 2] + [-1] * 28], [[2, 3]])

    def test_huge_k_allocates_nothing(self, metric):
        value = metric([[1, 2]], [[2, 3]], k=2**31)
        assert 0 < value <= 1
        assert value == pytest.approx(plain(metric.__name__, [1, 2], {2, 3}, 2**31))

    @pytest.mark.parametrize("k", [0, -3])
    def test_k_too_small(self, metric, k):
        with pytest.raises(ValueError, match="k must be at least 1"):
            metric([[1, 2]], [[2]], k=k)

    @pytest.mark.parametrize("k", [2.0, "5", True, np.nan])
    def test_k_of_a_wrong_type(self, metric, k):
        with pytest.raises(TypeError, match="k must be a whole number"):
            metric([[1, 2]], [[2]], k=k)

    def test_empty_lists(self, metric):
        for empty in ([[], []], np.empty((2, 0), np.int64), np.full((2, 5), -1)):
            assert metric(empty, [[1], [2]]) == 0
            assert metric(empty, [[1], [2]], k=5) == 0

    def test_one_user_one_item(self, metric):
        assert metric([[0]], [[0]]) == 1
        assert metric([[0]], sp.csr_array([[1.0]])) == 1
        assert metric([[0]], [[1]]) == 0

    def test_no_users(self, metric):
        with pytest.raises(ValueError, match="no relevant item"):
            metric([], [])

    def test_length_mismatch(self, metric, example):
        lists, truth = example
        for relevant in (truth, as_matrix(truth, 40)):
            with pytest.raises(ValueError, match="19 users, relevant has 20"):
                metric(lists[:19], relevant)

    def test_transposed_truth(self, metric, example):
        lists, truth = example
        with pytest.raises(ValueError, match="columns"):
            metric(lists, as_matrix(truth, 40).T)

    def test_wrong_kinds(self, metric):
        for bad in (np.array([[0.5, 1.0]]), [[None, 1]], np.array([[True, False]])):
            with pytest.raises(TypeError, match="recommended must hold item numbers"):
                metric(bad, [[1]])
        with pytest.raises(TypeError, match="list of items per user"):
            metric([1, 2], [[1], [2]])
        pd = pytest.importorskip("pandas")
        with pytest.raises(TypeError, match="got a DataFrame"):
            metric(pd.DataFrame({"user": [1], "item": [2]}), [[2]])
        with pytest.raises(TypeError, match="got strings"):
            metric(["12", "34"], [["1"], ["2"]])
        with pytest.raises(TypeError, match="same kind"):
            metric([["a"]], [[1]])
        with pytest.raises(ValueError, match="2-D"):
            metric(np.array([1, 2]), [[1]])
        with pytest.raises(ValueError, match="item -7"):
            metric([[-7]], [[1]])
        with pytest.raises(TypeError, match="sparse matrix"):
            metric(sp.csr_array([[1]]), [[1]])

    def test_input_is_not_changed(self, metric, example):
        lists, truth = example
        matrix = as_matrix(truth, 40)
        matrix.data[::3], matrix.data[1::3] = 0, -1
        before = (lists.copy(), matrix.copy())
        lists.flags.writeable = matrix.data.flags.writeable = False
        try:
            metric(lists, matrix)
        finally:
            lists.flags.writeable = True
        np.testing.assert_array_equal(lists, before[0])
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(matrix, part), getattr(before[1], part))


def test_values_up_to_zero_are_not_relevant():
    matrix = sp.csr_array(np.array([[1.0, -2.0, 3.0, 0.0]]))
    matrix.data[2] = 0.0
    assert ev.recall([[1, 2, 0]], matrix, k=2) == 0
    assert ev.recall([[1, 2, 0]], matrix, k=3) == 1


def test_ndcg_equals_sklearn():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(30, 25))
    grades = rng.integers(0, 5, size=(30, 25)).astype(float)
    grades[:, 0] = 1
    order = np.argsort(-scores, axis=1)
    for k in (1, 5, 25):
        expected = ndcg_score(grades, scores, k=k)
        assert ev.ndcg_graded(order, sp.csr_array(grades), k=k) == pytest.approx(expected)
        expected = ndcg_score((grades > 0).astype(float), scores, k=k)
        assert ev.ndcg(order, sp.csr_array(grades), k=k) == pytest.approx(expected)
        exponential = ev.ndcg_graded(order, sp.csr_array(grades), k=k, gain="exponential")
        assert exponential == pytest.approx(ndcg_score(2**grades - 1, scores, k=k))


def test_average_precision_equals_sklearn():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(30, 25))
    labels = (rng.random((30, 25)) < 0.3).astype(int)
    labels[:, 0] = 1
    values = ev.average_precision(np.argsort(-scores, axis=1), sp.csr_array(labels), mean=False)
    expected = [average_precision_score(y, s) for y, s in zip(labels, scores)]
    np.testing.assert_allclose(values, expected)


def test_published_dcg_example():
    # Jarvelin and Kekalainen's kind of list, as worked out in the encyclopaedia article on DCG:
    # grades 3, 2, 3, 0, 1, 2 of six shown, ideal list of eight 3, 3, 3, 2, 2, 2, 1, 0.
    grades = np.array([[3, 2, 3, 0, 1, 2, 3, 2.0]])
    value = ev.ndcg_graded([[0, 1, 2, 3, 4, 5]], sp.csr_array(grades))
    assert value == pytest.approx(6.861 / 8.740, abs=5e-5)


def test_published_average_precision_example():
    # Manning, Raghavan, Schuetze, Introduction to Information Retrieval, exercise 8.9: relevant
    # at 1, 2, 9, 11, 15, 20 of 20, 8 relevant in all: (1 + 1 + 3/9 + 4/11 + 5/15 + 6/20) / 8.
    lists = [list(range(1, 21))]
    truth = [[1, 2, 9, 11, 15, 20, 98, 99]]
    assert ev.average_precision(lists, truth) == pytest.approx(3.330303 / 8, abs=1e-6)
    assert ev.average_precision_hits(lists, truth) == pytest.approx(0.555, abs=1e-3)
    assert ev.precision(lists, truth) == 0.3
    assert ev.f1(lists, truth) == pytest.approx(0.43, abs=0.005)


def test_published_reciprocal_rank_example():
    # The encyclopaedia example of MRR: right answers at places 3, 2, 1 give 11/18.
    assert ev.reciprocal_rank([[1, 2, 0], [1, 0, 2], [0, 1, 2]], [[0]] * 3) == pytest.approx(
        11 / 18
    )


def test_graded_gain_is_checked():
    with pytest.raises(ValueError, match="gain must be one of"):
        ev.ndcg_graded([[0]], [[0]], gain="quadratic")
    with pytest.raises(ValueError, match="too large for gain"):
        ev.ndcg_graded([[0]], sp.csr_array([[2000.0]]), gain="exponential")
    assert ev.ndcg_graded([[0]], sp.csr_array([[2000.0]])) == 1


def test_many_users_block_by_block():
    rng = np.random.default_rng(3)
    lists = rng.integers(0, 3000, size=(5000, 20))
    truth = sp.random_array((5000, 3000), density=0.01, random_state=rng, format="csr")
    whole = ev.ndcg(lists, truth, mean=False)
    parts = [
        ev.ndcg(lists[i : i + 700], truth[i : i + 700], mean=False) for i in range(0, 5000, 700)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
