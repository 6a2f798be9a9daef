"""Ids and arguments as callers give them: other types, other collections, other positions."""

from __future__ import annotations

import datetime
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aimass_core import BaselineOnly, Interactions, ItemKNN
from aimass_core.exceptions import NotFittedError

X = Interactions.from_arrays([1, 1, 2, 2, 3], ["a", "b", "b", "c", "a"])
BY_TEXT = Interactions.from_arrays(["1", "1", "2", "2", "3"], [10, 20, 20, 30, 10])


@pytest.fixture(scope="module")
def model() -> ItemKNN:
    return ItemKNN().fit(X)


@pytest.mark.parametrize("unknown", ["popular", "skip"])
def test_a_known_id_of_another_type_is_no_stranger(model: ItemKNN, unknown: str) -> None:
    with pytest.raises(TypeError, match=r"users holds '1' of type str, .* 1 among them"):
        model.recommend(["1"], unknown=unknown)
    with pytest.raises(TypeError, match=r"users holds 2 of type int, .* '2' among them"):
        ItemKNN().fit(BY_TEXT).recommend([2], unknown=unknown)
    with pytest.raises(TypeError, match=r"users holds 2\.0 of type float, .* '2' among them"):
        ItemKNN().fit(BY_TEXT).recommend([2.0], unknown=unknown)
    lists = model.recommend(["eve"], unknown=unknown, k=1)
    assert lists.queries.tolist() == (["eve"] if unknown == "popular" else [])


def test_known_ids_of_another_type_in_errors_and_baskets(model: ItemKNN) -> None:
    with pytest.raises(KeyError, match="of kind 'int', among them 1 of type int"):
        model.recommend(["1"])
    basket = Interactions.from_arrays(["new"], ["10"])
    with pytest.raises(TypeError, match="user_items holds '10' of type str"):
        ItemKNN().fit(BY_TEXT).recommend_new(basket)
    with pytest.raises(TypeError, match="exclude has keys such as '1' of type str"):
        model.recommend([1], exclude={"1": ["c"]})
    assert model.recommend([1], exclude={9: ["c"]}).ids[0, 0] == "c"


def test_parse_gives_an_id_the_type_of_the_known_ones() -> None:
    def parsed(ids: Any, text: Any) -> Any:
        return Interactions.from_arrays(ids, ["a"] * len(ids)).users.parse(text)

    assert parsed([7, 8], "7") == 7
    assert parsed([7, 8], "007") == "007"
    assert parsed([7, 8], "eve") == "eve"
    assert parsed([7, 8], 7) == 7
    assert parsed([0.5, 1.0], "1.0") == 1.0
    assert parsed(["7"], "7") == "7"
    assert parsed([b"7"], "7") == b"7"
    assert parsed(np.array(["2024-01-31"], "M8[D]"), "2024-01-31") == np.datetime64("2024-01-31")
    assert parsed(np.array(["2024-01-31"], "M8[D]"), "never") == "never"
    assert parsed([2**64 - 1, 1], str(2**64 - 1)) == 2**64 - 1
    dates = np.array(["2024-01-31"], "M8[D]")
    for ids, text in (
        ([7, 8], "9" * 30),
        ([7, 8], "9" * 5000),
        ([7, 8], "-0"),
        ([7, 8], "1_0"),
        ([0.5, 7000.0], "7_000"),
        ([0.5, 7000.0], " 7000"),
        ([0.5, 7000.0], "nan"),
        (dates, "now"),
        (dates, ""),
    ):
        assert parsed(ids, text) == text
        assert text not in Interactions.from_arrays(ids, ["a"] * len(ids)).users


@pytest.mark.parametrize("unknown", ["error", "popular", "skip"])
def test_users_in_any_collection(model: ItemKNN, unknown: str) -> None:
    pd = pytest.importorskip("pandas")
    for users in ({1: 0, 2: 0}.keys(), (user for user in (1, 2)), range(1, 3), pd.Series([1, 2])):
        lists = model.recommend(users, k=1, unknown=unknown)
        assert lists.ids.tolist() == [["c"], ["a"]]
    assert sorted(model.similar_items({"a", "b"}, k=1).queries.tolist()) == ["a", "b"]


def test_known_users_keep_the_type_of_the_fit(model: ItemKNN) -> None:
    assert repr(model.recommend([1.0, 9.0], k=1, unknown="popular").queries.tolist()) == "[1, 9]"
    assert model.recommend([1.0, np.nan], k=1, unknown="popular").queries.tolist() == [1, None]
    assert repr(model.recommend([1.0], k=1, unknown="popular").queries.tolist()) == "[1]"


def test_known_dates_among_unknown_ones_stay_dates() -> None:
    days = np.array(["2024-01-31", "2024-02-01"], "M8[ns]")
    model = ItemKNN().fit(Interactions.from_arrays(days, ["a", "b"]))
    given = [datetime.datetime(2024, 1, 31), datetime.datetime(2025, 1, 1)]
    queries = model.recommend(given, k=1, unknown="popular").queries
    assert queries.tolist() == [days[0], given[1]]


def test_many_unknown_users_are_listed_once(model: ItemKNN) -> None:
    class Users(list):  # type: ignore[type-arg]
        n_listed = 0

        def __iter__(self) -> Any:
            Users.n_listed += 1
            return super().__iter__()

    users = Users(range(100, 400))
    assert len(model.recommend(users, k=1, unknown="popular")) == 300
    assert Users.n_listed < 10


def test_a_table_is_no_list_of_ids(model: ItemKNN) -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"user": [1, 2], "item": ["a", "b"]})
    with pytest.raises(TypeError, match=r"got a table: pass its column, such as table\['user'\]"):
        model.recommend(table, k=1)
    with pytest.raises(TypeError, match="got a table"):
        model.similar_items(table[["item"]], k=1)


def test_arguments_by_position(model: ItemKNN) -> None:
    with pytest.raises(TypeError, match=r"pass csr_array by name, .* others go to recommend_new"):
        model.recommend(1, X.matrix[[0]])  # type: ignore[misc]
    with pytest.raises(TypeError, match=r"ItemKNN\(\) takes fewer .*: pass 5 by name, one of n_ne"):
        ItemKNN(5)  # type: ignore[misc]


def test_methods_of_other_libraries_and_models(model: ItemKNN) -> None:
    for name, message in (
        ("similar_users", "'ItemKNN' object has no attribute 'similar_users': factor models, Use"),
        ("transform", "FactorFeatures"),
        ("partial_fit_users", r"call partial_fit\(new_interactions\)"),
        ("nonsense", "'ItemKNN' object has no attribute 'nonsense'$"),
    ):
        assert not hasattr(model, name)
        with pytest.raises(AttributeError, match=message):
            getattr(model, name)
    assert pickle.loads(pickle.dumps(model)).recommend([1], k=1).ids.tolist() == [["c"]]


def test_a_model_is_saved_in_a_folder_that_exists(model: ItemKNN, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere': make it first"):
        model.save(tmp_path / "nowhere" / "model")
    with pytest.raises(IsADirectoryError, match="is a folder: give a file name"):
        model.save(tmp_path)


def test_a_table_as_a_filter(model: ItemKNN) -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"pass its column of ids, exclude=table\['item'\]"):
        model.recommend([1], exclude=pd.DataFrame({"item": ["c"]}))
    with pytest.raises(TypeError, match=r"pass its column of ids, exclude=table\['item_id'\]"):
        model.recommend([1], exclude=pd.DataFrame({"price": [1.0], "item_id": ["c"]}))
    with pytest.raises(TypeError, match=r"from_table\(table, user='user', item='item'\)"):
        model.recommend([1], exclude=pd.DataFrame({"user": [1], "item": ["c"]}))
    with pytest.raises(TypeError, match=r"pass its ids, such as exclude=lists\.ids"):
        model.recommend([1], exclude=model.recommend([2], k=1))


def test_what_is_no_matrix() -> None:
    pd = pytest.importorskip("pandas")
    model = ItemKNN()
    for given, message in (
        ("events.csv", r"from_table\(path, user=\.\.\., item=\.\.\.\) reads a file"),
        (Path("events.csv"), "reads a file"),
        ({"user": [1], "item": [2]}, r"from_table\(columns, .*\) reads a dictionary of columns"),
        (None, "got None"),
        ([("ann", "tea")], r"dtype <U3: ids go to Interactions\.from_arrays\(users, items\)"),
        (pd.Series([1, 2]), r"X is one column \(Series\)"),
        (np.array([(1, 2)], dtype=[("user", "i4"), ("item", "i4")]), "columns user, item: read it"),
    ):
        with pytest.raises(TypeError, match=message):
            model.fit(given)
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="columns user, item: read it"):
        model.fit(polars.DataFrame({"user": [1], "item": [2]}).lazy())
    with pytest.raises(NotFittedError):
        model.recommend([1])


def test_an_array_of_pairs_is_warned_of() -> None:
    pairs = np.stack([np.arange(30), np.arange(30) * 7 % 11], axis=1)
    with pytest.warns(UserWarning, match="30 users x 2 items: rows of a user and an item go to"):
        ItemKNN().fit(pairs)
    ItemKNN().fit(pairs.astype(np.float32))


def test_score_is_not_that_of_scikit_learn(model: ItemKNN) -> None:
    with pytest.raises(TypeError, match=r"ItemKNN\.score takes a Query, got csr_array: in scikit"):
        model.score(X.matrix)  # type: ignore[arg-type]
    ratings = BaselineOnly().fit(X)
    with pytest.raises(TypeError, match="wrap a model of ratings in RatingRegressor"):
        ratings.score([[1, 2]], [3.0])  # type: ignore[arg-type,call-arg]


def test_warnings_point_to_the_call(model: ItemKNN) -> None:
    basket = Interactions.from_arrays(["new", "new"], ["a", "not sold"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.recommend_new(basket)
    assert [Path(one.filename).name for one in caught] == [Path(__file__).name]
