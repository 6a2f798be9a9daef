"""A search on an executor: the trials of one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aimass_core import datasets
from aimass_core.data import split
from aimass_core.tuning import tune

OPTIONS = {"method": "grid", "space": {"n_neighbors": [3, 10], "normalize": [False, True]}}


@pytest.fixture(scope="module")
def shop():
    store = datasets.make_store(n_users=200, n_items=40, n_interactions=2500, random_state=0)
    return store.to_interactions()


def trials_of(result):
    return [(t.number, t.params, t.score, t.fold_scores, t.state, t.error) for t in result.trials]


@pytest.mark.parametrize("executor", ["threads", "processes:2"])
def test_the_same_trials(shop, tmp_path, executor):
    expected = tune("item-knn", shop, **OPTIONS)
    pool = ThreadPoolExecutor(2) if executor == "threads" else executor
    found = tune("item-knn", shop, executor=pool, place=tmp_path, n_jobs=2, **OPTIONS)
    assert trials_of(found) == trials_of(expected)
    assert found.best_params_ == expected.best_params_
    assert list(tmp_path.iterdir()) == []


def test_halving_folds_and_failed_settings(shop):
    outer = split.random(shop, random_state=0)
    options = {"method": "halving", "n_trials": 6, "random_state": 1}
    expected = tune("item-knn", outer, **options)
    with ThreadPoolExecutor(2) as pool:
        found = tune("item-knn", outer, executor=pool, n_jobs=2, **options)
        assert trials_of(found) == trials_of(expected)
        bad = {"method": "grid", "space": {"n_neighbors": [3, -1]}}
        result = tune("item-knn", shop, executor=pool, **bad)
    statuses = {t.params["n_neighbors"]: t.state for t in result.trials}
    assert statuses == {3: "done", -1: "failed"}
