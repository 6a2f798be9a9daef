"""The contract of every registered recommender, on a matrix whose answer is known."""

from __future__ import annotations

import copy
import inspect
import logging

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import (
    BPR,
    EASE,
    EDLAE,
    NMF,
    SLIM,
    SVD,
    WARP,
    AsymmetricSVD,
    Bagging,
    BaselineOnly,
    CoClustering,
    ColdStart,
    ContextKNN,
    CosineContrastiveMF,
    ExplicitALS,
    FactorizationMachine,
    GRU4Rec,
    HybridALS,
    HybridBPR,
    HybridSampledSoftmax,
    HybridWARP,
    ImplicitALS,
    Interactions,
    ItemKNN,
    LogisticMF,
    Popularity,
    PureSVD,
    RankFusion,
    RatingNMF,
    SampledSoftmaxMF,
    SASRec,
    ScoreFusion,
    SessionKNN,
    Similarity,
    SlopeOne,
    SparseEASE,
    Stacking,
    SVDpp,
    TwoTower,
    UserKNN,
    VectorMap,
    load,
    similarity,
)
from aimass_core.base import registry
from aimass_core.base.arguments import FOREIGN_NAMES
from aimass_core.data import split
from aimass_core.data.weighting import BM25, TfIdf
from aimass_core.evaluation import evaluate, recall
from aimass_core.exceptions import NotFittedError
from aimass_core.retrieval import FactorIndex, audience, score_topk
from aimass_core.tuning import tune

SUMS = [
    ItemKNN(n_neighbors=12),
    ItemKNN(n_neighbors=12, neighbors_of="target", weighting="log", profile="raw"),
    ItemKNN(n_neighbors=12, similarity="rp3beta"),
    ItemKNN(n_neighbors=12, weighting="bm25"),
    ItemKNN(n_neighbors=12, weighting=BM25(K1=1.5, B=0.1, documents="users"), normalize=True),
    ItemKNN(n_neighbors=12, weighting="tf_idf", neighbors_of="seen", normalize=True),
    UserKNN(n_neighbors=20, weighting="bm25"),
    UserKNN(n_neighbors=20, weighting=TfIdf(documents="items")),
    UserKNN(n_neighbors=20),
    UserKNN(n_neighbors=20, similarity="log_likelihood_ratio", profile="binary"),
    ContextKNN(),
    ContextKNN(base="user"),
    SessionKNN(n_neighbors=20),
    EASE(regularization=50.0),
    EASE(regularization=5.0, n_neighbors=9, weighting="bm25", dtype="float64"),
    EDLAE(regularization=5.0),
    SLIM(alpha=0.01),
    SLIM(alpha=0.1, l1_ratio=0.1, n_candidates=12, n_neighbors=8, nonnegative=False),
    SLIM(alpha=0.01, solver="sparse", weighting="tf_idf", dtype="float64"),
    SparseEASE(regularization=5.0, n_neighbors=9, n_checked=3),
]
RATINGS = [
    ItemKNN(aggregation="mean"),
    ItemKNN(aggregation="baseline", similarity=Similarity("pearson_baseline", support_shrink=10)),
    UserKNN(aggregation="centered", similarity="msd"),
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
STEPS = {"n_factors": 3, "max_iter": 50}
FACTORS += [
    BPR(**STEPS),
    BPR(**STEPS, optimizer="adam", learning_rate=0.02, n_candidates=2, negatives="popularity"),
    WARP(**STEPS),
    WARP(**STEPS, n_positives=3, k_positive=2, biases=False, dtype="float64"),
    LogisticMF(**STEPS),
    SampledSoftmaxMF(**STEPS, n_negatives=12, temperature=0.5),
    CosineContrastiveMF(**STEPS, n_negatives=12, margin=0.4, negative_weight=1, dtype="float64"),
    HybridALS(n_factors=8, regularization=0.1),
    HybridBPR(**STEPS),
    HybridSampledSoftmax(**STEPS, n_negatives=12),
    HybridWARP(**STEPS, dtype="float64"),
    VectorMap(n_factors=8, regularization=0.1),
]
RATINGS += [FactorizationMachine(n_factors=3, max_iter=60, n_draws=10, n_negatives=1)]
NETWORK = {"n_factors": 8, "max_iter": 60, "learning_rate": 0.02}
FACTORS += [
    SASRec(**NETWORK, n_layers=1, n_heads=2),
    GRU4Rec(**NETWORK, n_hidden=6, n_negatives=12),
    TwoTower(**NETWORK, n_hidden=6),
]
RATED = {"n_factors": 3, "max_iter": 60, "learning_rate": 0.02}
RATINGS += [
    SVD(**RATED),
    SVD(**RATED, order="stored", dtype="float64", biases=False),
    SVDpp(**RATED),
    AsymmetricSVD(**RATED),
    CoClustering(),
    RatingNMF(n_factors=3),
    RatingNMF(n_factors=3, biases=True),
]
STOCHASTIC = (  # trained by steps in a random order
    BPR,
    WARP,
    LogisticMF,
    SampledSoftmaxMF,
    CosineContrastiveMF,
    SVD,
    SVDpp,
    AsymmetricSVD,
    FactorizationMachine,
    HybridBPR,
    HybridSampledSoftmax,
    HybridWARP,
    SASRec,
    GRU4Rec,
    TwoTower,
)
MEMBERS = {"knn": ItemKNN(n_neighbors=12), "als": ImplicitALS(n_factors=8, regularization=0.1)}
FUSED = [
    RankFusion(models=MEMBERS),
    RankFusion(models=MEMBERS, method="borda", weights=[2, 1]),
    RankFusion(models=MEMBERS, method="vote", n_votes=5),
    ScoreFusion(models=MEMBERS, scale="probability", weights={"knn": 1, "als": 3}),
    Bagging(model=ImplicitALS(n_factors=8, regularization=0.1), n_estimators=2),
    Bagging(model=ItemKNN(n_neighbors=12), n_estimators=3, share=0.9),
    Stacking(
        models=MEMBERS,
        n_folds=2,
        estimator={"steps": [["DecisionTreeClassifier", {"max_depth": 4, "random_state": 0}]]},
    ),
]
FUSED += [ColdStart(model=ItemKNN(n_neighbors=12)), ColdStart(model="implicit-als")]
UNCLIPPED = [ExplicitALS(n_factors=3, clip=False), BaselineOnly(clip=False)]
RATINGS += [ScoreFusion(models=UNCLIPPED, scale="none")]
SHARED = [BaselineOnly(), BaselineOnly(method="sgd"), Popularity(), Popularity(by="mean")]
ALL = SUMS + RATINGS + FACTORS + FUSED + SHARED


def test_every_registered_model_is_tested():
    known = {registry.find(name) for name in registry.model_names()}
    missing = {cls for cls in known if not getattr(cls, "needs_features", ())} - {
        type(m) for m in ALL
    }
    assert not {cls for cls in missing if cls.__module__.startswith("aimass_core.")}


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
        assert len(set(items)) == len(items)
        assert (dense[row, items] == 0).all()
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(np.lexsort((items, -np.array(scores))), np.arange(len(items)))
    padding = lists.indices < 0
    assert (lists.scores[padding] == -np.inf).all()
    assert (np.diff(padding.astype(int), axis=1) >= 0).all()


@every
def test_scores_are_those_of_predict(model, blocks):
    model = copy.deepcopy(model).fit(blocks)
    if model.predicts_ratings and "clip" in model.get_params():  # what a fitted model knows
        model.set_params(clip=False).fit(blocks)
    lists = model.recommend(k=7)
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
    assert none.to_dict()["item"] == []


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
    nothing = model.recommend(k=3, exclude=np.arange(30))
    assert (nothing.indices == -1).all()
    two = model.recommend([0], k=5, candidates=[4, 17, 4], exclude_seen=False)
    assert set(two.ids[two.indices >= 0].tolist()) <= {4, 17}
    denied = model.recommend(k=30, exclude_seen=False, exclude=[4, 17])
    for row in range(36):
        left = plain.indices[row][~np.isin(plain.indices[row], [4, 17])]
        np.testing.assert_array_equal(denied.indices[row, :28], left[:28])
    own = sp.csr_array((np.ones(36), (np.arange(36), np.maximum(plain.indices[:, 0], 0))), (36, 30))
    by_user = model.recommend(k=29, exclude_seen=False, exclude=own)
    np.testing.assert_array_equal(by_user.indices, plain.indices[:, 1:])
    with pytest.raises(ValueError, match="exclude must have shape"):
        model.recommend(k=3, exclude=own[:5])
    with pytest.raises(TypeError, match="candidates must hold whole numbers"):
        model.recommend(candidates=["tea"])
    unknown = model.recommend([0], k=5, candidates=[4, 17, 30, -1], exclude_seen=False)
    np.testing.assert_array_equal(unknown.indices, two.indices)
    assert (model.recommend(candidates=[30]).indices == -1).all()


@every
def test_candidates_of_each_user(model, blocks):
    plain = model.fit(blocks).recommend(k=30)
    allowed = np.random.default_rng(5).random((36, 30)) < 0.4
    lists = model.recommend(k=30, candidates=sp.csr_array(allowed.astype(float)))
    for row, (items, scores) in enumerate(plain):
        kept = [(i, s) for i, s in zip(items, scores, strict=True) if allowed[row, i]]
        own_items, own_scores = lists[row].ids[0], lists[row].scores[0]
        assert [i for i in own_items if i >= 0] == [i for i, _ in kept]
        np.testing.assert_allclose(own_scores[: len(kept)], [s for _, s in kept], rtol=1e-5)
    by_flags = model.recommend(k=30, candidates=allowed)
    np.testing.assert_array_equal(by_flags.indices, lists.indices)


@pytest.mark.parametrize("model", [ItemKNN(n_neighbors=12), FUSED[0], SlopeOne()], ids=repr)
def test_dense_scores_in_blocks_of_users_keep_their_filters(model, blocks, monkeypatch):
    allowed = np.random.default_rng(5).random((36, 30)) < 0.4
    options = {"candidates": sp.csr_array(allowed.astype(float)), "exclude": blocks}
    whole = model.fit(blocks).recommend(k=5, **options)
    monkeypatch.setattr("aimass_core.base.ranking._BLOCK", 300)
    monkeypatch.setattr("aimass_core.fusion._pool._ENTRIES", 3000)
    blocked = model.recommend(k=5, **options)
    np.testing.assert_array_equal(blocked.indices, whole.indices)
    np.testing.assert_array_equal(blocked.scores, whole.scores)


@every
def test_filters_are_any_collection(model, named):
    model.fit(named)
    items = [5, 15, 105, 9999]
    expected = model.recommend(["user-03", "user-20"], k=5, candidates=items)
    pandas = pytest.importorskip("pandas")
    for collection in (
        tuple(items),
        set(items),
        frozenset(items),
        (i for i in items),
        dict.fromkeys(items).keys(),
        np.array(items),
        pandas.Series(items),
        np.isin(named.items.ids, items),
        {"user-03": items, "user-20": items, "stranger": [5]},
        Interactions.from_arrays(["user-03"] * 4 + ["user-20"] * 4, items * 2),
    ):
        lists = model.recommend(["user-03", "user-20"], k=5, candidates=collection)
        np.testing.assert_array_equal(lists.indices, expected.indices)
    without = model.recommend(["user-03"], k=30, exclude={"user-03": {5, 9999}})
    assert 5 not in without.ids
    strangers = model.recommend(["user-03"], k=30, exclude=[9999])
    np.testing.assert_array_equal(strangers.ids, model.recommend(["user-03"], k=30).ids)


@every
def test_what_is_no_filter_is_refused_with_the_remedy(model, named):
    pandas = pytest.importorskip("pandas")
    model.fit(named)
    for wrong, message in (
        (["5", "15"], "candidates holds '5' of type str, but the known items have ids of kind"),
        ([[5, 15], [5]], "candidates must hold ids of items for all queries, or be a dict"),
        (pandas.DataFrame({"user": ["user-03"], "item": [5]}), r"from_table\(table, user='user'"),
    ):
        with pytest.raises(TypeError, match=message):
            model.recommend(["user-03", "user-20"], candidates=wrong)
    with pytest.raises(ValueError, match=r"exclude as an array of bool must have shape \(30,\)"):
        model.recommend(["user-03"], exclude=np.ones(7, dtype=bool))


@pytest.mark.parametrize(
    "model",
    [m for m in ALL if hasattr(m, "similar_items") or hasattr(m, "similar_users")],
    ids=repr,
)
@pytest.mark.parametrize("side", ["items", "users"])
def test_filters_of_similar_items_and_users(model, side, named):
    model.fit(named)
    if not hasattr(model, f"similar_{side}"):
        pytest.skip("neighbours of the other side only")
    ids = (named.items if side == "items" else named.users).ids
    ask = getattr(model, f"similar_{side}")
    queries = ids[[3, 20]].tolist()
    try:
        plain = ask(queries, k=len(ids))
    except ValueError as error:
        assert "this model compares" in str(error)  # noqa: PT017
        return
    some = ids[:15].tolist()
    expected = [[i for i in items if i in some] for items, _ in plain]
    for candidates in (some, set(some), (i for i in some), np.isin(ids, some)):
        lists = ask(queries, k=len(ids), candidates=candidates)
        assert [items for items, _ in lists] == expected
    for one in (queries[0], queries[:1]):
        lists = ask(one, k=len(ids), candidates={queries[0]: some}, exclude=[some[0], some[1]])
        assert [items for items, _ in lists] == [[i for i in expected[0] if i not in some[:2]]]
    assert plain.query_name == side[:-1]
    assert plain.item_name == f"similar_{side[:-1]}"


@every
def test_unknown_users(model, named):
    model.fit(named)
    both = model.recommend(["user-03", "user-20"], k=4)
    skipped = model.recommend(["user-03", "stranger", "user-20"], k=4, unknown="skip")
    assert skipped.queries.tolist() == ["user-03", "user-20"]
    np.testing.assert_array_equal(skipped.indices, both.indices)
    popular = model.recommend(["user-03", "stranger", "user-20"], k=4, unknown="popular")
    np.testing.assert_array_equal(popular.indices[[0, 2]], both.indices)
    counts = np.bincount(named.matrix.indices, minlength=30)
    np.testing.assert_array_equal(popular.indices[1], np.argsort(-counts, kind="stable")[:4])
    assert model.recommend(["a", "b"], unknown="skip").indices.shape[0] == 0
    with pytest.raises(ValueError, match="unknown must be one of"):
        model.recommend(["user-03"], unknown="drop")
    strangers = [f"s{n}" for n in range(7)]
    with pytest.raises(
        KeyError,
        match=r"unknown user 's0', 's1', 's2', 's3', 's4' and 2 more .*, such as 'user-.*: "
        r"pass unknown='popular'",
    ):
        model.recommend(["user-03", *strangers])


@every
def test_users_without_history(model, blocks):
    X = blocks.toarray()
    X[7] = 0
    model.fit(X)
    lists = model.recommend([7, 8], k=4)
    if model.needs_history:
        assert (lists.indices[0] == -1).all()
        assert (model.recommend_new(X[[7]], k=4).indices == -1).all()
        popular = np.argsort(-(X > 0).sum(axis=0), kind="stable")[:4]
        for answer in (
            model.recommend([7, 8], k=4, unknown="popular"),
            model.recommend_new(X[[7, 8]], k=4, unknown="popular"),
        ):
            np.testing.assert_array_equal(answer.indices[0], popular)
    np.testing.assert_array_equal(lists.indices[1], model.recommend([8], k=4).indices[0])


@pytest.mark.parametrize("model", [m for m in ALL if hasattr(m, "similar_items")], ids=repr)
def test_what_has_no_interactions_has_no_neighbors(model, blocks):
    X = blocks.toarray()
    X[7], X[:, 5] = 0, 0
    model.fit(X)
    for call, row in (("similar_items", 5), ("similar_users", 7)):
        if not hasattr(model, call):
            continue
        try:
            lists = getattr(model, call)([row, row + 1], k=4)
        except ValueError as error:
            assert "this model compares" in str(error)  # noqa: PT017
            continue
        assert lists.lengths.tolist()[0] == 0, call
        assert np.isneginf(lists.scores[0]).all()
        assert lists.lengths[1] > 0, call


@every
def test_an_answer_does_not_depend_on_the_batch(model, blocks):
    model.fit(blocks)
    everyone = model.recommend(k=9)
    new = blocks[::-1][:20]
    together = model.recommend_new(new, k=9)
    for row in range(0, 36, 5):
        alone = model.recommend([row], k=9)
        np.testing.assert_array_equal(alone.indices[0], everyone.indices[row])
        np.testing.assert_array_equal(alone.scores[0], everyone.scores[row])
    for row in range(0, 20, 3):
        alone = model.recommend_new(new[[row]], k=9)
        np.testing.assert_array_equal(alone.indices[0], together.indices[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


@every
def test_forgotten_users(model, named):
    model = copy.deepcopy(model).fit(named)
    result = model.forget(["user-05", "user-30"])
    assert result.n_users == 2
    assert result.remains
    with pytest.raises(KeyError, match="user-05"):
        model.recommend(["user-05"])
    lists = model.recommend(k=3)
    assert lists.queries.tolist() == [u for u in named.users.ids if u not in ("user-05", "user-30")]
    assert model.user_items_.shape == (34, 30)


@every
def test_saved_and_loaded(model, named, tmp_path):
    model.fit(named)
    model.save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert type(again) is type(model)
    new = named.subset(users=["user-03", "user-20"])
    for a, b in (
        (again.recommend(k=4), model.recommend(k=4)),
        (again.recommend_new(new, k=4), model.recommend_new(new, k=4)),
    ):
        assert a.queries.tolist() == b.queries.tolist()
        np.testing.assert_array_equal(a.indices, b.indices)
        np.testing.assert_array_equal(a.scores, b.scores)


@every
def test_saved_without_training_data(model, named, tmp_path):
    model.fit(named)
    file = tmp_path / "model.safetensors"
    new = named.subset(users=["user-03", "user-20"])
    if model._requires_training():
        with pytest.raises(ValueError, match="cannot be saved without"):
            model.save(file, training=False)
        return
    model.save(file, training=False)
    bare = load(file)
    assert bare.user_items_ is None
    expected = model.recommend_new(new, k=4)
    np.testing.assert_array_equal(bare.recommend_new(new, k=4).indices, expected.indices)
    with pytest.raises(ValueError, match="without its training data"):
        bare.recommend(["user-03"])
    if not bare.needs_training:
        plain = model.recommend(["user-03"], k=4, exclude_seen=False)
        lists = bare.recommend(["user-03"], k=4, exclude_seen=False)
        np.testing.assert_array_equal(lists.indices, plain.indices)
    with pytest.raises(ValueError, match="without its training data"):
        bare.partial_fit(new)
    if hasattr(bare, "explain"):
        with pytest.raises(ValueError, match="without its training data"):
            bare.explain("user-03", 5)


@every
def test_tables_are_refused_with_the_call_that_reads_them(model, named):
    columns = {"customer_id": ["a", "b"], "sku": ["x", "y"], "rating": [1.0, 2.0]}
    for library, make in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "table")):
        table = getattr(pytest.importorskip(library), make)(columns)
        expected = r"from_table\(table, user='customer_id', item='sku', value='rating'\)"
        with pytest.raises(TypeError, match=expected):
            copy.deepcopy(model).fit(table)
        with pytest.raises(TypeError, match=expected):
            model.fit(named).recommend_new(table)


@every
def test_names_of_other_libraries(model, blocks):
    model.fit(blocks)
    for name, ours in (("N", "k"), ("filter_items", "exclude"), ("num_threads", "n_threads")):
        call = rf"{type(model).__name__}\.recommend\(\)"
        with pytest.raises(TypeError, match=rf"{call}.* here it is called '{ours}'"):
            model.recommend([0], **{name: 3})
    with pytest.raises(TypeError, match="call recommend_new"):
        model.recommend([0], recalculate_user=True)
    with pytest.raises(TypeError, match=rf"{type(model).__name__}\(\).*pass 'verbose' to fit"):
        type(model)(show_progress=True)
    with pytest.raises(TypeError, match="has no argument 'nonsense'"):
        type(model)(nonsense=3)


@pytest.mark.parametrize("name", registry.model_names())
def test_every_name_of_other_libraries_is_told_ours(name):
    cls = registry.find(name)
    unfitted = cls.__new__(cls)
    calls = {"": cls} | {
        method: getattr(unfitted, method)
        for method in ("fit", "recommend", "recommend_new", "similar_items", "predict", "explain")
        if hasattr(cls, method)
    }
    for call in calls.values():
        known = inspect.signature(call).parameters
        for foreign, names in FOREIGN_NAMES.items():
            ours = [own for own in names if own in known]
            if foreign in known or not ours:
                continue
            with pytest.raises(TypeError, match=f"{foreign}'; here it is called '{ours[0]}'"):
                call(**{foreign: 1})


def test_names_of_lightfm_are_told_ours():
    X = np.eye(3)
    for call, message in (
        (lambda: WARP(item_alpha=1e-6), "here it is called 'regularization'"),
        (lambda: WARP(user_alpha=1e-6), "here it is called 'regularization_user'"),
        (lambda: HybridALS(user_alpha=1e-6), "here it is called 'regularization'"),
        (lambda: WARP(learning_schedule="adadelta"), "here it is called 'optimizer'"),
        (lambda: WARP().fit(X, epochs=3), r"pass 'max_iter' to WARP\(\.\.\.\)"),
        (lambda: WARP().fit(X, num_threads=2), r"pass 'n_threads' to WARP\(\.\.\.\)"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    for name, message in (
        ("fit_partial", r"call partial_fit.*fit\(x, start=model\)"),
        ("get_user_representations", "user_factors_"),
        ("get_item_representations", "item_factors_"),
    ):
        with pytest.raises(AttributeError, match=message):
            getattr(WARP(), name)


@pytest.mark.parametrize(
    ("call", "name", "ours"),
    [
        (split.random, "test_ratio", "test_size"),
        (split.k_fold, "n_folds", "n_splits"),
        (recall, "topk", "k"),
        (tune, "n_iter", "n_trials"),
        (Interactions.from_table, "user_col", "user"),
        (Interactions.from_table, "user_id", "user"),
        (similarity.topk, "K", "k"),
        (similarity.topk, "num_threads", "n_threads"),
        (evaluate, "K", "k"),
        (evaluate, "seed", "random_state"),
        (audience, "exclude_items", "exclude"),
        (audience, "n_jobs", "n_threads"),
        (score_topk, "N", "k"),
        (FactorIndex([[1.0]]).topk, "filter_items", "exclude"),
    ],
)
def test_functions_name_their_argument_for_that_of_other_libraries(call, name, ours):
    with pytest.raises(
        TypeError, match=rf"{call.__name__}\(\) .*{name!r}; here .* called {ours!r}"
    ):
        call([[1.0]], **{name: 3})
    with pytest.raises(TypeError, match="has no argument 'nonsense'"):
        call([[1.0]], nonsense=3)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (ItemKNN(aggregation="mean", neighbors_of="seen"), "neighbors_of"),
        (ItemKNN(aggregation="mean", clip=False, rating_scale=(1, 5)), "rating_scale"),
        (UserKNN(min_k=2), "min_k"),
        (UserKNN(baseline="sgd"), "baseline"),
        (ItemKNN(similarity=Similarity("jaccard", alpha=0.3)), "alpha"),
        (ContextKNN(now=3), "now"),
        (BaselineOnly(method="sgd", reg_u=3.0), "reg_u"),
        (BaselineOnly(learning_rate=0.1), "learning_rate"),
        (SlopeOne(clip=False, rating_scale=(1, 5)), "rating_scale"),
        (ImplicitALS(solver="cholesky", n_steps=3), "n_steps"),
        (ImplicitALS(solver="cg", block_size=32), "block_size"),
        (ExplicitALS(clip=False, rating_scale=(1, 5)), "rating_scale"),
        (BPR(momentum=0.5), "momentum"),
        (BPR(optimizer="momentum", decay=0.5), "decay"),
        (BPR(popularity_power=0.5), "popularity_power"),
        (WARP(biases=False, regularization_bias=0.1), "regularization_bias"),
        (SVD(biases=False, learning_rate_item_bias=0.1), "learning_rate_item_bias"),
    ],
    ids=repr,
)
def test_options_without_effect_are_refused(model, name, blocks):
    with pytest.raises(ValueError, match=rf"{name}.*(has no effect with|leave it out)"):
        model.fit(blocks)


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
    assert long["user"] == np.repeat(lists.queries, found.sum(axis=1)).tolist()
    assert model.predict("user-03", [5, 15]).shape == (2,)
    with pytest.raises(KeyError, match="unknown item 6"):
        model.predict("user-03", [6])


@every
def test_tables(model, named):
    lists = model.fit(named).recommend(k=3)
    expected = lists.to_dict()
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
def test_recommend_new_changes_nothing(model, blocks):
    before = model.fit(blocks).recommend(k=5)
    model.recommend_new(blocks[:4] * 2, k=5)
    after = model.recommend(k=5)
    np.testing.assert_array_equal(before.indices, after.indices)
    np.testing.assert_array_equal(before.scores, after.scores)
    for empty in (sp.csr_array((2, 30)), np.zeros((2, 30))):
        lists = model.recommend_new(empty, k=5)
        assert np.isfinite(lists.scores[lists.indices >= 0]).all()
    with pytest.raises(ValueError, match="transposed"):
        model.recommend_new(blocks.T)
    damaged = blocks.copy()
    damaged.indices[0] = -1
    with pytest.raises(ValueError, match="user_items"):
        model.recommend_new(damaged)


@pytest.mark.parametrize(
    "model",
    [m for m in ALL if not isinstance(m, (UserKNN, SessionKNN, SlopeOne, *STOCHASTIC))],
    ids=repr,
)
def test_recommend_new_of_known_rows(model, blocks):
    """Where a user's row alone decides, known rows folded in get the same lists."""
    if (isinstance(model, ContextKNN) and model.base == "user") or model.get_params().get(
        "method"
    ) == "sgd":
        pytest.skip("a user is its own neighbour, or biases come from another method")
    if isinstance(model, RatingNMF) or model.get_params().get("solver") == "nonnegative":
        pytest.skip("solved by iterations from another start")
    if model.get_params().get("share", 1.0) < 1.0:
        pytest.skip("each member saw a part of the user's row only")
    known = model.fit(blocks).recommend(k=5)
    folded = model.recommend_new(blocks, k=5)
    np.testing.assert_array_equal(folded.indices, known.indices)


@every
def test_new_users_may_have_values_of_any_type(model, blocks):
    model = copy.deepcopy(model).fit(blocks.astype(np.float64))
    expected = model.recommend_new(blocks[:3], k=4)
    for dtype in (np.float64, np.int64):
        lists = model.recommend_new(blocks[:3].astype(dtype), k=4)
        np.testing.assert_array_equal(lists.indices, expected.indices)
        np.testing.assert_array_equal(lists.scores, expected.scores)


@every
def test_predictions_do_not_depend_on_the_batch(model, blocks):
    model.fit(blocks)
    users, items = np.arange(0, 36, 5), np.arange(0, 30, 4)
    together = model.predict(users, items)
    for at in range(len(users)):
        alone = model.predict(users[at], items[at])
        np.testing.assert_array_equal(alone, together[[at]])


@every
def test_recommend_new_matches_items_by_id(model, named):
    model.fit(named)
    part = named.subset(users=["user-03", "user-20"], items=named.items.ids[::-1])
    by_id, by_column = (
        model.recommend_new(part, k=5),
        model.recommend_new(named.matrix[[3, 20]], k=5),
    )
    np.testing.assert_array_equal(by_id.indices, by_column.indices)
    assert by_id.queries.tolist() == ["user-03", "user-20"]
    strange = Interactions.from_arrays([1], [999])
    with pytest.raises(KeyError, match="999"):
        model.recommend_new(strange, unknown_items="error")
    with pytest.warns(UserWarning, match="1 of 1 items are unknown"):
        lists = model.recommend_new(strange, k=5)
    assert not model.needs_history or (lists.indices == -1).all()


@pytest.mark.parametrize(
    "model", [m for m in ALL if not isinstance(m, (ImplicitALS, *STOCHASTIC))], ids=repr
)
def test_partial_fit_is_a_refit(model, blocks, named):
    grown = copy.deepcopy(model).fit(blocks[:20]).partial_fit(blocks[20:])
    whole = copy.deepcopy(model).fit(blocks)
    np.testing.assert_array_equal(grown.recommend(k=5).indices, whole.recommend(k=5).indices)
    first = named.subset(users=named.users.ids[::2]).drop_empty()
    second = named.subset(users=named.users.ids[1::2]).drop_empty()
    grown = copy.deepcopy(model).fit(first).partial_fit(second)
    whole = copy.deepcopy(model).fit(first.merge(second, duplicates="error"))
    users = named.users.ids.tolist()
    a, b = grown.recommend(users, k=5), whole.recommend(users, k=5)
    np.testing.assert_allclose(a.scores, b.scores, rtol=1e-5)
    with pytest.raises(ValueError, match=r"duplicate|twice|once"):
        grown.partial_fit(second)
    assert grown.recommend(users, k=5).ids.tolist() == a.ids.tolist()
    with pytest.raises(TypeError, match=r"Interactions\.from_csr\(X, users=ids, items=ids\)"):
        grown.partial_fit(blocks)
    with pytest.raises(TypeError, match=r"Interactions\.from_table\(path"):
        grown.partial_fit("today.csv")


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
def test_a_callback_gets_the_steps_of_a_fit(model, blocks):
    events = []
    fresh = copy.deepcopy(model).fit(blocks, callback=lambda event: events.append(event))
    assert [event.step for event in events] == sorted({event.step for event in events})
    assert {event.stage for event in events} == {"fit"}
    assert events[-1].step <= events[-1].n_steps
    last = copy.deepcopy(events[-1].model)
    np.testing.assert_array_equal(
        last.recommend([3], k=3).indices.shape, fresh.recommend([3], k=3).indices.shape
    )
    if not fresh.learns_in_epochs:
        assert events[-1].step == events[-1].n_steps
        np.testing.assert_array_equal(last.recommend(k=3).indices, fresh.recommend(k=3).indices)
    else:
        ended = copy.deepcopy(model).fit(blocks, callback=lambda event: event.step == 2)
        assert getattr(ended, "n_iter_", 2) == 2
    with pytest.raises(TypeError, match="callback must be a function"):
        copy.deepcopy(model).fit(blocks, callback=3)
    with pytest.raises(TypeError, match="verbose must be True or False"):
        copy.deepcopy(model).fit(blocks, verbose="no")


@every
def test_verbose_shows_a_bar_and_the_log_says_what_was_done(
    model, blocks, capsys, caplog, monkeypatch
):
    monkeypatch.setattr("aimass_core.base.progress._BAR_AFTER", -1.0)
    with caplog.at_level(logging.INFO, "aimass_core"):
        copy.deepcopy(model).fit(blocks, verbose=True)
    assert "fit [####" in capsys.readouterr().err
    log = "\n".join(caplog.messages)
    assert "36 users x 30 items" in log
    assert f"{type(model).__name__}.fit in " in log
    copy.deepcopy(model).fit(blocks)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "model", [m for m in ALL if "random_state" in m.get_params(deep=False)], ids=repr
)
def test_forms_of_a_random_state(model, blocks):
    model = copy.deepcopy(model)
    answers = []
    for state in (3, np.int64(3), np.random.default_rng(3), np.random.RandomState(3), None):
        answers.append(model.set_params(random_state=state).fit(blocks).recommend(k=3))
    np.testing.assert_array_equal(answers[0].indices, answers[1].indices)
    for state, error in ((-1, ValueError), (1.5, TypeError), ("a", TypeError), (True, TypeError)):
        with pytest.raises(error, match="random_state must be"):
            model.set_params(random_state=state).fit(blocks)


@every
def test_not_fitted(model, blocks):
    fresh = type(model)(**model.get_params(deep=False))
    for ask in (
        fresh.recommend,
        lambda: fresh.predict([0], [0]),
        lambda: fresh.recommend_new(blocks),
    ):
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
