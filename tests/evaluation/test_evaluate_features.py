"""`evaluate` with features: cold items, cold users, and items that train does not number."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import ColdStart, FeatureRecommender, Interactions, ItemKNN, Popularity
from aimass_core.data import split
from aimass_core.evaluation import evaluate


class ByFeatures(FeatureRecommender):
    """Scores by features in common."""

    uses_item_features = True
    uses_user_features = True
    needs_history = False

    def __init__(self):
        pass

    def score(self, query):
        known = self.item_features_
        items = known if query.item_features is None else query.item_features
        profiles = query.profiles[:, : self.n_items]
        tastes = profiles @ known
        if query.user_features is not None:
            both = self.user_features_.T @ self.user_items_ @ known
            tastes = tastes + 0.01 * (query.user_features @ both)
        return (tastes @ items.T).toarray().astype(float)


@pytest.fixture
def data(rng):
    users = np.repeat(np.arange(60), 6)
    items = np.concatenate(
        [rng.choice(np.arange(u % 3, 45, 3), 6, replace=False) for u in range(60)]
    )
    return Interactions.from_arrays(users, items)


ITEMS = {"item": list(range(50)), "genre": [f"g{i % 3}" for i in range(50)]}
USERS = {"user": list(range(70)), "likes": [f"g{i % 3}" for i in range(70)]}


def test_cold_items(data):
    part = split.cold_items(data, random_state=0)
    held_out = np.flatnonzero(np.bincount(part.test.matrix.indices, minlength=45))
    assert not np.isin(part.train.matrix.indices, held_out).any()
    models = {
        "features": ByFeatures(),
        "genre": ColdStart(model=Popularity()),
        "knn": ItemKNN(),
    }
    table = evaluate(models, part, metrics="recall", k=5, item_features=ITEMS, candidates="new")
    assert table["features"]["recall@5"] > 0.9
    assert table["knn"]["recall@5"] == 0.0
    by_genre = evaluate(
        ColdStart(), part, metrics="recall", k=5, item_features=ITEMS, candidates="new"
    )
    assert by_genre["ColdStart"]["recall@5"] > 0.9
    without = evaluate(ItemKNN(), part, metrics="recall", k=5, candidates="new")
    assert without["ItemKNN"]["recall@5"] == 0.0


def test_items_that_train_does_not_number(data):
    part = split.cold_items(data, random_state=0)
    bare = part.train.drop_empty()
    assert bare.n_items < 45
    pair = (bare, part.test)
    found = evaluate(
        ByFeatures(),
        pair,
        metrics=("recall", "coverage"),
        k=5,
        item_features=ITEMS,
        candidates="new",
    )
    numbered = evaluate(
        ByFeatures(), part, metrics="recall", k=5, item_features=ITEMS, candidates="new"
    )
    assert found["ByFeatures"]["recall@5"] == numbered["ByFeatures"]["recall@5"]
    everything = evaluate(ByFeatures(), pair, metrics="recall", k=45, item_features=ITEMS)
    assert everything["ByFeatures"]["recall@45"] > 0.99


def test_cold_users(data):
    part = split.cold_users(data, random_state=0)
    options = {"metrics": "recall", "k": 15, "user_features": USERS, "fallback": "model"}
    found = evaluate(ByFeatures(), part, item_features=ITEMS, **options)
    assert found["ByFeatures"]["recall@15"] > 0.9
    by_country = evaluate(ColdStart(), part, **options)
    assert by_country["ColdStart"]["recall@15"] > 0.9
    popular = evaluate(Popularity(), part, metrics="recall", k=15, fallback="model")
    assert popular["Popularity"]["recall@15"] < 0.6
    bare = (part.train.drop_empty(), part.test)
    unnumbered = evaluate(ByFeatures(), bare, item_features=ITEMS, **options)
    assert unnumbered["ByFeatures"]["recall@15"] == found["ByFeatures"]["recall@15"]


def test_users_with_a_part_of_their_history(data):
    part = split.strong_generalization(data, random_state=0)
    found = evaluate(
        ByFeatures(), part, metrics="recall", k=15, item_features=ITEMS, user_features=USERS
    )
    assert found["ByFeatures"]["recall@15"] > 0.5


def test_features_of_the_metrics_are_a_table_too(data):
    part = split.random(data, random_state=0)
    found = evaluate(ItemKNN(), part, metrics="diversity", k=5, item_features=ITEMS)
    assert 0 <= found["ItemKNN"]["diversity@5"] <= 1
    with pytest.raises(ValueError, match="candidates must be one of all, new"):
        evaluate(ItemKNN(), part, candidates="cold")


def test_features_that_contain_the_test_part_are_reported(rng, caplog):
    """The sales of new items are those of the test part; a price tells nothing."""
    items = rng.choice(400, size=(300, 12), p=(w := rng.pareto(1.0, 400) + 0.5) / w.sum())
    x = Interactions.from_arrays(np.repeat(np.arange(300), 12), items.ravel(), duplicates="last")
    part = split.cold_items(x, test_size=0.4, random_state=0)
    sales = np.bincount(x.items.to_ids(x.matrix.indices), minlength=400)
    table = {"item": list(range(400)), "sales": sales, "price": rng.random(400)}
    options = {"metrics": "recall", "k": 5, "candidates": "new", "intervals": False}
    found = evaluate(ByFeatures(), part, item_features=table, **options)
    assert list(found.feature_leaks) == ["item feature 'sales'"]
    assert found.feature_leaks["item feature 'sales'"] == 1.0
    assert found.details()["feature_leaks"] == found.feature_leaks
    assert "the item feature 'sales' alone tells" in str(found)
    assert "item feature 'sales' alone tells the test part (AUC 1.000)" in caplog.text
    folds = evaluate(ByFeatures(), [part, part], item_features=table, **options)
    assert folds.feature_leaks == found.feature_leaks
    del table["sales"]
    without = evaluate(ByFeatures(), part, item_features=table, **options)
    assert without.feature_leaks == {}


def test_features_of_users_and_of_rows_without_ids_are_checked(rng):
    values = rng.random((90, 60)) < rng.uniform(0.05, 0.9, 90)[:, None]
    x = Interactions.from_csr(values.astype(np.float32))
    part = split.per_user(x, test_size=0.5, random_state=0)
    counts = np.diff(part.test.matrix.indptr)[:, None]
    features = np.hstack([counts, rng.random((90, 2))])
    found = evaluate(
        ByFeatures(),
        (part.train.matrix, part.test.matrix),
        metrics="recall",
        item_features=np.eye(60),
        user_features=features,
        intervals=False,
    )
    assert found.feature_leaks == {"user feature '0'": 1.0}
    order = rng.permutation(90)  # rows of a table are named, in any order
    table = {"user": order, "bought": features[order, 0], "age": features[order, 1]}
    found = evaluate(
        ByFeatures(),
        (part.train.matrix, part.test.matrix),
        metrics="recall",
        item_features=np.eye(60),
        user_features=table,
        intervals=False,
    )
    assert found.feature_leaks == {"user feature 'bought'": 1.0}


def test_few_rows_are_not_checked_for_leaks(data):
    """Of many features one always tells a handful of items apart."""
    part = split.cold_items(data, random_state=0)
    counts = np.bincount(part.test.matrix.indices, minlength=45)
    sales = {"item": part.test.items.ids, "sales": counts}
    found = evaluate(
        ByFeatures(), part, metrics="recall", k=5, item_features=sales, candidates="new"
    )
    assert found.feature_leaks == {}


def test_cold_splits(data):
    for name, count in (("cold_items", 45), ("cold_users", 60)):
        part = getattr(split, name)(data, test_size=0.25, random_state=1)
        assert part.train.nnz + part.test.nnz == data.nnz
        codes = part.test.matrix.indices if name == "cold_items" else part.test.row_indices()
        assert len(set(codes.tolist())) == round(0.25 * count)
        with pytest.raises(ValueError, match="test_size"):
            getattr(split, name)(data, test_size=1.0)
        with pytest.raises(ValueError, match="needs two of them"):
            getattr(split, name)(Interactions.from_csr([[1.0]]))
