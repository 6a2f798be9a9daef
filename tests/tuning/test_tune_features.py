"""A search with features of items and users: every fit and evaluation has them."""

from __future__ import annotations

import numpy as np
import pytest

from aimass_core import HybridALS, Interactions, datasets
from aimass_core.data import Features, split
from aimass_core.evaluation import evaluate
from aimass_core.tuning import optuna_objective, tune

SPACE = {"n_factors": [4, 8]}
MODEL = HybridALS(max_iter=2, random_state=0)
OPTIONS = {"space": SPACE, "method": "grid"}


@pytest.fixture(scope="module")
def shop() -> Interactions:
    store = datasets.make_store(n_users=200, n_items=60, n_interactions=3000)
    return store.to_interactions()


@pytest.fixture(scope="module")
def item_features(shop):
    pa = pytest.importorskip("pyarrow")
    group = ["even" if n % 2 == 0 else "odd" for n in range(shop.n_items)]
    table = pa.table({"item_id": pa.array(shop.items.ids), "group": group})
    return Features(id_column="item_id").fit_transform(table)


@pytest.fixture(scope="module")
def user_features(shop):
    return np.random.default_rng(0).random((shop.n_users, 3)).astype(np.float32)


def scores(result):
    return [trial.score for trial in result.trials]


def test_scores_are_those_of_evaluate(shop, item_features, user_features):
    features = {"item_features": item_features, "user_features": user_features}
    data = split.random(shop, random_state=0)
    folds = list(split.k_fold(data.train, n_splits=2, random_state=1))
    result = tune(MODEL, data, validation=folds, **OPTIONS, **features)
    for trial in result.trials:
        model = HybridALS(max_iter=2, random_state=0, **trial.params)
        expected = [
            evaluate({"m": model}, fold, metrics=["ndcg@10"], **features)["m"]["ndcg@10"]
            for fold in folds
        ]
        assert trial.fold_scores == pytest.approx(expected, abs=1e-12)
    winner = result.best_model_
    assert winner.item_features_.shape[0] == shop.n_items
    assert winner.user_features_.shape == (shop.n_users, 3)
    expected = evaluate(
        {"m": HybridALS(max_iter=2, random_state=0, **result.best_params_)},
        data,
        metrics=["ndcg@10"],
        **features,
    )
    assert result.test_score_ == pytest.approx(expected["m"]["ndcg@10"], abs=1e-12)
    assert scores(tune(MODEL, data, validation=folds, **OPTIONS)) != scores(result)


def test_models_without_features_take_part_too(shop, item_features):
    space = {"hybrid-als": {"max_iter": [1, 2]}, "popularity": {}}
    names = ["hybrid-als", "popularity"]
    result = tune(names, shop, space=space, method="grid", item_features=item_features)
    assert {t.model for t in result.trials if t.state == "done"} == set(names)


def test_trials_do_not_depend_on_the_executor(shop, item_features, tmp_path):
    expected = tune(MODEL, shop, item_features=item_features, **OPTIONS)
    found = tune(
        MODEL,
        shop,
        item_features=item_features,
        executor="processes:1",
        place=tmp_path,
        **OPTIONS,
    )
    assert scores(found) == scores(expected)


def test_a_journal_of_other_features_is_refused(shop, item_features, user_features, tmp_path):
    journal = tmp_path / "search.jsonl"
    first = tune(MODEL, shop, journal=journal, item_features=item_features, **OPTIONS)
    again = tune(MODEL, shop, journal=journal, item_features=item_features, **OPTIONS)
    assert scores(again) == scores(first)
    for features in ({}, {"user_features": user_features}):
        with pytest.raises(ValueError, match="search on other data"):
            tune(MODEL, shop, journal=journal, **features, **OPTIONS)


def test_features_that_no_model_uses_are_refused(shop, item_features):
    with pytest.raises(
        ValueError, match="item_features: none of the models uses them; models that do: "
    ):
        tune(["item-knn", "popularity"], shop, item_features=item_features)
    pytest.importorskip("optuna")
    with pytest.raises(ValueError, match="item_features: none of the models uses them"):
        optuna_objective("item-knn", shop, item_features=item_features)


def test_an_objective_has_features(shop, item_features):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    values = []
    for features in (None, item_features):
        study = optuna.create_study(direction="maximize")
        objective = optuna_objective(MODEL, shop, space=SPACE, item_features=features)
        study.enqueue_trial({"n_factors": 8})
        study.optimize(objective, n_trials=1)
        values.append(study.best_value)
    expected = tune(MODEL, shop, space={"n_factors": [8]}, test=False, item_features=item_features)
    assert values[1] == pytest.approx(expected.best_score_, abs=1e-12)
    assert values[0] != values[1]
