"""Audiences against brute force: reverse top-k, best users, and choices under limits."""

from __future__ import annotations

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from _interrupts import stops_within_half_a_second
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from aimass_core.retrieval import AudienceIndex, FactorIndex, _greedy, audience
from aimass_core.retrieval._candidates import RankedLists


def whole(rng, shape, dtype=np.float32):
    return rng.integers(-4, 5, shape).astype(dtype)


def brute_force(U, V, k, seen=None, biases=0.0):
    """For each item the users in whose list it stands, best first."""
    scores = U.astype(np.float64) @ V.astype(np.float64).T + biases
    open_to = scores.copy()
    if seen is not None:
        open_to[seen.toarray() != 0] = -np.inf
    lists = np.argsort(-open_to, axis=1, kind="stable")[:, :k]
    is_in = np.zeros(scores.shape, bool)
    np.put_along_axis(is_in, lists, True, axis=1)
    is_in &= open_to > -np.inf
    answer = []
    for item in range(len(V)):
        users = np.flatnonzero(is_in[:, item])
        answer.append(users[np.lexsort((users, -scores[users, item]))])
    return answer, scores


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 5, 40, 60, 100])
@pytest.mark.parametrize("with_seen", [False, True])
def test_reverse_topk_is_brute_force(rng, dtype, k, with_seen):
    U, V, biases = whole(rng, (333, 5), dtype), whole(rng, (60, 5), dtype), whole(rng, 60, dtype)
    seen = sp.csr_array(rng.random((333, 60)) < 0.4).astype(np.float32) if with_seen else None
    index = AudienceIndex(U, V, biases, k=k, exclude=seen)
    want, scores = brute_force(U, V, k, seen, biases)
    some = index.reverse_topk([7, 3, 7])
    ways = [index.reverse_topk([item], n_threads=2).of(item) for item in range(60)]  # scans
    for way in ways, index.reverse_topk().of, index.reverse_topk(np.arange(60)).of:
        for item in range(60):
            users, values = way[item] if isinstance(way, list) else way(item)
            np.testing.assert_array_equal(users, want[item])
            np.testing.assert_array_equal(values, scores[users, item])
    again = index.reverse_topk([7, 3, 7])
    for name in ("items", "indptr", "users", "scores"):
        np.testing.assert_array_equal(getattr(some, name), getattr(again, name))
    assert [users for users, _ in some] == [want[item].tolist() for item in (7, 3, 7)]


def test_real_factors_agree_with_the_inverted_lists(rng):
    """Not whole numbers: the bits have to be those of score_topk."""
    U = rng.standard_normal((3000, 24)).astype(np.float32)
    V = (rng.standard_normal((500, 24)) / np.arange(1, 501)[:, None] ** 0.4).astype(np.float32)
    taste = rng.standard_normal(3000).astype(np.float32)
    for biases in None, taste:
        scanned = AudienceIndex(U, V, k=7, user_biases=biases)
        parts = [scanned.reverse_topk(np.arange(i, i + 25)) for i in range(0, 500, 25)]
        assert scanned._inverted is None
        index = AudienceIndex(U, V, k=7, user_biases=biases)
        many = index.reverse_topk(np.arange(499, -1, -1))
        assert index._inverted is not None
        everything = index.reverse_topk()
        for item in range(500):
            want = parts[item // 25].of(item)
            for got in everything.of(item), many.of(item):
                np.testing.assert_array_equal(got[0], want[0])
                np.testing.assert_array_equal(got[1], want[1])
        with pytest.raises(ValueError, match="read-only"):
            everything.users[0] = 1
    counts = np.bincount(FactorIndex(V).topk(U, 7).indices.ravel(), minlength=500)
    np.testing.assert_array_equal(counts, everything.sizes)


def test_new_items(rng):
    U, V = whole(rng, (200, 4)), whole(rng, (30, 4))
    new = whole(rng, (5, 4))
    index = AudienceIndex(U, V, k=4)
    reached = index.reverse_topk(factors=new)
    for place, factors in enumerate(new):
        want, _ = brute_force(U, np.vstack([V, factors]), 4)
        np.testing.assert_array_equal(reached.of(place)[0], want[30])
    with pytest.raises(ValueError, match="give one of them"):
        index.reverse_topk([1], factors=new)
    with pytest.raises(ValueError, match="factors has 3 factors, but the items have 4"):
        index.reverse_topk(factors=new[:, :3])


def test_user_biases_order_the_users_only(rng):
    U, V = whole(rng, (90, 4)), whole(rng, (20, 4))
    biases = rng.integers(-9, 9, 90)
    plain, biased = AudienceIndex(U, V, k=3), AudienceIndex(U, V, k=3, user_biases=biases)
    for a, b in (
        (plain.reverse_topk(), biased.reverse_topk()),
        (plain.reverse_topk(range(20)), biased.reverse_topk(range(20))),
    ):
        for item in range(20):
            assert set(a.of(item)[0]) == set(b.of(item)[0])
            users, scores = b.of(item)
            np.testing.assert_array_equal(scores, U[users] @ V[item] + biases[users])
            np.testing.assert_array_equal(np.lexsort((users, -scores)), np.arange(len(users)))


def test_best_users(rng):
    U, V, biases = whole(rng, (200, 4)), whole(rng, (30, 4)), whole(rng, 30)
    seen = sp.csr_array(rng.random((200, 30)) < 0.3).astype(np.float32)
    eligible = rng.random(200) < 0.7
    index = AudienceIndex(U, V, biases, exclude=seen)
    scores = (U @ V.T + biases).astype(np.float64)
    scores[seen.toarray() != 0] = -np.inf
    scores[~eligible] = -np.inf
    for filters in ({"candidates": eligible}, {"exclude": np.flatnonzero(~eligible)}):
        lists = index.best_users([4, 9], 60, **filters)
        assert lists.queries.tolist() == [4, 9]
        for row, item in enumerate([4, 9]):
            want = np.argsort(-scores[:, item], kind="stable")[:60]
            np.testing.assert_array_equal(lists.indices[row], want)
            np.testing.assert_array_equal(lists.scores[row], scores[want, item])


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (4, 3, 0), (1, 1, 1)])
def test_small_shapes(shape):
    n, m, f = shape
    index = AudienceIndex(np.ones((n, f)), np.ones((m, f)), k=2)
    reached = index.reverse_topk(np.arange(m))
    np.testing.assert_array_equal(reached.sizes, [n if i < 2 else 0 for i in range(m)])
    if m:
        assert audience(index, [0], size=3).sizes.tolist() == [min(3, n)]


# ---- choices under limits -----------------------------------------------------------------------


@pytest.fixture
def index(rng):
    seen = sp.csr_array(rng.random((40, 12)) < 0.2).astype(np.float32)
    U, V = rng.random((40, 3)), rng.random((12, 3))
    return AudienceIndex(U, V, k=4, exclude=seen)


def pairs_of(chosen):
    positions = np.repeat(np.arange(len(chosen)), chosen.sizes)
    return set(zip(chosen.users.tolist(), positions.tolist(), strict=True))


def check_limits(index, chosen, size, caps, excluded=()):
    assert (chosen.sizes <= size).all()
    assert (np.bincount(chosen.users, minlength=index.n_users) <= caps).all()
    assert not set(chosen.users.tolist()) & set(excluded)
    seen = index._owned.toarray()
    for item in chosen.items:
        users, scores = chosen.of(item)
        assert (seen[users, item] == 0).all()
        np.testing.assert_allclose(scores, index._users[users] @ index._items[item])
        np.testing.assert_array_equal(np.lexsort((users, -scores)), np.arange(len(users)))
    np.testing.assert_allclose(chosen.value, chosen.scores.sum() - len(chosen.users) * chosen.floor)
    assert chosen.value <= chosen.bound * (1 + 1e-12) + 1e-12


def brute_greedy(index, items, size, caps, excluded=(), in_top_k=False):
    scores = index._users @ index._items.T
    scores[index._owned.toarray() != 0] = -np.inf
    scores[list(excluded)] = -np.inf
    if in_top_k:
        keep = np.zeros(scores.shape, bool)
        for item in range(index.n_items):
            keep[index.reverse_topk([item]).users, item] = True
        scores[~keep] = -np.inf
    pairs = [(-scores[u, i], p, u) for p, i in enumerate(items) for u in range(index.n_users)]
    left_user, left_item, chosen = np.array(caps).copy(), np.array(size).copy(), set()
    for negative, place, user in sorted(pairs):
        if negative < np.inf and left_user[user] > 0 and left_item[place] > 0:
            chosen.add((user, place))
            left_user[user] -= 1
            left_item[place] -= 1
    return chosen


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 500),
    size=st.integers(0, 45),
    cap=st.integers(0, 4),
    in_top_k=st.booleans(),
    n_items=st.integers(1, 8),
)
def test_greedy_is_brute_force(seed, size, cap, in_top_k, n_items):
    rng = np.random.default_rng(seed)
    seen = sp.csr_array(rng.random((40, 12)) < 0.2).astype(np.float32)
    index = AudienceIndex(rng.random((40, 3)), rng.random((12, 3)), k=4, exclude=seen)
    items = rng.permutation(12)[:n_items]
    sizes = rng.integers(0, size + 1, n_items)
    caps = rng.integers(0, cap + 1, 40)
    excluded = [3, 17]
    chosen = audience(
        index, items, size=sizes, max_per_user=caps, exclude=excluded, in_top_k=in_top_k
    )
    assert pairs_of(chosen) == brute_greedy(index, items, sizes, caps, excluded, in_top_k)
    check_limits(index, chosen, sizes, caps, excluded)
    exact = audience(
        index,
        items,
        size=sizes,
        max_per_user=caps,
        exclude=excluded,
        in_top_k=in_top_k,
        method="exact",
    )
    check_limits(index, exact, sizes, caps, excluded)
    assert exact.value <= chosen.bound * (1 + 1e-9) + 1e-9
    assert chosen.value <= exact.value * (1 + 1e-9) + 1e-9
    assert chosen.value >= exact.value / 2 - 1e-9


def test_exact_is_the_linear_assignment(index):
    items, size = np.array([1, 5, 8]), np.array([4, 6, 2])
    chosen = audience(index, items, size=size, max_per_user=1, method="exact")
    scores = index._users @ index._items[items].T
    scores[index._owned.toarray()[:, items] != 0] = -1e6
    rows, columns = linear_sum_assignment(np.repeat(scores, size, axis=1), maximize=True)
    want = np.repeat(scores, size, axis=1)[rows, columns].sum()
    np.testing.assert_allclose(chosen.value, want)
    np.testing.assert_allclose(chosen.value, chosen.bound)
    check_limits(index, chosen, size, 1)


def test_exact_is_better_where_greedy_errs():
    index = AudienceIndex([[3.0, 2.9], [2.8, 0.1]], [[1.0, 0.0], [0.0, 1.0]])
    options = {"size": 1, "max_per_user": 1}
    greedy = audience(index, [0, 1], **options)
    exact = audience(index, [0, 1], **options, method="exact")
    np.testing.assert_allclose((greedy.value, exact.value), (3.1, 5.7))
    assert greedy.bound >= 5.7
    assert exact.of(0)[0].tolist() == [1]


def test_no_limits_are_the_best_users(index):
    chosen = audience(index, [2, 7], size=9)
    lists = index.best_users([2, 7], 9)
    for row, item in enumerate((2, 7)):
        np.testing.assert_array_equal(chosen.of(item)[0], lists.indices[row])
        np.testing.assert_array_equal(chosen.of(item)[1], lists.scores[row])
    np.testing.assert_allclose(chosen.value, chosen.bound)


def test_threshold(index):
    scores = index._users @ index._items[3]
    scores[index._owned.toarray()[:, 3] != 0] = -np.inf
    bar = float(np.sort(scores)[-6])
    chosen = audience(index, [3], size=40, threshold=bar)
    assert set(chosen.users.tolist()) == set(np.flatnonzero(scores >= bar).tolist())
    none = audience(index, [3], size=40, threshold=99.0)
    assert none.sizes.tolist() == [0]
    assert none.value == none.bound == 0


def test_smallest_audiences_are_given_up(index):
    full = audience(index, [0, 1, 2], size=[30, 4, 6], max_per_user=1)
    assert full.sizes.tolist() == [30 - (30 + 4 + 6 > 40), 4, 6] or full.sizes.sum() <= 40
    guarded = audience(index, [0, 1, 2], size=[30, 4, 6], max_per_user=1, min_size=5)
    assert guarded.dropped.tolist() == [1]
    assert guarded.sizes[1] == 0
    assert (guarded.sizes[[0, 2]] >= 5).all()
    exact = audience(index, [0, 1, 2], size=[30, 4, 6], max_per_user=1, min_size=5, method="exact")
    assert exact.dropped.tolist() == [1]
    assert (exact.sizes[[0, 2]] >= 5).all()


def test_exact_chooses_best_whom_to_give_up(rng):
    """Against all subsets of the items."""
    index = AudienceIndex(rng.random((9, 2)), rng.random((4, 2)))
    options = {"size": 4, "max_per_user": 1}
    best = 0.0
    for keep in product([False, True], repeat=4):
        size = np.where(keep, 4, 0)
        found = audience(index, range(4), size=size, max_per_user=1, method="exact")
        if ((found.sizes >= 3) | (found.sizes == 0)).all():
            best = max(best, found.value)
    chosen = audience(index, range(4), **options, min_size=3, method="exact")
    assert ((chosen.sizes >= 3) | (chosen.sizes == 0)).all()
    assert chosen.value >= best - 1e-9


def test_negative_scores_are_taken_when_there_is_room():
    index = AudienceIndex([[-1.0], [-2.0], [-3.0]], [[1.0]])
    for method in ("greedy", "exact"):
        chosen = audience(index, [0], size=2, method=method)
        assert chosen.users.tolist() == [0, 1]
        assert chosen.floor < 0
        assert chosen.bound >= chosen.value


@pytest.mark.parametrize("method", ["greedy", "exact"])
def test_limits_that_limit_nothing(index, method):
    want = audience(index, [0, 1, 2, 3], size=40, min_size=0, method=method)
    for huge in (2**61, 2**62, 2**63, 10**30, np.full(4, 2**63 + 1, np.uint64)):
        found = audience(index, [0, 1, 2, 3], size=huge, method=method)
        np.testing.assert_array_equal(found.users, want.users)
    found = audience(index, [0, 1, 2, 3], size=40, max_per_user=2**64, method=method)
    np.testing.assert_array_equal(found.users, want.users)
    none = audience(index, [0, 1], size=3, min_size=10**30, method=method)
    assert none.sizes.tolist() == [0, 0]
    assert none.dropped.tolist() == [0, 1]


def test_the_bound_holds_when_items_are_given_up(rng):
    options = {"size": [3, 2], "max_per_user": 1, "min_size": 3}
    three = AudienceIndex([[1.0, 0.9]] * 3, [[1.0, 0.0], [0.0, 100.0]])
    assert audience(three, [0, 1], **options).bound >= 3
    for _ in range(30):
        m = int(rng.integers(2, 5))
        lengths = rng.choice([0.1, 1, 10], m)[:, None]
        index = AudienceIndex(rng.random((12, 3)), rng.random((m, 3)) * lengths)
        options = {"size": rng.integers(1, 8, m), "max_per_user": 1, "min_size": 4}
        greedy = audience(index, range(m), **options)
        exact = audience(index, range(m), **options, method="exact")
        assert max(exact.value, greedy.value) <= greedy.bound * (1 + 1e-9)


@pytest.mark.parametrize("scale", [1e-20, 1e-9, 1e-6, 1e9, 1e20])
def test_exact_does_not_depend_on_the_scale(rng, scale):
    U, V = rng.standard_normal((30, 4)), rng.standard_normal((5, 4))
    options = {"size": 8, "max_per_user": 1, "method": "exact"}
    want = audience(AudienceIndex(U, V), range(5), **options)
    found = audience(AudienceIndex(U * scale, V), range(5), **options)
    np.testing.assert_allclose(found.value / scale, want.value, rtol=1e-9)


def test_an_index_keeps_no_array_of_its_caller():
    U, V = np.ones((3, 2), np.float32), np.eye(2, dtype=np.float32)
    index = AudienceIndex(U, V, k=1)
    U[:] = -5
    assert index.reverse_topk([0]).users.tolist() == [0, 1, 2]
    V[:] = -5
    assert index.reverse_topk([0]).scores.tolist() == [1, 1, 1]


def test_from_model(rng):
    U, V = whole(rng, (30, 4)), whole(rng, (9, 4))
    seen = sp.csr_array(rng.random((30, 9)) < 0.3).astype(np.float32)
    model = SimpleNamespace(user_factors_=U, item_factors_=V, user_items_=seen)
    want, _ = brute_force(U, V, 3, seen)
    reached = AudienceIndex.from_model(model, k=3).reverse_topk([2])
    np.testing.assert_array_equal(reached.users, want[2])
    with pytest.raises(TypeError, match="audiences need a factor model, such as ImplicitALS"):
        AudienceIndex.from_model(SimpleNamespace(user_items_=seen))


def test_refusals(index):
    with pytest.raises(KeyError, match="items holds 12"):
        audience(index, [12], size=3)
    with pytest.raises(ValueError, match="items must be given once each"):
        audience(index, [1, 1], size=3)
    with pytest.raises(ValueError, match="size must be at least 0, got -1"):
        audience(index, [1], size=-1)
    with pytest.raises(TypeError, match="size must be a whole number"):
        audience(index, [1], size=2.5)
    with pytest.raises(ValueError, match=r"size must be one number or have shape \(2,\)"):
        audience(index, [1, 2], size=[1, 2, 3])
    with pytest.raises(ValueError, match="method must be one of greedy, exact, got 'best'"):
        audience(index, [1], size=3, method="best")
    plain = audience(index, [1], size=3).users.tolist()
    assert audience(index, [1], size=3, exclude=[40, -1]).users.tolist() == plain
    with pytest.raises(ValueError, match=r"exclude as an array of bool must have shape \(40,\)"):
        audience(index, [1], size=3, exclude=np.ones(3, bool))
    with pytest.raises(ValueError, match="threshold must be finite"):
        audience(index, [1], size=3, threshold=np.nan)
    with pytest.raises(ValueError, match=r"exclude must have shape \(4, 3\)"):
        AudienceIndex(np.ones((4, 2)), np.ones((3, 2)), exclude=np.ones((3, 4)))
    big = AudienceIndex(np.ones((2000, 1)), np.ones((200, 1)))
    with pytest.raises(ValueError, match="method='exact' is for at most"):
        audience(big, range(200), size=1000, max_per_user=1, method="exact")


def test_demand_above_supply_lists_few_of_all_pairs(rng, monkeypatch):
    """Each user gets one item, and the items want 20 times as many users as there are."""
    n_users, n_items, size = 1000, 200, 100
    index = AudienceIndex(rng.normal(size=(n_users, 8)), rng.normal(size=(n_items, 8)))
    listed = []
    pairs = RankedLists.pairs

    def counted(*args):
        found = pairs(*args)
        listed.append(len(found))
        return found

    monkeypatch.setattr(RankedLists, "pairs", counted)
    monkeypatch.setattr(_greedy, "_PAIRS", 1 << 14)  # as a problem with 100 times as many pairs
    chosen = audience(index, range(n_items), size=size, max_per_user=1)
    assert max(listed) <= 1 << 14  # memory: an eighth of one list of all pairs
    assert sum(listed) < n_users * n_items / 2  # time
    scores = index._users @ index._items.T
    left, expected = np.full(n_items, size), np.full(n_users, -1)
    for pair in np.argsort(-scores, axis=None):
        user, item = divmod(int(pair), n_items)
        if expected[user] < 0 and left[item] > 0:
            expected[user] = item
            left[item] -= 1
    assert dict(zip(chosen.users.tolist(), np.repeat(range(n_items), chosen.sizes).tolist())) == {
        user: item for user, item in enumerate(expected.tolist()) if item >= 0
    }


LONG_ASSIGNMENT = """
import numpy as np
from aimass_core.retrieval import AudienceIndex, audience
rng = np.random.default_rng(0)
index = AudienceIndex(rng.normal(size=(2900, 8)), rng.normal(size=(100, 8)))
options = dict(size=30, min_size=29, max_per_user=1, method="exact")
"""


def test_ctrl_c_ends_an_exact_assignment():
    assert stops_within_half_a_second(
        LONG_ASSIGNMENT, "audience(index, np.arange(100), **options)", wait=2.0
    )


def test_best_users_are_ranked_before_the_item_bias_rounds():
    U = np.array([[1.0], [1.0 + 2**-20]], np.float32)
    lists = AudienceIndex(U, U[:1], np.float32([4096])).best_users([0], 2)
    assert lists.indices.tolist() == [[1, 0]]
    assert lists.scores.tolist() == [[4097.0, 4097.0]]
