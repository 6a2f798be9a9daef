"""What is particular to each model: lists cut by seen or target, contexts, popularity, reasons."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import (
    BaselineOnly,
    ContextKNN,
    Interactions,
    ItemKNN,
    Popularity,
    Similarity,
    SlopeOne,
    UserKNN,
    load,
    similarity,
)
from aimass_core.base.estimator import clone
from aimass_core.data import weighting
from aimass_core.exceptions import NumericalError


def dense_scores(lists, shape):
    out = np.full(shape, -np.inf)
    rows, places = np.nonzero(lists.indices >= 0)
    out[rows, lists.indices[rows, places]] = lists.scores[rows, places]
    return out


def test_biases_that_diverge_are_an_error_that_names_the_epoch(small_ratings):
    with pytest.raises(NumericalError, match=r"overflowed in epoch [0-9]+: lower learning_rate"):
        BaselineOnly(method="sgd", learning_rate=50.0).fit(small_ratings)


@pytest.mark.parametrize("neighbors_of", ["seen", "target"])
def test_item_knn_is_profile_times_similarity(neighbors_of, small_ratings):
    X, measure = small_ratings, "conditional_probability"
    model = ItemKNN(n_neighbors=5, similarity=measure, neighbors_of=neighbors_of).fit(X)
    every = similarity.topk(X.T, measure=measure, k=24).toarray()  # from seen (row) to target
    kept = every if neighbors_of == "seen" else every.T
    worst = np.sort(kept, axis=1)[:, -5][:, None]
    sure = np.where(kept > worst, kept, 0)
    S = model.similarity_.toarray()
    assert (np.count_nonzero(S, axis=1) <= 5).all()
    np.testing.assert_allclose(S[sure > 0], sure[sure > 0], rtol=1e-6)
    W = S if neighbors_of == "seen" else S.T
    expected = X.toarray() @ W
    found = dense_scores(model.recommend(k=25, exclude_seen=False), X.shape)
    reached = (X.toarray() != 0).astype(float) @ (W != 0) > 0
    np.testing.assert_allclose(found[reached], expected[reached], rtol=1e-5)
    assert (found[~reached] == -np.inf).all()


@pytest.mark.parametrize("neighbors_of", ["seen", "target"])
def test_user_knn_is_similarity_times_items(neighbors_of, small_ratings):
    X = small_ratings
    model = UserKNN(
        n_neighbors=6, similarity="jaccard", profile="binary", neighbors_of=neighbors_of
    )
    model.fit(X)
    S = similarity.topk(X, measure="jaccard", k=6).toarray()
    expected = (S.T if neighbors_of == "seen" else S) @ (X.toarray() != 0)
    found = dense_scores(model.recommend(k=25, exclude_seen=False), X.shape)
    np.testing.assert_allclose(np.where(found > 0, found, 0), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "documents"), [(ItemKNN, "items"), (UserKNN, "users")], ids=["item", "user"]
)
def test_weighting_is_that_of_the_data_package(model, documents, small_ratings):
    inside = model(weighting="bm25").fit(small_ratings).recommend(k=5)
    weighted = weighting.bm25(small_ratings, documents=documents)
    outside = model(similarity="cosine").fit(weighted).recommend(k=5)
    np.testing.assert_array_equal(inside.indices, outside.indices)
    np.testing.assert_array_equal(inside.scores, outside.scores)


def test_similar_items_are_ranked_lists(small_ratings):
    model = ItemKNN(n_neighbors=4, similarity="cosine").fit(small_ratings)
    S = similarity.topk(small_ratings.T, k=4, sort_by="score")
    lists = model.similar_items([3, 11, 3], k=9)
    assert lists.indices.shape == (3, 9)
    np.testing.assert_array_equal(lists.indices[0, :4], S.indices[S.indptr[3] : S.indptr[4]])
    assert (lists.indices[1] == -1).all()  # nobody has item 11
    on_demand = ItemKNN(aggregation="mean").fit(small_ratings.astype(float)).similar_items([3], k=4)
    np.testing.assert_array_equal(on_demand.indices, lists.indices[:1, :4])
    assert UserKNN().fit(small_ratings).similar_users([0, 7], k=3).indices.shape == (2, 3)
    with pytest.raises(KeyError, match="25 items"):
        model.similar_items([25])


MODELS = [
    ItemKNN(),
    ItemKNN(neighbors_of="target", profile="binary", similarity="rp3beta"),
    UserKNN(weighting="log"),
    ContextKNN(),
    *(
        cls(aggregation=a, n_neighbors=6, positive_only=p)
        for cls in (ItemKNN, UserKNN)
        for a in ("mean", "centered", "zscore", "baseline")
        for p in (True, False)
    ),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_reasons_add_up_to_the_score(model, small_ratings):
    X = Interactions.from_csr(small_ratings, items=[f"item-{n}" for n in range(25)])
    model.fit(X)
    if getattr(model, "aggregation", "mean") != "sum" and "clip" in model.get_params():
        model.set_params(clip=False)
        model.fit(X)
    lists = model.recommend(k=3)
    owned = small_ratings.toarray() != 0
    for user in (0, 5, 23):
        for item, score in zip(lists.ids[user], lists.scores[user], strict=True):
            why = model.explain(user, item, k=None)
            assert why.score == pytest.approx(float(score), rel=1e-5)
            assert why.offset + why.contributions.sum() == pytest.approx(why.score, rel=1e-6)
            if why.of == "items":
                assert owned[user, why.indices].all()
                assert why.ids[0] == f"item-{why.indices[0]}"
            else:
                assert owned[why.indices, int(item[5:])].all()
            assert len(model.explain(user, item, k=1).contributions) == 1
            assert (np.diff(np.abs(why.contributions)) <= 1e-12).all()


def test_a_reason_where_there_is_none(small_ratings):
    model = ItemKNN().fit(small_ratings)
    why = model.explain(7, 3)  # user 7 has nothing
    assert why.score == 0
    assert len(why.ids) == 0
    with pytest.raises(KeyError):
        model.explain(40, 0)
    for user, item in (([1, 2], 3), ([], 3), (1, [])):
        with pytest.raises(ValueError, match="one of each"):
            model.explain(user, item)


def test_parameters_are_checked_at_fit(small_ratings):
    bad = [
        (ItemKNN(n_neighbors=0), ValueError, "n_neighbors must be at least 1"),
        (ItemKNN(n_neighbors=2.5), TypeError, "n_neighbors must be a whole number"),
        (ItemKNN(similarity="cosin"), ValueError, "did you mean 'cosine'"),
        (ItemKNN(neighbors_of="user"), ValueError, "neighbors_of must be one of"),
        (UserKNN(aggregation="median"), ValueError, "aggregation must be one of"),
        (UserKNN(profile="x"), ValueError, "profile must be one of"),
        (UserKNN(weighting="bm26"), ValueError, "did you mean 'bm25'"),
        (UserKNN(aggregation="mean", rating_scale=(5, 1)), ValueError, "lowest, highest"),
        (UserKNN(aggregation="mean", rating_scale=5), TypeError, "lowest, highest"),
        (UserKNN(aggregation="mean", rating_scale=(1, 2, 3)), TypeError, "lowest, highest"),
        (ItemKNN(aggregation="mean", min_k=-1), ValueError, "min_k must be at least 0"),
        (ItemKNN(aggregation="mean", similarity=max), ValueError, "ranking"),
        (BaselineOnly(method="x"), ValueError, "method must be one of"),
        (BaselineOnly(method="sgd", learning_rate=0), ValueError, "learning_rate must be above 0"),
        (BaselineOnly(max_iter=0), ValueError, "max_iter must be at least 1"),
        (Popularity(by="x"), ValueError, "by must be one of"),
        (Popularity(start=3), ValueError, "need times"),
        (ContextKNN(half_life=3), ValueError, "needs times"),
        (ContextKNN(base="x"), ValueError, "base must be one of"),
    ]
    for model, kind, message in bad:
        with pytest.raises(kind, match=message):
            model.fit(small_ratings)
        assert not model.__sklearn_is_fitted__()


def test_a_user_function_in_a_model(small_ratings):
    def cosine(dot, count, norm_x, norm_y, count_x, count_y):
        return dot / (norm_x * norm_y)

    for cls in (ItemKNN, UserKNN):
        own = cls(similarity=cosine, n_neighbors=60).fit(small_ratings)
        named = cls(n_neighbors=60, similarity="cosine").fit(small_ratings)
        assert abs(own.similarity_ - named.similarity_).max() < 1e-6
        known = own.recommend_new(small_ratings[:3], k=3).scores
        np.testing.assert_allclose(
            known, named.recommend_new(small_ratings[:3], k=3).scores, rtol=1e-5
        )


def test_slope_one_by_hand():
    R = np.array([[5.0, 3, 2], [3, 4, 0], [0, 2, 5]])
    # dev(0, 1) = ((5-3) + (3-4)) / 2 = .5 and dev(0, 2) = 5 - 2 = 3; user 2 has mean 3.5
    model = SlopeOne(clip=False).fit(R)
    assert model.predict(2, 0).tolist() == [3.5 + (0.5 + 3) / 2]
    assert SlopeOne().fit(R).predict(2, 0).tolist() == [5.0]
    fold = model.recommend_new(np.array([[0.0, 2, 0]]), k=3)
    assert fold.indices.tolist() == [[2, 0, -1]]  # dev(2, 1) = ((2-3) + (5-2)) / 2 = 1


class TestPopularity:
    x = Interactions.from_arrays(
        [1, 2, 3, 1, 2, 3, 4, 4],
        list("aaabbcda"),
        [1, 1, 1, 9, 2, 4, 8, 1],
        [1, 1, 1, 5, 5, 9, 9, 2],
    )

    def test_by(self):
        for by, best in (("count", "a"), ("sum", "b"), ("mean", "d")):
            lists = Popularity(by=by).fit(self.x).recommend([1], k=1, exclude_seen=False)
            assert lists.ids.tolist() == [[best]]

    def test_window(self):
        model = Popularity(start=5, end=9).fit(self.x)
        lists = model.recommend([3, 1], k=2)
        assert lists.ids.tolist() == [["b", None], [None, None]]
        assert model.predict([1], ["a"]).tolist() == [-np.inf]

    def test_dates(self):
        times = np.array(["2024-01-01", "2024-02-01"], dtype="M8[D]")
        x = Interactions.from_arrays([1, 2], ["old", "new"], times=times)
        model = Popularity(start="2024-01-15").fit(x)
        assert model.recommend([1], k=2).ids.tolist() == [["new", None]]

    def test_categories(self):
        lists = Popularity().fit(self.x).top_by_category(["food", "food", "drink", "drink"], k=3)
        assert lists.queries.tolist() == ["drink", "food"]
        assert lists.ids.tolist() == [["c", "d", None], ["a", "b", None]]
        with pytest.raises(ValueError, match="each of the 4 items"):
            Popularity().fit(self.x).top_by_category(["food"])

    def test_against_sorting(self, rng):
        X = sp.random_array((300, 50), density=0.4, random_state=rng, format="csr")
        lists = Popularity().fit(X).recommend(k=20, exclude=[3, 4])
        count = (X != 0).sum(axis=0)
        for user in range(300):
            left = np.setdiff1d(
                np.arange(50), [*X.indices[X.indptr[user] : X.indptr[user + 1]], 3, 4]
            )
            best = left[np.lexsort((left, -count[left]))][:20]
            np.testing.assert_array_equal(lists.indices[user, : len(best)], best)


@pytest.mark.parametrize("aggregation", ["centered", "zscore"])
def test_ratings_whose_squares_overflow_are_refused(aggregation):
    with pytest.raises(ValueError, match="squares overflow; scale X down"):
        UserKNN(aggregation=aggregation, similarity="pearson_corated").fit(
            np.eye(3) * 1e200 + 1e199
        )


class TestContext:
    def test_old_events_fade(self):
        users, items = [1, 1, 2, 2, 3, 3, 4], list("axaxbya")
        users, items = [*users, 4], [*items, "b"]
        times = [0, 0, 0, 0, 90, 90, 0, 90]
        x = Interactions.from_arrays(users, items, times=times)
        faded = ContextKNN(base=ItemKNN(similarity="dot"), half_life=10).fit(x)
        plain = ContextKNN(base=ItemKNN(similarity="dot")).fit(x)
        assert plain.recommend([4], k=1).ids.tolist() == [["x"]]
        assert faded.recommend([4], k=1).ids.tolist() == [["y"]]

    def test_each_repeated_event_decays_by_its_own_time(self, rng):
        users, items = rng.integers(0, 6, 80), rng.integers(0, 5, 80)
        times = rng.integers(0, 100, 80)
        x = Interactions.from_arrays(users, items, times=times)
        base = ItemKNN(similarity="dot")
        model = ContextKNN(base=base, half_life=10, now=100).fit(x)
        weights = np.zeros((6, 5))
        np.add.at(weights, (users, items), 2.0 ** (-(100 - times) / 10))
        expected = weights.T @ weights
        np.fill_diagonal(expected, 0)
        found = model.models_[None].similarity_.toarray()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    def test_what_is_had_elsewhere_is_seen(self):
        table = {
            "u": [1, 1, 2, 2, 1],
            "i": ["a", "b", "a", "b", "b"],
            "c": ["x", "y", "x", "x", "x"],
        }
        parts = Interactions.by_context(table, context="c", user="u", item="i")
        model = ContextKNN().fit(parts)
        assert model.at("x").recommend([1], k=2).ids.tolist() == [[None, None]]
        assert model.at("x").similar_items(["a"], k=1).ids.tolist() == [["b"]]
        assert model.at("x").explain(2, "a").ids.tolist() == ["b"]
        with pytest.raises(ValueError, match="say which by"):
            model.recommend([1])
        with pytest.raises(KeyError, match="'x', 'y'"):
            model.at("z")
        with pytest.raises(ValueError, match="call fit on everything"):
            model.partial_fit(parts["x"])


def _events(seed, n, low, high):
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 9, n), rng.integers(0, 7, n), rng.integers(1, 5, n).astype(float)
    return (*columns, rng.integers(low, high, n))


@pytest.mark.parametrize("duplicates", ["sum", "max", "last"])
@pytest.mark.parametrize(
    "model",
    [
        Popularity(start=30, end=120),
        Popularity(by="sum", start=60),
        Popularity(by="mean", end=70),
        ContextKNN(base=ItemKNN(similarity="dot"), half_life=20),
        ContextKNN(base=UserKNN(), half_life=20, now=500),
    ],
    ids=repr,
)
def test_each_event_counts_by_its_own_time_after_partial_fit(model, duplicates, tmp_path):
    """Old and new events, in memory and in a file, in several steps: as one fit on all of them."""
    parts = [_events(0, 120, 0, 100), _events(1, 80, 50, 150), _events(2, 60, 150, 200)]
    together = [np.concatenate(columns) for columns in zip(*parts, strict=True)]
    expected = clone(model).fit(Interactions.from_arrays(*together, duplicates=duplicates))
    old, *new = (Interactions.from_arrays(*part, duplicates=duplicates) for part in parts)
    assert old.events is not None
    updated = clone(model).fit(old)
    for part in new:
        updated.save(tmp_path / "model")
        updated = load(tmp_path / "model").partial_fit(part, duplicates=duplicates)
    lists, wanted = updated.recommend(k=7), expected.recommend(k=7)
    np.testing.assert_array_equal(lists.queries, wanted.queries)
    np.testing.assert_array_equal(lists.ids, wanted.ids)
    np.testing.assert_allclose(lists.scores, wanted.scores, rtol=1e-6)


def test_an_update_by_another_rule_keeps_the_other_events():
    """A pair of both parts is one event afterwards; the other pairs keep their events."""
    old = Interactions.from_arrays(list("aab"), list("xxx"), times=[1, 9, 1])
    new = Interactions.from_arrays(["b"], ["x"], [5.0], [9])
    model = Popularity(by="sum", start=5).fit(old)
    assert model.item_scores_.tolist() == [1]  # of a, at 9
    assert model.partial_fit(new, duplicates="last").item_scores_.tolist() == [6]
    other = Interactions.from_arrays(list("cc"), list("xx"), times=[1, 2], duplicates="mean")
    with pytest.raises(ValueError, match="read X with duplicates='sum'"):
        model.partial_fit(other, duplicates="last")


def test_popularity_forgets_users():
    users, items = list("aabbc"), list("xxyxy")
    x = Interactions.from_arrays(users, items, times=[1, 9, 9, 2, 9])
    for model in (Popularity(), Popularity(start=5), Popularity(by="sum")):
        model.fit(x).forget(["b"])
        expected = clone(model).fit(x.subset(users=["a", "c"]))
        np.testing.assert_array_equal(model.item_scores_, expected.item_scores_)
        later = Interactions.from_arrays(["d"], ["y"], times=[8])
        model.partial_fit(later)
        assert model.recommend(["a"], k=1).ids.tolist() == [["y"]]


class TestDefaultSimilarity:
    def test_of_rankings(self, small_ratings):
        bare = ItemKNN(n_neighbors=6).fit(small_ratings)
        named = ItemKNN(
            n_neighbors=6,
            similarity=Similarity("rp3beta", alpha=0.6, beta=0.3),
            weighting="binarize",
            normalize=True,
        )
        assert abs(bare.similarity_ - named.fit(small_ratings).similarity_).max() == 0
        ours, theirs = (m.recommend(k=9) for m in (bare, named))
        np.testing.assert_array_equal(ours.indices, theirs.indices)
        doubled = ItemKNN(n_neighbors=6).fit(2 * small_ratings).recommend(k=9)
        np.testing.assert_array_equal(ours.scores, doubled.scores)

    @pytest.mark.parametrize(
        ("cls", "options"),
        [
            (ItemKNN, {"weighting": "log"}),
            (ItemKNN, {"aggregation": "mean"}),
            (UserKNN, {}),
        ],
    )
    def test_is_cosine_elsewhere(self, cls, options, small_ratings):
        X = small_ratings.astype(float)
        bare, named = (cls(**options, **s).fit(X) for s in ({}, {"similarity": "cosine"}))
        users, items = np.repeat(np.arange(40), 25), np.tile(np.arange(25), 40)
        np.testing.assert_array_equal(bare.predict(users, items), named.predict(users, items))

    def test_sees_the_decay_of_a_context(self):
        x = Interactions.from_arrays([1, 1, 2, 2, 3], [1, 2, 1, 3, 1], times=[0, 1, 50, 90, 99])
        for base in ("item", ItemKNN()):
            model = ContextKNN(base=base, half_life=10).fit(x)
            assert model.models_[None].similarity == "cosine"
