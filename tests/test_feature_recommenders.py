"""The contract of every recommender that uses features of items or users."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from aimass_core import (
    BPR,
    ColdStart,
    ContentBased,
    FactorizationMachine,
    FeatureRecommender,
    Features,
    FeatureTable,
    HybridALS,
    HybridBPR,
    HybridSampledSoftmax,
    HybridWARP,
    Interactions,
    ItemKNN,
    Popularity,
    TwoTower,
    VectorMap,
    load,
    register,
)
from aimass_core.base import registry
from aimass_core.base.arguments import unknown_argument
from aimass_core.retrieval import AudienceIndex, audience, recommend_blocks

N_USERS, N_ITEMS, N_NEW = 36, 24, 6
GENRES = np.array(["drama", "crime", "comedy"])


@register("test-by-features")
class ByFeatures(FeatureRecommender):
    """Scores by the features that a user's items, and the user, have in common with an item."""

    uses_item_features = True
    uses_user_features = True

    def __init__(self, *, weight: float = 1.0):
        self.weight = weight

    def score(self, query):
        """Return inner products of tastes and items."""
        known = self.item_features_
        if known is None:
            return np.tile(self.item_counts_.astype(float), (len(query), 1))
        items = known if query.item_features is None else query.item_features
        scores = (query.profiles[:, : self.n_items] @ known @ items.T).toarray().astype(float)
        if query.user_features is not None:
            own = np.asarray(query.user_features.sum(axis=1)).reshape(-1, 1)
            scores += self.weight * own * np.arange(1, scores.shape[1] + 1)
        return scores


STEPS = {"n_factors": 4, "max_iter": 60}
FEATURED = [
    ByFeatures(),
    ContentBased(),
    FactorizationMachine(n_factors=4, n_negatives=3),
    VectorMap(n_factors=4),
    HybridALS(n_factors=4, regularization=0.1),
    HybridBPR(**STEPS),
    HybridSampledSoftmax(**STEPS, n_negatives=12),
    HybridWARP(**STEPS),
    TwoTower(n_factors=8, n_hidden=8, max_iter=150, learning_rate=0.02, id_dropout=0.5),
    ColdStart(model=ItemKNN(n_neighbors=12)),
    ColdStart(model=ByFeatures()),
]

every = pytest.mark.parametrize("model", FEATURED, ids=repr)
of_users = pytest.mark.parametrize("model", [m for m in FEATURED if m.uses_user_features], ids=repr)


def test_every_registered_model_with_features_is_tested():
    missing = {registry.find(n) for n in registry.model_names()} - {type(m) for m in FEATURED}
    assert not {c for c in missing if getattr(c, "uses_item_features", False)}


@pytest.fixture
def interactions(rng):
    """Users who take items of one genre: genre g has the items with number % 3 == g."""
    users = np.repeat(np.arange(N_USERS), 4)
    genres = users % 3
    items = np.concatenate(
        [rng.choice(np.arange(g, N_ITEMS, 3), 4, replace=False) for g in genres[::4]]
    )
    return Interactions.from_arrays(
        [f"user-{u:02}" for u in users], [f"item-{i:02}" for i in items]
    )


def item_table(numbers):
    """Genres and a price of items by number."""
    return {
        "item": [f"item-{i:02}" for i in numbers],
        "genre": GENRES[np.array(numbers) % 3].tolist(),
        "tags": [["all", f"t{i % 3}"] for i in numbers],
        "year": [2000 + i % 7 for i in numbers],
    }


def user_table(numbers):
    """Favourite genres of users by number."""
    return {
        "user": [f"user-{u:02}" for u in numbers],
        "likes": GENRES[np.array(numbers) % 3].tolist(),
    }


ITEMS = item_table(range(N_ITEMS))
NEW = item_table(range(N_ITEMS, N_ITEMS + N_NEW))
USERS = user_table(range(N_USERS))


def fitted(model, X, **features):
    """Return a copy fitted with the features that the model uses."""
    given = {"item_features": ITEMS, "user_features": USERS, **features}
    used = {n: f for n, f in given.items() if getattr(model, f"uses_{n}") and f is not None}
    return copy.deepcopy(model).fit(X, **used)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"c": [1] * N_ITEMS, "d": [None] * N_ITEMS}, r"'c' \(one value only\), 'd' \(nulls only"),
        ({"c": [f"x{i}" for i in range(N_ITEMS)]}, r"'c' \(a different value in each row\)\. Give"),
        ({}, "has no column that tells rows apart"),
        (None, "has no rows"),
    ],
)
@every
def test_features_that_tell_nothing_are_refused(model, interactions, columns, message):
    if columns is None:
        given = {"item": [], "c": []}
    elif columns:
        given = {"item": ITEMS["item"], **columns}
    else:
        given = np.zeros((N_ITEMS, 0))
    with pytest.raises(ValueError, match=f"item_features .*{message}"):
        copy.deepcopy(model).fit(interactions, item_features=given)


def same(a, b):
    """Assert that two results have the same bits."""
    np.testing.assert_array_equal(a.ids, b.ids)
    np.testing.assert_array_equal(a.scores, b.scores)


@every
def test_features_are_matched_by_id(model, interactions):
    expected = fitted(model, interactions).recommend(k=5)
    order = np.random.default_rng(1).permutation(N_ITEMS)
    shuffled = item_table(order.tolist())
    same(fitted(model, interactions, item_features=shuffled).recommend(k=5), expected)
    table = Features().fit_transform(ITEMS)
    same(fitted(model, interactions, item_features=table).recommend(k=5), expected)
    for library in ("pandas", "polars"):
        frame = pytest.importorskip(library).DataFrame(ITEMS)
        same(fitted(model, interactions, item_features=frame).recommend(k=5), expected)
    matrix = table.rows_of(interactions.items.ids)
    by_row = fitted(model, interactions, item_features=matrix)
    same(by_row.recommend(k=5), expected)


@every
def test_new_items_are_ranked(model, interactions):
    if not model.uses_item_features:
        pytest.skip("uses features of users only")
    model = fitted(model, interactions)
    users = [f"user-{u:02}" for u in range(6)]
    lists = model.recommend(users, k=4, candidates=NEW["item"], item_features=NEW)
    assert set(lists.ids.ravel()) - {None} <= set(NEW["item"])
    assert (lists.lengths == 4).all()
    own = [f"item-{i:02}" for i in range(N_ITEMS, N_ITEMS + N_NEW)]
    for u, (items, _) in enumerate(lists):
        numbers = [N_ITEMS + own.index(item) for item in items[:2]]
        assert [number % 3 for number in numbers] == [u % 3] * 2  # both of the user's genre
    assert lists.to_dict()["item"][0].startswith("item-")
    one = model.recommend(users, k=1, candidates=NEW["item"][2:3], item_features=item_table([26]))
    every_score = dict(zip(lists.ids[0], lists.scores[0], strict=True))
    if "item-26" in every_score:  # whatever other new items there are
        assert one.scores[0, 0] == every_score["item-26"]
    among_all = model.recommend(users, k=N_ITEMS + N_NEW, item_features=NEW)
    assert set(NEW["item"]) <= set(among_all.ids[0])
    known = model.recommend(users, k=N_ITEMS)
    for row in range(len(users)):
        old = [i for i in among_all.ids[row] if i in set(ITEMS["item"])]
        assert old == [i for i in known.ids[row] if i is not None]
    same(model.recommend(users, k=5), model.recommend(users, k=5, item_features=ITEMS))


@every
def test_pairs_with_new_items_are_predicted(model, interactions):
    if not model.uses_item_features:
        pytest.skip("uses features of users only")
    model = fitted(model, interactions)
    lists = model.recommend(k=N_ITEMS + N_NEW, exclude_seen=False, item_features=NEW)
    users = np.repeat(lists.queries, lists.ids.shape[1])
    items, scores = lists.ids.ravel(), lists.scores.ravel()
    is_listed = np.isfinite(scores)
    users, items, scores = users[is_listed], items[is_listed], scores[is_listed].astype(float)
    if model.predicts_ratings:
        scores = np.clip(scores, *model.rating_range_)
    predicted = model.predict(users, items, item_features=NEW)
    np.testing.assert_allclose(predicted, scores, rtol=1e-4, atol=1e-5)
    is_new = np.isin(items, NEW["item"])
    np.testing.assert_array_equal(predicted[is_new], scores[is_new])
    old = ~is_new
    np.testing.assert_array_equal(predicted[old], model.predict(users[old], items[old]))
    alone = [model.predict(u, i, item_features=NEW)[0] for u, i in zip(users[:40], items[:40])]
    np.testing.assert_array_equal(alone, predicted[:40])
    some = np.random.default_rng(3).choice(len(users), 150)  # users of 1 to about 10 pairs, twice
    again = model.predict(users[some], items[some], item_features=NEW)
    np.testing.assert_array_equal(again, predicted[some])
    counts = f"{N_ITEMS} items of the fit and {N_NEW} new ones of item_features"
    with pytest.raises(KeyError, match=f"'nothing'.* {counts}; give the features of further new"):
        model.predict(users[:2], ["nothing", "item-24"], item_features=NEW)
    with pytest.raises(ValueError, match="equal length"):
        model.predict(users[:3], ["item-01", "item-24"], item_features=NEW)
    with pytest.raises(KeyError, match="item-24"):
        model.predict(users[:1], ["item-24"])
    remedy = "in user_features" if model.uses_user_features else "users of the fit"
    with pytest.raises(KeyError, match=f"'nobody'.*: give .*{remedy}"):
        model.predict(["nobody"], ["item-24"], item_features=NEW)


@every
def test_items_similar_to_new_items(model, interactions):
    if not hasattr(model, "similar_items") or not model.uses_item_features:
        pytest.skip("has no similarity of items")
    model = fitted(model, interactions)
    queries = [*NEW["item"], "item-00"]
    lists = model.similar_items(queries, k=3, item_features=NEW)
    assert lists.queries.tolist() == queries
    for item, (neighbors, _) in zip(queries, lists, strict=True):
        assert item not in neighbors
        assert int(neighbors[0].removeprefix("item-")) % 3 == int(item[-2:]) % 3
    same(model.similar_items(queries[2:3], k=3, item_features=NEW), lists[2:3])
    plain = model.similar_items(["item-00"], k=3)
    same(model.similar_items(["item-00"], k=3, item_features=ITEMS), plain)
    only = model.similar_items(queries[:2], k=9, item_features=NEW, candidates=NEW["item"])
    assert set(only.ids.ravel()) - {None} <= set(NEW["item"])
    with pytest.raises(KeyError, match="'item-24'"):
        model.similar_items(["item-24"])


@every
def test_explanations_of_new_items(model, interactions):
    if not hasattr(model, "explain") or not model.uses_item_features:
        pytest.skip("has no explanations")
    model = fitted(model, interactions)
    for by in ("features", "items"):
        for item in [*NEW["item"], "item-00"]:
            why = model.explain("user-00", item, k=None, by=by, item_features=NEW)
            assert why.of == by
            assert why.offset + why.contributions.sum() == pytest.approx(why.score, abs=1e-6)
            expected = model.predict("user-00", [item], item_features=NEW)
            assert why.score == pytest.approx(expected[0], rel=1e-6)
        known = model.explain("user-00", "item-00", by=by)
        again = model.explain("user-00", "item-00", by=by, item_features=ITEMS)
        assert known.ids.tolist() == again.ids.tolist()
        assert known.contributions.tolist() == again.contributions.tolist()
        with pytest.raises(
            KeyError, match=r"'item-24'.*give the features of further new items in item_features"
        ):
            model.explain("user-00", "item-24", by=by)
        with pytest.raises(
            KeyError, match=r"'none'.*give the features of further new items in item_features"
        ):
            model.explain("user-00", "none", by=by, item_features=NEW)
        with pytest.raises(KeyError, match="unknown user 'nobody'"):
            model.explain("nobody", NEW["item"][0], by=by, item_features=NEW)


@every
def test_similar_items_of_an_item_that_nobody_has(model, interactions):
    if not hasattr(model, "similar_items") or not model.uses_item_features:
        pytest.skip("has no similarity of items")
    ids = interactions.items.ids
    matrix = interactions.matrix.toarray()
    matrix[:, ids == "item-05"] = 0
    table = Features().fit_transform(ITEMS).rows_of(ids)
    model = copy.deepcopy(model).fit(matrix, item_features=table)
    (neighbors,) = model.similar_items(np.flatnonzero(ids == "item-05"), k=2).indices
    assert [int(ids[n].removeprefix("item-")) % 3 for n in neighbors] == [2, 2]


@every
def test_audiences_of_new_items(model, interactions):
    if not hasattr(model, "_items_of_call"):
        copied = fitted(model, interactions)
        with pytest.raises(TypeError, match=r"no factors|does not use item_features"):
            audience(copied, ["item-24"], size=2, item_features=NEW)
        return
    model = fitted(model, interactions)
    items = ["item-24", "item-26", "item-03"]
    chosen = audience(model, items, size=6, item_features=NEW)
    everyone = interactions.users.ids
    for item in items:
        users, scores = chosen.of(item)
        owners = interactions.users.ids[:0]
        if item in interactions.items:
            column = interactions.items.index([item])
            owners = everyone[interactions.matrix[:, column].toarray().ravel() > 0]
        others = np.setdiff1d(everyone, owners)
        predicted = model.predict(others, [item], item_features=NEW)
        best = dict(zip(others, predicted, strict=True))
        assert len(users) == 6
        assert not set(users) & set(owners)
        limit = np.sort(predicted)[-6] - 1e-5
        assert min(best[user] for user in users) >= limit
        if not model.predicts_ratings:
            np.testing.assert_allclose(scores, [best[u] for u in users], rtol=1e-4, atol=1e-5)
    top = audience(model, items[:2], size=N_USERS, in_top_k=3, item_features=NEW)
    lists = model.recommend(k=3, item_features=NEW)
    for item in items[:2]:
        wanted = set(lists.queries[(lists.ids == item).any(axis=1)])
        assert set(top.of(item)[0]) == wanted
    with pytest.raises(TypeError, match="from_model"):
        audience(AudienceIndex.from_model(model), items[:1], size=1, item_features=NEW)
    with pytest.raises(KeyError, match="item-24"):
        audience(model, items, size=2)


@every
def test_the_bits_do_not_depend_on_the_batch(model, interactions):
    model = fitted(model, interactions)
    options = {"item_features": NEW} if model.uses_item_features else {}
    together = model.recommend(k=7, **options)
    for row in range(0, N_USERS, 7):
        alone = model.recommend(together.queries[[row]], k=7, **options)
        np.testing.assert_array_equal(alone.ids[0], together.ids[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])
    for n_threads in (1, 2):
        same(model.recommend(k=7, n_threads=n_threads, **options), together)
    plain = model.recommend(k=5)
    blocks = list(recommend_blocks(model, k=5, block_size=10))
    np.testing.assert_array_equal(np.concatenate([b.scores for b in blocks]), plain.scores)


@every
def test_files_keep_the_features(model, interactions, tmp_path):
    model = fitted(model, interactions)
    options = {"item_features": NEW} if model.uses_item_features else {}
    model.save(tmp_path / "model")
    same(load(tmp_path / "model").recommend(k=6, **options), model.recommend(k=6, **options))
    if model._requires_training():
        return
    model.save(tmp_path / "bare", training=False)
    bare = load(tmp_path / "bare")
    assert bare.user_features_ is None
    new = interactions.subset(users=["user-03"])
    same(bare.recommend_new(new, k=6, **options), model.recommend_new(new, k=6, **options))


@every
def test_items_without_features_and_rows_without_items(model, interactions):
    if not model.uses_item_features:
        pytest.skip("uses features of users only")
    some = item_table(range(0, N_ITEMS + N_NEW, 2))
    model = fitted(model, interactions, item_features=some)
    has_features = np.diff(model.item_features_.indptr) > 0
    numbers = np.array([int(i.removeprefix("item-")) for i in model.items_.ids])
    np.testing.assert_array_equal(has_features, numbers % 2 == 0)
    assert np.isfinite(model.recommend(k=3).scores[:, 0]).any()


@every
def test_wrong_features(model, interactions):
    names = [n for n in ("item", "user") if getattr(model, f"uses_{n}_features")]
    for name in names:
        argument = f"{name}_features"
        with pytest.raises(ValueError, match="none of its 2 ids"):
            fitted(model, interactions, **{argument: {name: ["x", "y"], "a": [1, 2]}})
        with pytest.raises(ValueError, match=f"{argument} has 3 rows"):
            fitted(model, interactions, **{argument: np.eye(3)})
        with pytest.raises(ValueError, match="more than once"):
            fitted(model, interactions, **{argument: {name: ["x", "x"], "a": [1, 2]}})
        with pytest.raises(TypeError):
            fitted(model, interactions, **{argument: 7})
    before = fitted(model, interactions)
    answer = before.recommend(k=3)
    with pytest.raises(ValueError, match="none of its 2 ids"):
        before.fit(interactions, **{f"{names[0]}_features": {names[0]: ["x", "y"], "a": [1, 2]}})
    same(before.recommend(k=3), answer)
    if "item" in names:
        with pytest.raises(ValueError, match="no column 'genre'"):
            before.recommend(item_features={"item": ["z"], "year": [2000], "tags": [["all"]]})
        other = FeatureTable(["z"], np.ones((1, 2)))
        with pytest.raises(ValueError, match="2 columns that are not the"):
            before.recommend(item_features=other)
        with pytest.raises(TypeError, match="knows items by id"):
            before.recommend(item_features=before.item_features_[:1])


@every
def test_features_that_are_missing_at_fit(model, interactions):
    if model.needs_features:
        with pytest.raises(TypeError, match=f"needs {model.needs_features[0]}"):
            copy.deepcopy(model).fit(interactions)
        return
    plain = copy.deepcopy(model).fit(interactions)
    assert plain.recommend(k=3).indices.shape == (N_USERS, 3)
    for name in ("item_features", "user_features"):
        if getattr(model, f"uses_{name}"):
            with pytest.raises(ValueError, match=f"fitted without {name}"):
                plain.recommend(**{name: {"item": ["x"], "user": ["y"]}})


@every
def test_new_interactions_bring_new_features(model, interactions):
    model = fitted(model, interactions)
    new = Interactions.from_arrays(["user-99", "user-99"], ["item-00", "item-25"])
    options = {"item_features": NEW} if model.uses_item_features else {}
    if model.uses_user_features:
        options["user_features"] = user_table([99])
    model.partial_fit(new, **options)
    assert "item-25" in model.items_
    if model.uses_item_features:
        assert model.item_features_.shape[0] == model.n_items
        assert (np.diff(model.item_features_.indptr) > 0).all()
        row = model.item_encoder_.transform(item_table([25])).matrix.toarray()
        found = model.item_features_[model.items_.get(["item-25"])].toarray()
        np.testing.assert_array_equal(found, row)
    if model.uses_user_features:
        assert (np.diff(model.user_features_.indptr) > 0).all()
    again = copy.deepcopy(model).partial_fit(Interactions.from_arrays(["user-98"], ["item-01"]))
    assert again.recommend(["user-99"], k=3).indices.shape == (1, 3)


@of_users
def test_new_users_are_served_by_their_features(model, interactions):
    model = fitted(model, interactions)
    new = user_table([36, 37])
    lists = model.recommend_new(None, user_features=new, k=4)
    assert lists.queries.tolist() == new["user"]
    assert (lists.lengths == 4).all()
    same(model.recommend_new(None, user_features=user_table([37]), k=4), lists[1:])
    by_id = model.recommend(["user-03", "user-37"], unknown="popular", user_features=new, k=4)
    np.testing.assert_array_equal(by_id.scores[1], lists.scores[1])
    same(by_id[:1], model.recommend(["user-03"], k=4))
    for unknown in ("error", "skip"):
        same(
            model.recommend(["user-03", "user-37"], unknown=unknown, user_features=new, k=4), by_id
        )
    with pytest.raises(KeyError, match="'nobody'"):
        model.recommend(["user-37", "nobody"], user_features=new)
    skipped = model.recommend(["nobody", "user-37"], unknown="skip", user_features=new, k=4)
    same(skipped, by_id[1:])
    pairs = model.predict(["user-37", "user-37"], lists.ids[1, :2], user_features=new)
    expected = lists.scores[1, :2].astype(float)
    if model.predicts_ratings:
        expected = np.clip(expected, *model.rating_range_)
    np.testing.assert_allclose(pairs, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(KeyError, match=r"'nobody'.* give the features of users .*in user_features"):
        model.predict(["user-37", "nobody"], ["item-01", "item-02"], user_features=new)
    with_history = model.recommend_new(
        interactions.subset(users=["user-03"]), user_features=user_table([3]), k=4
    )
    assert (with_history.lengths == 4).all()
    with pytest.raises(TypeError):
        model.recommend_new(None, k=4)
    kept = model.forget(["user-00"])
    assert kept.n_users == 1
    assert model.user_features_.shape[0] == N_USERS - 1
    expected = fitted(model, interactions).user_features_[1:]
    np.testing.assert_array_equal(model.user_features_.toarray(), expected.toarray())


@every
def test_models_on_matrices(model, interactions):
    if not model.uses_item_features:
        pytest.skip("uses features of users only")
    encoder = Features()
    known = encoder.fit_transform(ITEMS).rows_of(interactions.items.ids)
    new = encoder.transform(NEW).matrix
    users = encoder.fit(ITEMS) and Features().fit_transform(USERS).rows_of(interactions.users.ids)
    model = fitted(model, interactions.matrix, item_features=known, user_features=users)
    lists = model.recommend(
        [0, 1], k=3, candidates=range(N_ITEMS, N_ITEMS + N_NEW), item_features=new
    )
    assert lists.indices.min() >= N_ITEMS
    counts = f"{N_ITEMS} items of the fit and 2 new ones of item_features"
    for wrong in (N_ITEMS + 2, -1):
        with pytest.raises(KeyError, match=f"items holds {wrong}, but there are {counts}: give"):
            model.predict([1, 2], [N_ITEMS, wrong], item_features=new[:2])
    with pytest.raises(TypeError, match="must be a matrix"):
        model.recommend([0], item_features=FeatureTable(["a"], new[:1]))


@of_users
def test_rows_of_a_matrix_of_new_users_are_those_of_the_pairs(model, interactions):
    encoder = Features()
    items = encoder.fit_transform(ITEMS).rows_of(interactions.items.ids)
    users = Features().fit_transform(USERS).rows_of(interactions.users.ids)
    model = fitted(model, interactions.matrix, item_features=items, user_features=users)
    twice = model.predict([N_USERS, N_USERS], [3, 3], user_features=users[:2])
    each = [model.predict([N_USERS], [3], user_features=users[[i]])[0] for i in range(2)]
    np.testing.assert_array_equal(twice, each)


@of_users
def test_negative_numbers_of_users_are_refused(model, interactions):
    encoder = Features()
    items = encoder.fit_transform(ITEMS).rows_of(interactions.items.ids)
    users = Features().fit_transform(USERS).rows_of(interactions.users.ids)
    model = fitted(model, interactions.matrix, item_features=items, user_features=users)
    two = users[:2]
    assert model.predict([1, N_USERS + 5], [3, 3], user_features=two).shape == (2,)
    message = "users holds -5, but numbers of users are at least 0"
    with pytest.raises(KeyError, match=message):
        model.predict([1, -5], [3, 3], user_features=two)
    for unknown in ("error", "popular", "skip"):
        with pytest.raises(KeyError, match=message):
            model.recommend([1, -5], unknown=unknown, user_features=two)


def test_the_methods_that_take_features_are_named():
    class OfOneCall:
        uses_item_features = True

        def recommend(self, item_features=None):
            """Take features."""

        def explain(self):
            """Take none."""

    error = unknown_argument(OfOneCall, "explain", "item_features", [])
    assert str(error).endswith("no argument 'item_features': recommend takes it")
    error = unknown_argument(ContentBased, "explain", "item_features", [])
    assert str(error).endswith("recommend_new and predict and similar_items and explain take it")


def test_models_without_features_name_those_that_use_them(interactions):
    for model in (ItemKNN(), Popularity(), BPR(n_factors=2, max_iter=2)):
        for name in ("item_features", "user_features"):
            message = f"{type(model).__name__} does not use {name}.*ByFeatures"
            with pytest.raises(TypeError, match=message):
                model.fit(interactions, **{name: ITEMS})
            model.fit(interactions)
            with pytest.raises(TypeError, match=message):
                model.recommend(**{name: ITEMS})
            with pytest.raises(TypeError, match=message):
                model.recommend_new(interactions, **{name: ITEMS})
