"""`ColdStart`: which source each list has, and what it holds then."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import ColdStart, Interactions, ItemKNN, Popularity

X = Interactions.from_arrays(
    ["ann", "ann", "bob", "eve", "eve", "kai", "kai"],
    ["tea", "pie", "ale", "ale", "gin", "tea", "ale"],
)
USERS = {"user": ["ann", "bob", "eve", "kai"], "country": ["GB", "DE", "DE", "FR"]}
ITEMS = {"item": ["tea", "pie", "ale", "gin"], "genre": ["hot", "food", "cold", "cold"]}


def test_sources_in_their_order():
    model = ColdStart().fit(X, user_features=USERS)
    new = {"user": ["kim", "lee", "zoe"], "country": ["DE", None, "XX"]}
    lists = model.recommend(["ann", "kim", "lee", "zoe"], unknown="popular", user_features=new, k=3)
    assert lists.reasons.tolist() == ["history", "popular in country=DE", "popular", "popular"]
    assert lists.ids[1].tolist() == ["ale", "gin", None]
    assert lists.scores[1, :2].tolist() == [2.0, 1.0]
    assert lists.ids[2].tolist() == ["ale", "tea", "gin"]
    plain = ItemKNN().fit(X).recommend(["ann"], k=3)
    np.testing.assert_array_equal(lists.ids[0], plain.ids[0])
    np.testing.assert_array_equal(lists.scores[0], plain.scores[0])
    assert lists[1:2].reasons.tolist() == ["popular in country=DE"]


def test_without_features_there_is_popularity():
    lists = ColdStart().fit(X).recommend(["ann", "zoe"], unknown="popular", k=2)
    assert lists.reasons.tolist() == ["history", "popular"]
    assert (
        lists.ids[1].tolist()
        == Popularity()
        .fit(X)
        .recommend_new(Interactions.from_arrays(["x"], ["pie"]), exclude_seen=False, k=2)
        .ids[0]
        .tolist()
    )


def test_reasons_of_other_models():
    model = ItemKNN().fit(X)
    assert model.recommend(["ann"]).reasons is None
    lists = model.recommend(["ann", "zoe"], unknown="popular")
    assert lists.reasons.tolist() == ["history", "popular"]


def test_new_items_by_their_category():
    model = ColdStart(model=Popularity()).fit(X, item_features=ITEMS)
    new = {"item": ["rum", "jam", "odd"], "genre": ["cold", "food", "rare"]}
    lists = model.recommend(["kai"], candidates=new["item"], item_features=new, k=3)
    counts = {"ale": 3.0, "gin": 1.0, "pie": 1.0, "tea": 2.0}
    expected = {
        "rum": (counts["ale"] + counts["gin"]) / 2,
        "jam": counts["pie"],
        "odd": np.mean(list(counts.values())),
    }
    found = dict(zip(lists.ids[0], lists.scores[0], strict=True))
    assert found == pytest.approx(expected)


def test_wrong_categories():
    with pytest.raises(ValueError, match=r"user_category='contry'.*did you mean 'country'"):
        ColdStart(user_category="contry").fit(X, user_features=USERS)
    with pytest.raises(ValueError, match="needs user_features"):
        ColdStart(user_category="country").fit(X)
    ages = {"user": ["ann", "bob"], "age": [30, 40]}
    with pytest.raises(ValueError, match="no column of categories"):
        ColdStart(user_category="age").fit(X, user_features=ages)
    lists = ColdStart().fit(X, user_features=ages).recommend(["zoe"], unknown="popular")
    assert lists.reasons.tolist() == ["popular"]


def test_forgotten_users_do_not_count():
    model = ColdStart().fit(X, user_features=USERS)
    model.forget(["eve"])
    new = {"user": ["kim"], "country": ["DE"]}
    lists = model.recommend_new(None, user_features=new, k=3)
    assert lists.ids[0].tolist() == ["ale", None, None]
