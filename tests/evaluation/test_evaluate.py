"""`evaluate` on models whose answers are known, in every form of a split."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import Interactions, ItemKNN
from aimass_core import evaluation as ev
from aimass_core.data import split


class Fixed:
    """Recommends by fixed item scores: what `evaluate` asks of a model, and no more."""

    def __init__(self, scores):
        self.scores, self.calls = np.asarray(scores, float), []

    def __deepcopy__(self, memo):  # evaluate fits a copy; the copy notes its calls here
        copy = Fixed(self.scores)
        copy.calls = self.calls
        return copy

    def fit(self, X):
        self.train = sp.csr_array(getattr(X, "matrix", X))
        self.ids = X if hasattr(X, "matrix") else None
        self.calls.append("fit")
        return self

    def _lists(self, seen, k, exclude_seen):
        scores = np.tile(self.scores, (seen.shape[0], 1))
        if exclude_seen:
            scores[seen.toarray() != 0] = -np.inf
        lists = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        lists[np.take_along_axis(scores, lists, 1) == -np.inf] = -1
        return SimpleNamespace(indices=lists)

    def recommend(self, users, *, k, exclude_seen=True, n_threads=None):
        self.calls.append((len(users), k, n_threads))
        rows = users if self.ids is None else self.ids.users.index(users)
        return self._lists(self.train[rows], k, exclude_seen)

    def recommend_new(self, rows, *, k, exclude_seen=True):
        return self._lists(rows, k, exclude_seen)

    def predict(self, users, items):
        assert len(users) == len(items)
        columns = items if self.ids is None else self.ids.items.index(items)
        return self.scores[columns]


@pytest.fixture
def parts(rng):
    dense = rng.integers(1, 6, (50, 30)) * (rng.random((50, 30)) < 0.4)
    first = rng.random(dense.shape) < 0.6
    train, test = dense * first, dense * ~first
    test[::7] = 0
    return sp.csr_array(train.astype(np.float32)), sp.csr_array(test.astype(np.float32))


def test_equals_the_metrics_on_the_models_lists(parts):
    train, test = parts
    model = Fixed(np.arange(30))
    table = ev.evaluate(
        model,
        parts,
        metrics=["recall", "ndcg@3", "coverage", "gini", "novelty", "rmse", "mae"],
        k=[5, 8],
        block_size=7,
        per_user=True,
    )
    rows = np.flatnonzero(np.diff(test.indptr))
    np.testing.assert_array_equal(table.users, rows)
    lists, truth = model.fit(train).recommend(rows, k=8), test[rows]
    row = table["Fixed"]
    assert row["recall@5"] == pytest.approx(ev.recall(lists, truth, k=5), abs=1e-14)
    assert row["recall@8"] == pytest.approx(ev.recall(lists, truth), abs=1e-14)
    assert row["ndcg@3"] == pytest.approx(ev.ndcg(lists, truth, k=3), abs=1e-14)
    assert row["coverage@8"] == ev.coverage(lists, 30)
    assert row["gini@5"] == ev.gini(lists, 30, k=5)
    assert row["novelty@5"] == pytest.approx(ev.novelty(lists, train, k=5))
    assert row["rmse"] == ev.rmse(test.data, model.scores[test.indices])
    assert row["mae"] == ev.mae(test.data, model.scores[test.indices])
    np.testing.assert_array_equal(
        table.per_user["Fixed"]["ndcg@3"], ev.ndcg(lists, truth, k=3, mean=False)
    )
    assert min(row["fit_s"], row["recommend_s"], row["predict_s"]) >= 0
    assert list(row)[-3:] == ["fit_s", "recommend_s", "predict_s"]
    assert max(call[0] for call in model.calls[1:-2]) == 7  # block by block


def test_threshold_marks_the_relevant_items(parts):
    _, test = parts
    good = sp.csr_array(test.toarray() * (test.toarray() >= 4))
    for metric in ("recall@6", "ndcg_graded@6"):
        found = ev.evaluate(Fixed(np.arange(30)), parts, metrics=metric, threshold=4)
        expected = ev.evaluate(Fixed(np.arange(30)), (parts[0], good), metrics=metric)
        assert found["Fixed"][metric] == expected["Fixed"][metric]
        np.testing.assert_array_equal(found.users, expected.users)


def test_models_metrics_and_options(parts):
    def mine(lists, relevant, *, k, mean):
        assert mean is False
        return ev.precision(lists, relevant, k=k, mean=False) * 2

    seen = []
    models = {"up": Fixed(np.arange(30)), "down": Fixed(-np.arange(30))}
    table = ev.evaluate(
        models,
        parts,
        metrics=["precision", mine],
        k=4,
        n_threads=2,
        exclude_seen=False,
        callback=seen.append,
    )
    assert list(table.rows) == ["up", "down"]
    assert len(table) == 2
    for name, model in models.items():
        assert table[name]["mine@4"] == pytest.approx(2 * table[name]["precision@4"])
        assert model.calls[-1][2] == 2
    n = len(table.users)
    assert [(e.stage, e.step, e.n_steps) for e in seen] == [("up", n, n), ("down", n, n)]
    assert seen[0].model.calls.count("fit") == 1
    twice = ev.evaluate([Fixed(np.arange(30)), Fixed(np.arange(30))], parts)
    assert list(twice.rows) == ["Fixed", "Fixed 2"]
    assert twice.columns == ["recall@10", "ndcg@10", "fit_s", "recommend_s"]


def test_a_callback_ends_an_evaluation(parts):
    models = {"up": Fixed(np.arange(30)), "down": Fixed(-np.arange(30))}
    steps = []

    def ends(event):
        steps.append((event.stage, event.step))
        return True

    table = ev.evaluate(models, parts, block_size=5, callback=ends)
    assert list(table.rows) == ["up"]  # complete: the model that was under way
    assert table["up"]["recall@10"] == ev.evaluate(models, parts)["up"]["recall@10"]
    assert [step for _, step in steps] == [*range(5, len(table.users), 5), len(table.users)]
    folds = ev.evaluate(models, [parts, parts], callback=ends)
    assert list(folds.folds) == [1]
    assert list(folds.rows) == ["up", "down"]
    with pytest.raises(TypeError, match="function of one Event"):
        ev.evaluate(models, parts, callback=3)
    with pytest.raises(TypeError, match="progress"):
        ev.evaluate(models, parts, progress=print)


def test_a_progress_bar_for_each_model(parts, capsys, monkeypatch):
    monkeypatch.setattr("aimass_core.base.progress._BAR_AFTER", -1.0)
    ev.evaluate(ItemKNN(), parts, metrics="recall", verbose=True)
    assert "ItemKNN [####" in capsys.readouterr().err


def test_fitted_models_are_left_alone(parts):
    model = Fixed(np.arange(30)).fit(parts[0])
    ev.evaluate(model, parts, fit=False)
    assert model.calls.count("fit") == 1


def test_split_by_users(parts):
    train, test = parts
    split = SimpleNamespace(train=train[:20], test=None, fold_in=train[20:], holdout=test[20:])
    table = ev.evaluate(Fixed(np.arange(30)), split, metrics="recall_capped", k=5)
    lists = Fixed(np.arange(30)).recommend_new(train[20:], k=5)
    expected = ev.recall_capped(lists, test[20:], k=5)
    assert table["Fixed"]["recall_capped@5"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="rmse needs known users"):
        ev.evaluate(Fixed(np.arange(30)), split, metrics="rmse")


def test_table_forms(parts):
    table = ev.evaluate(Fixed(np.arange(30)), parts)
    lines = str(table).splitlines()
    assert lines[0].split() == ["model", *table.columns]
    assert len(lines[0]) == len(lines[1])
    assert lines[-1] == f"{len(table.users)} test users, all with entries in train."
    copy = table.to_dict()
    copy["Fixed"]["recall@10"] = -1.0
    assert table["Fixed"]["recall@10"] != -1
    assert table.to_arrow().to_pylist() == [{"model": "Fixed", **table["Fixed"]}]
    assert table.to_pandas().loc["Fixed"].to_dict() == table["Fixed"]


def test_bad_input(parts):
    model = Fixed(np.arange(30))
    with pytest.raises(ValueError, match="did you mean 'recall'"):
        ev.evaluate(model, parts, metrics="recal")
    with pytest.raises(ValueError, match="write the cut-off"):
        ev.evaluate(model, parts, metrics="recall@ten")
    with pytest.raises(ValueError, match="k must be at least 1"):
        ev.evaluate(model, parts, metrics="recall@0")
    with pytest.raises(ValueError, match="k must be at least 1"):
        ev.evaluate(model, parts, k=0)
    with pytest.raises(ValueError, match=r"test has shape \(30, 50\), train \(50, 30\)"):
        ev.evaluate(model, (parts[0], parts[1].T))
    with pytest.raises(ValueError, match="no relevant item"):
        ev.evaluate(model, parts, threshold=99)
    assert model.calls == []  # everything is refused before a fit


def test_models_without_any_or_with_equal_names(parts):
    for nothing in ({}, []):
        with pytest.raises(ValueError, match="at least one model"):
            ev.evaluate(nothing, parts)
    with pytest.raises(ValueError, match="two names with the same text"):
        ev.evaluate({1: ItemKNN(), "1": ItemKNN()}, parts)


def test_one_user_has_no_interval():
    train = Interactions.from_arrays(["a", "a", "b"], [1, 2, 3])
    test = Interactions.from_arrays(["a"], [3])
    table = ev.evaluate(ItemKNN(), (train, test), intervals=True)
    assert "need two users with a relevant item" in str(table)
    assert "pass intervals=True" not in str(table)


def test_split_of_a_wrong_kind():
    for wrong in (None, np.eye(3), [1, 2], (1, 2, 3)):
        with pytest.raises(TypeError, match="split must be a Split"):
            ev.evaluate(Fixed([1, 2, 3]), wrong)


def test_values_of_a_model_that_is_not_there(parts):
    table = ev.evaluate(Fixed(np.arange(30)), parts)
    with pytest.raises(KeyError, match="has no model 'other'; it has Fixed"):
        table["other"]


def test_models_that_only_rank_are_not_judged_by_ratings(small_ratings):
    parts = split.random(Interactions.from_csr(small_ratings), test_size=0.2, random_state=0)
    with pytest.raises(ValueError, match="'ItemKNN' only ranks"):
        ev.evaluate(ItemKNN(), parts, metrics=["rmse"])
    assert ev.evaluate(ItemKNN(aggregation="mean"), parts, metrics=["rmse"])["ItemKNN"]["rmse"] < 5
