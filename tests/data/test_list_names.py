"""Tables of lists have the column names of the table that the interactions were read from."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import aimass_core
from aimass_core import IdMap, ImplicitALS, Interactions, ItemKNN
from aimass_core.data import split
from aimass_core.retrieval import audience

SHOP = {"who": ["ann", "ann", "bob", "bob", "eve"], "sku": ["x", "y", "y", "z", "x"]}


def shop() -> Interactions:
    return Interactions.from_table(SHOP, user="who", item="sku")


def test_lists_repeat_the_names_of_the_columns(tmp_path: Path) -> None:
    model = ItemKNN().fit(shop())
    assert list(model.recommend().to_dict()) == ["who", "sku", "rank", "score"]
    model.save(tmp_path / "model")
    loaded = aimass_core.load(tmp_path / "model")
    assert list(loaded.recommend().to_dict()) == ["who", "sku", "rank", "score"]
    new = Interactions.from_table({"u": ["kim"], "i": ["x"]}, user="u", item="i")
    assert list(loaded.partial_fit(new).recommend().to_dict())[:2] == ["who", "sku"]


def test_names_outlive_splits_files_and_pickles(tmp_path: Path) -> None:
    x = shop()
    parts = split.random(x, test_size=0.4, random_state=0)
    assert (parts.train.users.name, parts.test.items.name) == ("who", "sku")
    assert pickle.loads(pickle.dumps(x)).users.name == "who"
    x.save(tmp_path / "x")
    assert aimass_core.load(tmp_path / "x").items.name == "sku"
    assert x.users.take(np.array([1])).name == "who"
    assert x.users.extend(["zoe"])[0].name == "who"


def test_a_name_makes_no_difference_between_maps() -> None:
    x = shop()
    assert x.users == x.users.named(None)
    assert IdMap.from_values(["a"])[0].name is None


def test_names_that_clash_are_not_used() -> None:
    x = Interactions.from_table({"rank": ["a"], "sku": ["x"]}, user="rank", item="sku")
    assert list(ItemKNN().fit(x).recommend().to_dict())[:2] == ["user", "item"]
    same = Interactions.from_table({"a": ["a"], "b": ["x"]}, user="a", item="b")
    same.items = same.items.named("a")
    assert list(ItemKNN().fit(same).recommend().to_dict())[:2] == ["user", "item"]


def test_interactions_from_arrays_have_plain_names() -> None:
    x = Interactions.from_arrays(["a", "b"], ["x", "y"])
    assert list(ItemKNN().fit(x).recommend().to_dict())[:2] == ["user", "item"]


def test_audiences_repeat_the_names_of_the_columns() -> None:
    model = ImplicitALS(n_factors=2, random_state=0).fit(shop())
    assert list(audience(model, ["x"], size=1).to_dict()) == ["sku", "who", "rank", "score"]


def test_exports_repeat_the_names_of_the_columns() -> None:
    x = shop()
    assert x.to_pandas().columns.tolist() == ["who", "sku", "value"]
    assert x.to_polars().columns == x.to_arrow().column_names == ["who", "sku", "value"]
    assert x.to_pandas(user="customer").columns.tolist() == ["customer", "sku", "value"]
    by_array = Interactions.from_arrays([1], [2])
    assert by_array.to_pandas().columns.tolist() == ["user", "item", "value"]
    table = {"value": ["ann"], "sku": ["x"]}
    with pytest.raises(ValueError, match="two columns would be called 'value': pass user="):
        Interactions.from_table(table, user="value", item="sku").to_pandas()
