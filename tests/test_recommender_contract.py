"""What every recommender promises, on a matrix whose answer is known."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import (
    NMF,
    BaselineOnly,
    ContextKNN,
    ExplicitALS,
    ImplicitALS,
    Interactions,
    ItemKNN,
    Popularity,
    PureSVD,
    SlopeOne,
    UserKNN,
)
from aimass_core.exceptions import NotFittedError

SUMS = [
    ItemKNN(n_neighbors=12),
    ItemKNN(n_neighbors=12, neighbors_of="target", weighting="log", profile="raw"),
    ItemKNN(n_neighbors=12, measure="rp3beta"),
    UserKNN(n_neighbors=20),
    UserKNN(n_neighbors=20, measure="log_likelihood_ratio", profile="binary"),
    ContextKNN(),
    ContextKNN(base="user"),
]
RATINGS = [
    ItemKNN(aggregation="mean"),
    ItemKNN(aggregation="baseline", measure="pearson_baseline", support_shrink=10),
    UserKNN(aggregation="centered", measure="msd"),
    UserKNN(aggregation="zscore"),
    SlopeOne(),
]
FACTORS = [
    ImplicitALS(n_factors=8, regularization=0.1),
    ImplicitALS(n_factors=40, regularization=0.1, solver="cg", confidence="linear"),
    ImplicitALS(n_factors=7, regularization=0.1, solver="subspace", confidence="total"),
    ImplicitALS(n_factors=5, solver="nonnegative", n_steps=20, dtype="float64"),
    PureSVD(n_factors=3),
    NMF(n_factors=3),
]
RATINGS += [ExplicitALS(n_factors=5), ExplicitALS(n_factors=3, biases=False, dtype="float64")]
SHARED = [BaselineOnly(), BaselineOnly(method="sgd"), Popularity(), Popularity(by="mean")]
ALL = SUMS + RATINGS + FACTORS + SHARED
every = pytest.mark.parametrize("model", ALL, ids=repr)


@pytest.fixture
def blocks(rng):
    """Three groups of users, each with its own ten items; half of each user's are missing."""
    X = np.zeros((36, 30), dtype=np.float32)
    for user in range(36):
        own = np.arange(10) + 10 * (user // 12)
        X[user, rng.choice(own, 6, replace=False)] = rng.integers(1, 6, 6)
    return sp.csr_array(X)


@pytest.fixture
def named(blocks):
    users = [f"user-{n:02}" for n in range(36)]
    return Interactions.from_csr(blocks, users=users, items=np.arange(30) * 10 + 5)


@pytest.mark.parametrize("model", SUMS + RATINGS[:4] + FACTORS, ids=repr)
def test_planted_blocks_are_found(model, blocks):
    lists = model.fit(blocks).recommend(k=4, exclude_seen=model in SUMS + FACTORS)
    block = np.repeat(np.arange(36) // 12, 4).reshape(36, 4)
    found = lists.indices >= 0
    assert found.mean() > 0.9
    assert (lists.indices[found] // 10 == block[found]).mean() > 0.9


@every
def test_ranked_by_the_one_rule(model, blocks):
    lists = model.fit(blocks).recommend(k=30)
    assert lists.indices.shape == (36, 30)
    dense = blocks.toarray()
    for row, (items, scores) in enumerate(lists):
        assert len(set(items.tolist())) == len(items)
        assert (dense[row, items] == 0).all()
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(np.lexsort((items, -scores)), np.arange(len(items)))
    padding = lists.indices < 0
    assert (lists.scores[padding] == -np.inf).all()
    assert (np.diff(padding.astype(int), axis=1) >= 0).all()


@every
def test_scores_are_those_of_predict(model, blocks):
    model = copy.deepcopy(model)
    if "clip" in model.get_params():
        model.set_params(clip=False)
    lists = model.fit(blocks).recommend(k=7)
    rows, places = np.nonzero(lists.indices >= 0)
    found = model.predict(rows, lists.indices[rows, places])
    np.testing.assert_allclose(found, lists.scores[rows, places], rtol=1e-5, atol=1e-6)


@every
def test_some_users_are_rows_of_all(model, blocks):
    everyone = model.fit(blocks).recommend(k=5)
    some = model.recommend([3, 3, 30, 3], k=5)
    np.testing.assert_array_equal(some.indices, everyone.indices[[3, 3, 30, 3]])
    np.testing.assert_array_equal(some.scores, everyone.scores[[3, 3, 30, 3]])
    one = model.recommend(3, k=5)
    np.testing.assert_array_equal(one.indices, everyone.indices[[3]])
    np.testing.assert_array_equal(one.queries, [3])
    none = model.recommend([], k=5)
    assert none.indices.shape == (0, 5)
    assert none.to_dict()["item"].shape == (0,)


@every
def test_users_that_do_not_exist(model, blocks, named):
    model.fit(blocks)
    for users in ([36], [10_000], [2**63 - 1], [-1], [10**19]):
        with pytest.raises(KeyError, match="36 users"):
            model.recommend(users)
    for users in ([1.5], [np.nan], ["a"], [None], [[1, 2]]):
        with pytest.raises((TypeError, KeyError), match="users"):
            model.recommend(users)
    model.fit(named)
    for users in (["nobody"], [3], [np.nan], "nobody"):
        with pytest.raises((KeyError, TypeError, ValueError)):
            model.recommend(users)


@every
def test_k(model, blocks):
    model.fit(blocks)
    for k in (-3, 0):
        with pytest.raises(ValueError, match="k must be at least 1"):
            model.recommend(k=k)
    for k in (2.5, "5", None, np.nan, True):
        with pytest.raises(TypeError, match="k must be a whole number"):
            model.recommend(k=k)
    assert model.recommend([0], k=2**40).indices.shape == (1, 30)


@every
def test_filters(model, blocks):
    model.fit(blocks)
    plain = model.recommend(k=30, exclude_seen=False)
    nothing = model.recommend(k=3, exclude_items=np.arange(30))
    assert (nothing.indices == -1).all()
    two = model.recommend([0], k=5, items=[4, 17, 4], exclude_seen=False)
    assert set(two.ids[two.indices >= 0].tolist()) <= {4, 17}
    denied = model.recommend(k=30, exclude_seen=False, exclude_items=[4, 17])
    for row in range(36):
        left = plain.indices[row][~np.isin(plain.indices[row], [4, 17])]
        np.testing.assert_array_equal(denied.indices[row, :28], left[:28])
    own = sp.csr_array((np.ones(36), (np.arange(36), np.maximum(plain.indices[:, 0], 0))), (36, 30))
    by_user = model.recommend(k=29, exclude_seen=False, exclude_items=own)
    np.testing.assert_array_equal(by_user.indices, plain.indices[:, 1:])
    with pytest.raises(ValueError, match="exclude_items must have shape"):
        model.recommend(k=3, exclude_items=own[:5])
    for unknown in ([30], [-1]):
        with pytest.raises(KeyError, match="30 items"):
            model.recommend(items=unknown)


@every
def test_the_callers_ids(model, blocks, named):
    plain = model.fit(blocks).recommend([3, 20], k=4)
    lists = model.fit(named).recommend(["user-03", "user-20"], k=4)
    np.testing.assert_array_equal(lists.indices, plain.indices)
    assert lists.queries.tolist() == ["user-03", "user-20"]
    found = lists.indices >= 0
    np.testing.assert_array_equal(lists.ids[found].astype(int), lists.indices[found] * 10 + 5)
    assert all(i is None for i in lists.ids[~found])
    long = lists.to_dict()
    assert long["query"].tolist() == np.repeat(lists.queries, found.sum(axis=1)).tolist()
    assert model.predict("user-03", [5, 15]).shape == (2,)
    with pytest.raises(KeyError, match="unknown item 6"):
        model.predict("user-03", [6])


@every
def test_tables(model, named):
    lists = model.fit(named).recommend(k=3)
    expected = {name: column.tolist() for name, column in lists.to_dict().items()}
    for library, convert in (
        ("pyarrow", "to_arrow"),
        ("pandas", "to_pandas"),
        ("polars", "to_polars"),
    ):
        pytest.importorskip(library)
        table = getattr(lists, convert)()
        columns = table.to_pydict() if library == "pyarrow" else table.to_dict()
        for name, values in expected.items():
            found = columns[name]
            found = list(found.values()) if isinstance(found, dict) else list(found)
            assert found == values
    assert -1 not in expected["item"]


@every
def test_fold_in_changes_nothing(model, blocks):
    before = model.fit(blocks).recommend(k=5)
    model.fold_in(blocks[:4] * 2, k=5)
    after = model.recommend(k=5)
    np.testing.assert_array_equal(before.indices, after.indices)
    np.testing.assert_array_equal(before.scores, after.scores)
    for empty in (sp.csr_array((2, 30)), np.zeros((2, 30))):
        lists = model.fold_in(empty, k=5)
        assert np.isfinite(lists.scores[lists.indices >= 0]).all()
    with pytest.raises(ValueError, match="transposed"):
        model.fold_in(blocks.T)
    damaged = blocks.copy()
    damaged.indices[0] = -1
    with pytest.raises(ValueError, match="user_items"):
        model.fold_in(damaged)


@pytest.mark.parametrize(
    "model", [m for m in ALL if not isinstance(m, (UserKNN, SlopeOne))], ids=repr
)
def test_fold_in_of_known_rows(model, blocks):
    """Where a user's row alone decides, known rows folded in get the same lists."""
    if (isinstance(model, ContextKNN) and model.base == "user") or model.get_params().get(
        "method"
    ) == "sgd":
        pytest.skip("a user is its own neighbour, or biases come from another method")
    if model.get_params().get("solver") == "nonnegative":
        pytest.skip("solved by iterations from another start")
    known = model.fit(blocks).recommend(k=5)
    folded = model.fold_in(blocks, k=5)
    np.testing.assert_array_equal(folded.indices, known.indices)


@every
def test_fold_in_matches_items_by_id(model, named):
    model.fit(named)
    part = named.subset(users=["user-03", "user-20"], items=named.items.ids[::-1])
    by_id, by_column = model.fold_in(part, k=5), model.fold_in(named.matrix[[3, 20]], k=5)
    np.testing.assert_array_equal(by_id.indices, by_column.indices)
    assert by_id.queries.tolist() == ["user-03", "user-20"]
    strange = Interactions.from_arrays([1], [999])
    with pytest.raises(KeyError, match="999"):
        model.fold_in(strange)


@pytest.mark.parametrize("model", [m for m in ALL if not isinstance(m, ImplicitALS)], ids=repr)
def test_partial_fit_is_a_refit(model, blocks, named):
    grown = copy.deepcopy(model).fit(blocks[:20]).partial_fit(blocks[20:])
    whole = copy.deepcopy(model).fit(blocks)
    np.testing.assert_array_equal(grown.recommend(k=5).indices, whole.recommend(k=5).indices)
    first = named.subset(users=named.users.ids[::2]).drop_empty()
    second = named.subset(users=named.users.ids[1::2]).drop_empty()
    grown = copy.deepcopy(model).fit(first).partial_fit(second)
    whole = copy.deepcopy(model).fit(named)
    a, b = grown.recommend(k=5), whole.recommend(k=5)
    assert a.queries.tolist() == b.queries.tolist()
    assert a.ids.tolist() == b.ids.tolist()
    np.testing.assert_array_equal(a.scores, b.scores)
    with pytest.raises(ValueError, match=r"duplicate|twice|once"):
        grown.partial_fit(second)
    assert grown.recommend(k=5).ids.tolist() == b.ids.tolist()
    with pytest.raises(TypeError, match="Interactions"):
        grown.partial_fit(blocks)


@every
def test_refits_and_failed_fits(model, blocks):
    model = copy.deepcopy(model)
    for X in (blocks, blocks[:9], blocks):
        expected = copy.deepcopy(model).fit(X).recommend(k=3)
        np.testing.assert_array_equal(model.fit(X).recommend(k=3).indices, expected.indices)
    broken = blocks.copy()
    broken.data[3] = np.nan
    with pytest.raises(ValueError, match="not a finite number"):
        model.fit(broken)
    np.testing.assert_array_equal(model.recommend(k=3).indices, expected.indices)


@every
def test_not_fitted(model, blocks):
    fresh = type(model)(**model.get_params())
    for ask in (fresh.recommend, lambda: fresh.predict([0], [0]), lambda: fresh.fold_in(blocks)):
        with pytest.raises(NotFittedError, match="call fit"):
            ask()


@every
def test_flags_are_true_or_false(model, blocks):
    with pytest.raises(TypeError, match="exclude_seen must be True or False, got 'no'"):
        model.fit(blocks).recommend(exclude_seen="no")
    for name in {"clip", "positive_only"} & set(model.get_params()):
        with pytest.raises(TypeError, match=f"{name} must be True or False, got 'False'"):
            copy.deepcopy(model).set_params(**{name: "False"}).fit(blocks)


@every
def test_empty_and_tiny(model):
    for X in (np.zeros((6, 5)), np.zeros((0, 4)), np.zeros((4, 0)), np.ones((1, 1))):
        lists = model.fit(X).recommend(k=3, exclude_seen=False)
        assert lists.indices.shape == (X.shape[0], min(3, X.shape[1]))


@every
def test_bits_do_not_depend_on_threads(model, blocks):
    results = []
    for n in (1, 2):
        fitted = copy.deepcopy(model)
        if "n_threads" in fitted.get_params():
            fitted.set_params(n_threads=n)
        results.append(fitted.fit(blocks).recommend(k=5, n_threads=n))
    np.testing.assert_array_equal(results[0].indices, results[1].indices)
    np.testing.assert_array_equal(results[0].scores, results[1].scores)
