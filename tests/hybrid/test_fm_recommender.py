"""FactorizationMachine as a recommender: features, new users and items, ratings and presence."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import FactorizationMachine, Interactions, load
from aimass_core.base.query import Query

FAST = {"n_factors": 3, "max_iter": 60, "n_draws": 10, "n_threads": 1}


@pytest.fixture(scope="module")
def tastes():
    """Users of two regions, who like one of two kinds of items each."""
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 40, 500), rng.integers(0, 30, 500)
    ratings = 3.0 + np.where((users + items) % 2 == 0, 1.5, -1.5) + rng.normal(0, 0.3, 500)
    x = Interactions.from_arrays(users, items, ratings, duplicates="last")
    kinds = {"item": np.arange(30), "kind": ["tea", "nut"] * 15}
    regions = {"user": np.arange(40), "region": ["north", "south"] * 20}
    return x, kinds, regions


@pytest.fixture(scope="module")
def model(tastes):
    x, kinds, regions = tastes
    return FactorizationMachine(**FAST).fit(x, item_features=kinds, user_features=regions)


def test_new_items_are_ranked_by_their_features(model):
    new = {"item": [98, 99], "kind": ["tea", "nut"]}
    lists = model.recommend([0, 1], k=1, item_features=new, candidates=[98, 99])
    assert lists.ids.tolist() == [[98], [99]]
    mixed = model.recommend([0], k=40, item_features=new, exclude_seen=False)
    assert mixed.lengths.tolist() == [32]
    assert {98, 99} <= set(mixed.ids[0])


def test_new_users_are_known_by_features_or_by_history(model):
    by_features = model.recommend_new(
        None, user_features={"user": ["x", "y"], "region": ["north", "south"]}, k=5
    )
    assert {int(i) % 2 for i in by_features.ids[0]} == {0}
    assert {int(i) % 2 for i in by_features.ids[1]} == {1}
    history = Interactions.from_arrays(["z"] * 4, [1, 3, 2, 4], [5.0, 5.0, 1.0, 1.0])
    by_history = model.recommend_new(history, k=3)
    assert {int(i) % 2 for i in by_history.ids[0]} == {1}


def test_lists_are_those_of_the_scores(model):
    lists = model.recommend([3], k=4, exclude_seen=False)
    query = Query(model.user_items_[[3]], np.array([3]), k=4, n_threads=1)
    scores = model.score(query)[0]
    np.testing.assert_allclose(lists.scores[0], np.sort(scores)[::-1][:4], rtol=1e-5)
    ids = lists.ids[0]
    expected = np.clip(lists.scores[0], *model.rating_range_)
    np.testing.assert_allclose(model.predict([3] * 4, ids), expected, rtol=1e-5)


def test_features_help_with_few_ratings(tastes):
    x, kinds, regions = tastes
    few = x.keep_entries(np.random.default_rng(1).random(x.matrix.nnz) < 0.3)
    held = x.matrix - few.matrix if few.matrix.shape == x.matrix.shape else None
    assert held is not None
    rows, columns = held.nonzero()
    pairs = x.users.ids[rows], x.items.ids[columns]
    truth = np.asarray(x.matrix[rows, columns]).ravel()
    errors = []
    for features in ({}, {"item_features": kinds, "user_features": regions}):
        fitted = FactorizationMachine(**FAST).fit(few, **features)
        errors.append(np.sqrt(np.mean((fitted.predict(*pairs) - truth) ** 2)))
    assert errors[1] < 0.8 * errors[0]


def test_presence_is_learned_with_random_items():
    rng = np.random.default_rng(2)
    users, items = rng.integers(0, 40, 400), rng.integers(0, 15, 400) * 2
    items += users % 2
    x = Interactions.from_arrays(users, items)
    model = FactorizationMachine(**FAST, n_negatives=3).fit(x)
    lists = model.recommend(list(range(40)), k=4)
    is_right = [int(i) % 2 == user % 2 for user, ids in enumerate(lists.ids) for i in ids]
    assert np.mean(is_right) > 0.85  # 0.95 on average over seeds; 0.5 by chance


def test_a_file_keeps_the_features(model, tmp_path):
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    new = {"item": [98, 99], "kind": ["tea", "nut"]}
    for one, other in zip(
        *(m.recommend([0, 5], k=6, item_features=new).to_dict().values() for m in (model, again)),
        strict=True,
    ):
        assert list(one) == list(other)


def test_refused_parameters(tastes):
    with pytest.raises(ValueError, match="hold no 30 draws after n_burn_in=20"):
        FactorizationMachine(max_iter=40, n_draws=30).fit(tastes[0])
    with pytest.raises(ValueError, match=r"rating_scale=.* has no effect with clip=False"):
        FactorizationMachine(**FAST, clip=False, rating_scale=(1, 5)).fit(tastes[0])
