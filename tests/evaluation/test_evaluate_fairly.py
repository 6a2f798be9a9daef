"""`evaluate` cannot mislead: cold users, other ids, repeats, folds, intervals, usual names."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import (
    BaselineOnly,
    IdMap,
    ImplicitALS,
    Interactions,
    ItemKNN,
    Popularity,
    SlopeOne,
)
from aimass_core import evaluation as ev
from aimass_core.data import split


def top(scores: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-scores, kind="stable")[:k]


# ---- cold users, unknown items -------------------------------------------------------------------


@pytest.fixture
def shop(rng) -> split.Split:
    """A shop with users and items that begin after the cut."""
    n = 2000
    times = np.sort(rng.integers(0, 1000, n))
    users = rng.integers(0, 40 + times // 10, n)
    items = (rng.beta(1, 3, n) * (20 + times // 30)).astype(int)
    return split.temporal(Interactions.from_arrays(users, items, times=times), at=700)


def test_cold_users_are_judged_apart(shop):
    train, test = shop.train.matrix.toarray() > 0, shop.test.matrix.toarray() > 0
    users = np.flatnonzero(test.any(axis=1))
    warm = train[users].any(axis=1)
    assert 20 < (~warm).sum() < len(users) - 20
    counts = train.sum(axis=0)
    recall = []
    for user in users:
        best = top(np.where(train[user], -1.0, counts), 5)
        recall.append(len(set(best) & set(np.flatnonzero(test[user]))) / test[user].sum())
    recall = np.array(recall)
    table = ev.evaluate(Popularity(), shop, metrics=["recall", "coverage"], k=5, per_user=True)
    row = table["Popularity"]
    assert row["recall@5:warm"] == pytest.approx(recall[warm].mean())
    assert row["recall@5"] == pytest.approx(recall.mean())
    np.testing.assert_allclose(table.per_user["Popularity"]["recall@5"], recall)
    np.testing.assert_allclose(
        table.per_user["Popularity"]["recall@5:warm"], np.where(warm, recall, np.nan)
    )
    n_unknown = (test.any(axis=0) & ~train.any(axis=0)).sum()
    assert table.counts == ev.Counts(
        users=len(users),
        cold_users=(~warm).sum(),
        relevant=test.sum(),
        items=test.any(axis=0).sum(),
        unknown_items=n_unknown,
        unknown_relevant=test[:, ~train.any(axis=0)].sum(),
        repeats=0,
    )
    text = str(table)
    assert f"{len(users)} test users, {(~warm).sum()} of them cold (not in train)" in text
    assert f"{n_unknown} of {test.any(axis=0).sum()} relevant items are not in train" in text
    assert table.details()["counts"]["cold_users"] == (~warm).sum()
    assert table.to_pandas().attrs["counts"]["cold_users"] == (~warm).sum()
    assert "cold" in table._repr_html_()


def test_fallbacks_have_names(shop):
    test = shop.test.matrix.toarray() > 0
    users = np.flatnonzero(test.any(axis=1))
    warm = (shop.train.matrix.toarray() > 0)[users].any(axis=1)
    rows = {
        fallback: ev.evaluate(
            {"popular": Popularity(), "knn": ItemKNN()}, shop, k=5, fallback=fallback
        )
        for fallback in ("popular", "empty", "model")
    }
    for table in rows.values():
        for name in ("popular", "knn"):
            assert table[name]["recall@5:warm"] == rows["popular"][name]["recall@5:warm"]
    empty = rows["empty"]["knn"]
    assert empty["recall@5"] == pytest.approx(empty["recall@5:warm"] * warm.mean())
    # A popularity model gives cold users what the fallback gives; kNN has no list for them.
    assert rows["model"]["popular"]["ndcg@5"] == pytest.approx(rows["popular"]["popular"]["ndcg@5"])
    assert rows["model"]["knn"]["ndcg@5"] == pytest.approx(empty["ndcg@5"])
    assert "cold ones with empty lists (fallback)" in str(rows["empty"])
    with pytest.raises(ValueError, match="fallback must be one of popular, empty, model"):
        ev.evaluate(Popularity(), shop, fallback="none")


def test_unknown_items_can_be_left_out(shop):
    known = shop.drop_unknown()
    expected = ev.evaluate(Popularity(), known, k=5)["Popularity"]
    found = ev.evaluate(Popularity(), shop, k=5, unknown_items="drop")
    assert found["Popularity"]["recall@5:warm"] == pytest.approx(expected["recall@5"])
    assert found.counts.unknown_items == ev.evaluate(Popularity(), shop).counts.unknown_items > 0


def test_ratings_of_unknown_users_and_items(rng):
    dense = rng.integers(1, 6, (30, 20)) * (rng.random((30, 20)) < 0.6)
    dense = dense.astype(float)
    x = Interactions.from_csr(dense)
    rows, columns = x.row_indices(), x.matrix.indices
    is_test = (rng.random(x.nnz) < 0.2) | (rows < 3) | (columns < 2)
    parts = split.Split(x.keep_entries(~is_test), x.keep_entries(is_test))
    table = ev.evaluate(BaselineOnly(), parts, metrics=["rmse", "mae"])
    model = BaselineOnly().fit(parts.train)
    error = model.predict(rows[is_test], columns[is_test]) - x.matrix.data[is_test]
    known = (rows[is_test] >= 3) & (columns[is_test] >= 2)
    row = table["BaselineOnly"]
    assert row["rmse:warm"] == pytest.approx(np.sqrt((error[known] ** 2).mean()))
    assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["mae"] == pytest.approx(np.abs(error).mean())
    assert table.intervals["BaselineOnly"]["rmse"].estimate == pytest.approx(row["rmse"])


def test_a_test_part_of_strangers_is_refused(shop):
    strangers = Interactions.from_arrays(["p", "q"], ["x", "y"])
    train = Interactions.from_arrays(["a", "b"], ["x", "y"])
    with pytest.raises(ValueError, match="none of the 2 test users has an entry in train"):
        ev.evaluate(Popularity(), (train, strangers))


# ---- parts with other ids ------------------------------------------------------------------------


def test_parts_are_joined_by_id():
    train = Interactions.from_arrays(["u1", "u1", "u2", "u2", "u3"], list("abbca"))
    test = Interactions.from_arrays(["u2", "u3", "u9"], list("abz"))
    table = ev.evaluate(ItemKNN(), (train, test), metrics=["hr"], k=2)
    assert table["ItemKNN"]["hr@2:warm"] == 1.0
    assert table["ItemKNN"]["hr@2"] == pytest.approx(2 / 3)
    assert (table.counts.cold_users, table.counts.unknown_items) == (1, 1)
    # The same as when the ids of train are used from the start.
    maps = {"user_map": train.users, "item_map": train.items}
    known = Interactions.from_arrays(["u2", "u3"], list("ab"), **maps)
    expected = ev.evaluate(ItemKNN(), (train, known), metrics=["hr"], k=2)
    assert expected["ItemKNN"]["hr@2"] == 1.0


def test_ids_of_another_type_are_refused():
    train = Interactions.from_arrays(["u1", "u2"], list("ab"))
    with pytest.raises(TypeError):
        ev.evaluate(Popularity(), (train, Interactions.from_arrays([1, 2], list("ba"))))
    with pytest.raises(TypeError, match="train has ids and test has none"):
        ev.evaluate(Popularity(), (train, sp.csr_array(np.eye(2))))
    with pytest.raises(TypeError, match="test has ids and train has none"):
        ev.evaluate(Popularity(), (sp.csr_array(np.eye(2)), train))


def test_the_validation_part_of_a_fit_is_joined_by_id():
    train = Interactions.from_arrays(["u1", "u1", "u2", "u2", "u3"], list("abbca"))
    other = Interactions.from_arrays(["u2", "u3", "u9"], list("abz"))
    maps = {"user_map": train.users, "item_map": train.items}
    same = Interactions.from_arrays(["u2", "u3"], list("ab"), **maps)
    scores = [
        ImplicitALS(n_factors=2, max_iter=3, random_state=0).fit(train, validation=part).scores_
        for part in (other, same)
    ]
    assert np.array_equal(*scores)


def test_rating_metrics_of_joined_parts(rng):
    dense = rng.integers(1, 6, (8, 6)).astype(float)
    users, items = np.nonzero(rng.random(dense.shape) < 0.7)
    train = Interactions.from_arrays(users, items, dense[users, items])
    test = Interactions.from_arrays([7, 2, 99], [1, 0, 1], [4.0, 2.0, 5.0])
    new = [p for p in [(7, 1), (2, 0)] if p not in set(zip(users.tolist(), items.tolist()))]
    table = ev.evaluate(SlopeOne(), (train, test), metrics="mae", repeats="include")
    model = SlopeOne().fit(train)
    errors = np.abs(model.predict([7, 2], [1, 0]) - [4.0, 2.0])
    assert table["SlopeOne"]["mae:warm"] == pytest.approx(errors.mean())
    last = abs(train.matrix.data.mean() - 5.0)
    assert table["SlopeOne"]["mae"] == pytest.approx((errors.sum() + last) / 3, rel=1e-6)
    assert table.counts.repeats == 2 - len(new)


# ---- repeats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeats", ["exclude", "include", "only"])
def test_repeats_by_hand(rng, repeats):
    train = (rng.random((40, 12)) < 0.4) * 1.0
    test = (rng.random((40, 12)) < 0.3) * 1.0
    counts = train.sum(axis=0)
    values = []
    for seen, relevant in zip(train > 0, test > 0, strict=True):
        allowed = {"exclude": ~seen, "include": np.ones(12, bool), "only": seen}[repeats]
        relevant = relevant & allowed
        if relevant.any():
            best = [i for i in top(np.where(allowed, counts, -1), 3) if allowed[i]]
            values.append(relevant[best].sum() / relevant.sum())
    parts = (sp.csr_array(train), sp.csr_array(test))
    table = ev.evaluate(Popularity(), parts, metrics="recall", k=3, repeats=repeats)
    assert table["Popularity"]["recall@3"] == pytest.approx(np.mean(values))
    assert table.counts.repeats == ((train > 0) & (test > 0)).sum()
    word = {"exclude": "left out", "include": "counted", "only": "the only ones"}[repeats]
    assert f"test entries repeat train: {word}" in str(table)


def test_the_rule_of_the_split_is_the_default(rng):
    users, items = rng.integers(0, 10, 300), rng.integers(0, 8, 300)
    x = Interactions.from_arrays(users, items, times=np.arange(300))
    for repeats in ("exclude", "include", "only"):
        parts = split.temporal(x, at=150, repeats=repeats)
        if repeats == "exclude" and not parts.test.nnz:
            continue
        table = ev.evaluate(Popularity(), parts)
        assert table.repeats == repeats
    with pytest.raises(ValueError, match="not both"):
        ev.evaluate(Popularity(), parts, repeats="only", exclude_seen=True)
    same = ev.evaluate(Popularity(), parts, exclude_seen=False)
    assert same.repeats == "include"
    dense = sp.csr_array(np.ones((2, 2)))
    with pytest.raises(ValueError, match="pass repeats='include' to count them"):
        ev.evaluate(Popularity(), (dense, dense))


# ---- metrics -------------------------------------------------------------------------------------


@pytest.fixture
def parts(rng):
    dense = (rng.random((50, 30)) < 0.4) * 1.0
    first = rng.random(dense.shape) < 0.6
    return sp.csr_array(dense * first), sp.csr_array(dense * ~first)


def test_usual_names(parts):
    table = ev.evaluate(
        Popularity(),
        parts,
        metrics=["map", "mrr@3", "hr", "MAP@5", "average_precision", "Hit-Rate@3"],
        k=5,
    )
    row = table["Popularity"]
    assert list(row)[:5] == ["map@5", "mrr@3", "hr@5", "average_precision@5", "hit_rate@3"]
    assert row["map@5"] == row["average_precision@5"]
    lists = Popularity().fit(parts[0]).recommend(k=5)
    assert row["mrr@3"] == pytest.approx(ev.reciprocal_rank(lists, parts[1], k=3))
    assert row["hr@5"] == pytest.approx(ev.hit_rate(lists, parts[1]))
    with pytest.raises(ValueError, match=r"known are hit_rate, .*serendipity.*auc.*map \("):
        ev.evaluate(Popularity(), parts, metrics="mapp")
    with pytest.raises(ValueError, match="auc has no cut-off"):
        ev.evaluate(Popularity(), parts, metrics="auc@5")
    with pytest.raises(TypeError, match="metrics must hold names or functions"):
        ev.evaluate(Popularity(), parts, metrics=[3])


def test_area_under_curve_with_ties(parts):
    train, test = (part.toarray() for part in parts)
    counts = train.sum(axis=0)
    values = []
    for seen, relevant in zip(train > 0, test > 0, strict=True):
        good, bad = counts[relevant & ~seen], counts[~relevant & ~seen]
        if len(good) and len(bad):
            above = (good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean()
            values.append(above)
    table = ev.evaluate(Popularity(), parts, metrics=["auc", "recall@3"], block_size=7)
    assert table["Popularity"]["auc"] == pytest.approx(np.mean(values))


def test_serendipity_and_personalization(parts):
    train, test = (part.toarray() > 0 for part in parts)
    model = ItemKNN(n_neighbors=5)
    lists = model.fit(parts[0]).recommend(k=4).indices
    popular = set(top(train.sum(axis=0), 4))
    values = [
        sum(1 for i in row if i >= 0 and relevant[i] and i not in popular) / 4
        for row, relevant in zip(lists, test, strict=True)
        if relevant.any()
    ]
    table = ev.evaluate(
        model, parts, metrics=["serendipity", "personalization", "user_coverage"], k=4
    )
    assert table["ItemKNN"]["serendipity@4"] == pytest.approx(np.mean(values))
    with_truth = lists[test.any(axis=1)]
    assert table["ItemKNN"]["personalization@4"] == pytest.approx(ev.personalization(with_truth))
    assert table["ItemKNN"]["user_coverage@4"] == ev.user_coverage(with_truth)


def test_diversity_takes_features_by_row_or_by_id(rng, parts):
    features = rng.random((30, 4))
    found = ev.evaluate(ItemKNN(), parts, metrics="diversity", k=4, item_features=features)
    lists = ItemKNN().fit(parts[0]).recommend(k=4)
    has_truth = np.flatnonzero(np.diff(parts[1].indptr))
    expected = ev.diversity(lists.indices[has_truth], features)
    assert found["ItemKNN"]["diversity@4"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="pass item_features="):
        ev.evaluate(ItemKNN(), parts, metrics="diversity")
    with pytest.raises(ValueError, match="has 29 rows, but train has 30 items"):
        ev.evaluate(ItemKNN(), parts, metrics="diversity", item_features=features[:29])
    names = [f"i{n}" for n in range(30)]
    train, test = (Interactions.from_csr(part, users=range(50), items=names) for part in parts)
    order = rng.permutation(30)
    by_id = Interactions.from_csr(
        features[order], users=[names[i] for i in order], items=list("abcd")
    )
    again = ev.evaluate(ItemKNN(), (train, test), metrics="diversity", k=4, item_features=by_id)
    assert again["ItemKNN"]["diversity@4"] == pytest.approx(expected)


def test_novelty_takes_popularity(rng, parts):
    shares = rng.uniform(0.1, 1, 30)
    found = ev.evaluate(Popularity(), parts, metrics="novelty", k=3, popularity=shares)
    lists = Popularity().fit(parts[0]).recommend(k=3).indices
    has_truth = np.flatnonzero(np.diff(parts[1].indptr))
    expected = -np.log2(shares[lists[has_truth]]).mean()
    assert found["Popularity"]["novelty@3"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        ev.evaluate(Popularity(), parts, metrics="novelty", popularity=shares * 0)
    with pytest.raises(ValueError, match="one share for each of the 30 items"):
        ev.evaluate(Popularity(), parts, metrics="novelty", popularity=shares[:3])


def test_models_stay_as_they_are(parts):
    model = ItemKNN(n_neighbors=3)
    ev.evaluate({"m": model}, parts)
    assert not hasattr(model, "similarity_")


# ---- folds ---------------------------------------------------------------------------------------


def test_folds_give_mean_spread_and_rows(rng):
    x = Interactions.from_csr((rng.random((60, 20)) < 0.4) * 1.0)
    folds = list(split.k_fold(x, n_splits=3, random_state=0))
    models = {"popular": Popularity(), "knn": ItemKNN()}
    table = ev.evaluate(models, iter(folds), metrics=["recall", "coverage"], k=4)
    alone = [ev.evaluate(models, fold, metrics=["recall", "coverage"], k=4) for fold in folds]
    for name in models:
        for column in ("recall@4", "coverage@4"):
            values = [one[name][column] for one in alone]
            assert table[name][column] == pytest.approx(np.mean(values))
            assert table.spread[name][column] == pytest.approx(np.std(values, ddof=1))
            assert [f[name][column] for f in table.folds.values()] == values
    # The interval is of the mean of the folds' means, with a user's folds resampled together.
    for name in models:
        interval = table.intervals[name]["recall@4"]
        assert interval.estimate == pytest.approx(table[name]["recall@4"])
        assert interval.n_rows <= 60
    assert table.tests[0].n_rows <= 60
    frame = table.to_pandas(folds=True)
    assert frame.shape[0] == 6
    assert frame["fold"].tolist() == [1, 1, 2, 2, 3, 3]
    assert "Mean ± standard deviation over 3 folds" in str(table)
    assert re.search(r"knn +0\.\d{4} ± 0\.\d{4}", str(table))
    named = ev.evaluate(Popularity(), {"first": folds[0], "second": folds[1]}, k=4)
    assert list(named.folds) == ["first", "second"]
    pairs = ev.evaluate(Popularity(), [(f.train, f.test) for f in folds], k=4)
    assert pairs["Popularity"]["recall@4"] == pytest.approx(table["popular"]["recall@4"])
    with pytest.raises(ValueError, match="at least one fold"):
        ev.evaluate(Popularity(), [])


def test_every_kind_of_fold(rng):
    users, items = rng.integers(0, 30, 900), rng.integers(0, 20, 900)
    x = Interactions.from_arrays(users, items, times=np.arange(900))
    for folds in (
        split.k_fold_per_user(x, n_splits=3, random_state=0),
        split.expanding(x, n_splits=3, repeats="include"),
        split.rolling(x, n_splits=3, window=300, repeats="include"),
        split.k_fold_users(x, n_splits=3, random_state=0),
        split.nested(
            x,
            outer=lambda part: split.k_fold(part, n_splits=2, random_state=0),
            inner=lambda part: split.random(part, random_state=0),
        ),
    ):
        table = ev.evaluate(Popularity(), folds, k=5)
        assert 0 < table["Popularity"]["recall@5"] < 1
        assert len(table.folds) >= 2
    cold = ev.evaluate(Popularity(), split.k_fold_items(x, n_splits=3, random_state=0))
    assert cold["Popularity"]["recall@10"] == 0
    assert cold.counts.unknown_items == cold.counts.items == 20


# ---- intervals -----------------------------------------------------------------------------------


def test_intervals_are_those_of_compare_models(rng, parts):
    models = {"popular": Popularity(), "knn": ItemKNN(n_neighbors=5)}
    table = ev.evaluate(models, parts, k=5, per_user=True, intervals=True, n_resamples=2000)
    expected = ev.compare_models(table.per_user, n_resamples=2000)
    assert table.comparison.to_dict() == expected.to_dict()
    assert table.best("recall@5") == expected.best("recall@5")
    text = str(table)
    assert "95% confidence interval" in text
    interval = table.intervals["knn"]["ndcg@5"]
    assert repr(interval) in text
    assert "Holm correction" in text
    frame = table.to_pandas(intervals=True)
    assert frame.loc["knn", "ndcg@5 lower"] == interval.lower
    json.dumps(table.details())
    html = table._repr_html_()
    assert "<b>" in html
    assert "Bold: best model" in html


def test_intervals_by_default_and_without(parts):
    table = ev.evaluate(Popularity(), parts, metrics=["recall", "coverage"])
    assert "[" in str(table)
    assert list(table.intervals["Popularity"]) == ["recall@10"]
    none = ev.evaluate(Popularity(), parts, intervals=False)
    assert none.comparison is None
    assert none.intervals == {}
    assert "[" not in str(none)
    many = ev.evaluate({str(n): Popularity() for n in range(11)}, parts)
    assert many.comparison is None
    with pytest.raises(ValueError, match="pass intervals=True"):
        many.best("recall@10")
    with pytest.raises(ValueError, match="'coverage@10' has no intervals"):
        table.best("coverage@10")
    with pytest.raises(TypeError, match="intervals must be True or False"):
        ev.evaluate(Popularity(), parts, intervals="yes")
    with pytest.raises(ValueError, match="confidence must be below 1"):
        ev.evaluate(Popularity(), parts, confidence=95)


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        (["coverage@10"], "coverage@10 has no intervals: it is not a mean over users."),
        (
            ["coverage@10", "gini@5"],
            "coverage@10 and gini@5 have no intervals: they are not means over users.",
        ),
    ],
)
def test_metrics_without_values_of_users_have_no_intervals(parts, metrics, reason):
    models = {"popular": Popularity(), "knn": ItemKNN(n_neighbors=5)}
    table = ev.evaluate(models, parts, metrics=metrics, intervals=True)
    assert reason in table.notes()
    assert "two users" not in str(table)
    with pytest.raises(ValueError) as raised:
        table.best(metrics[0])
    assert str(raised.value) == reason
    by_default = ev.evaluate(models, parts, metrics=metrics)
    assert "intervals" not in str(by_default)


def test_rating_intervals_resample_users(rng):
    x = Interactions.from_csr(rng.integers(1, 6, (30, 20)) * (rng.random((30, 20)) < 0.6) * 1.0)
    parts = split.random(x, random_state=0)
    models = {"baseline": BaselineOnly(), "slope": SlopeOne()}
    table = ev.evaluate(models, parts, metrics=["rmse", "mae", "r2"], n_resamples=500)
    assert table.tests[0].n_rows == len(np.unique(parts.test.row_indices()))
    assert set(table.intervals["slope"]) == {"rmse", "mae"}
    assert table.best("rmse")[0] == min(models, key=lambda name: table[name]["rmse"])


def test_one_user_has_no_interval():
    train, test = sp.csr_array([[1.0, 0, 1]]), sp.csr_array([[0, 1.0, 0]])
    table = ev.evaluate(Popularity(), (train, test), k=1)
    assert table.comparison is None
    assert "1 test user, all with" in str(table)


def test_maps_of_ids_are_not_needed_for_equal_parts(parts):
    users, items = IdMap.from_range(50), IdMap.from_range(30)
    train = Interactions(parts[0], users, items)
    mixed = ev.evaluate(Popularity(), (train, parts[1]))
    plain = ev.evaluate(Popularity(), parts)
    assert mixed["Popularity"]["recall@10"] == plain["Popularity"]["recall@10"]


def test_models_that_were_fitted_on_the_test_part_are_named(parts, caplog):
    both = parts[0] + parts[1]
    models = {"fair": Popularity().fit(parts[0]), "leaky": Popularity().fit(both)}
    with caplog.at_level("WARNING", "aimass_core"):
        table = ev.evaluate(models, parts, fit=False)
    assert table.leaks == {"leaky": parts[1].nnz}
    assert f"WARNING: leaky was fitted on {parts[1].nnz} of the test entries" in str(table)
    assert table.details()["leaks"] == table.leaks
    assert "leaky" in caplog.text
    names = [f"u{n}" for n in range(50)]
    train, test = (Interactions.from_csr(p, users=names) for p in parts)
    reversed_ids = Interactions.from_csr(both[::-1], users=names[::-1])
    leaky = ev.evaluate(Popularity().fit(reversed_ids), (train, test), fit=False)
    assert leaky.leaks == {"Popularity": parts[1].nnz}
    with pytest.raises(ValueError, match="fit=False needs a single split"):
        ev.evaluate(models, [parts, parts], fit=False)


def test_tables_and_other_things_are_refused(parts):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 1], "rating": [3.0, 4, 5]})
    x = Interactions.from_csr(parts[0])
    for pair in ((frame, frame), (x, frame), (frame, x)):
        with pytest.raises(TypeError, match=r"Interactions\.from_table\(.*user='user'"):
            ev.evaluate(Popularity(), pair)
    for wrong in (frame, x, parts[0], "file.csv", 5, {1, 2}):
        with pytest.raises(TypeError, match="split must be a Split"):
            ev.evaluate(Popularity(), wrong)
