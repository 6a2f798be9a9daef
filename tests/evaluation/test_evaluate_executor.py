"""Folds and bootstrap replicates on an executor: the numbers of one process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from aimass_core import ItemKNN, Popularity, datasets
from aimass_core.data import split
from aimass_core.evaluation import bootstrap_interval, compare_models, evaluate

MODELS = {"knn": ItemKNN(n_neighbors=5), "popular": Popularity()}
SECONDS = ("fit_s", "recommend_s", "predict_s")


@pytest.fixture(scope="module")
def folds():
    store = datasets.make_store(n_users=200, n_items=40, n_interactions=2500, random_state=0)
    return list(split.k_fold(store.to_interactions(), n_splits=3, random_state=0))


def metrics_of(table):
    return {
        name: {title: value for title, value in table[name].items() if title not in SECONDS}
        for name in MODELS
    }


@pytest.mark.parametrize("executor", ["threads", "processes:2"])
def test_folds(folds, tmp_path, executor):
    events = []
    with ThreadPoolExecutor(2) as pool:
        found = evaluate(
            MODELS,
            folds,
            executor=pool if executor == "threads" else executor,
            place=tmp_path,
            callback=lambda event: events.append((event.stage, event.step)),
        )
    assert metrics_of(found) == metrics_of(evaluate(MODELS, folds))
    assert events == [("folds", 1), ("folds", 2), ("folds", 3)]
    assert list(tmp_path.iterdir()) == []


def test_workers_that_stay_read_the_splits_of_each_call(folds, tmp_path):
    store = datasets.make_store(n_users=150, n_items=40, n_interactions=2500, random_state=1)
    others = list(split.k_fold(store.to_interactions(), n_splits=2, random_state=1))
    with ThreadPoolExecutor(1) as pool:
        for parts in (folds, others, folds):
            found = evaluate(MODELS, parts, executor=pool, place=tmp_path)
            assert metrics_of(found) == metrics_of(evaluate(MODELS, parts))


def test_pairs_of_matrices_and_an_early_end(folds):
    pairs = [(fold.train.matrix, fold.test.matrix) for fold in folds]
    with ThreadPoolExecutor(1) as pool:
        found = evaluate(MODELS, pairs, executor=pool, callback=lambda event: event.step == 2)
    assert metrics_of(found) == metrics_of(evaluate(MODELS, pairs[:2]))


def test_replicates():
    rng = np.random.default_rng(0)
    values = {name: {"ndcg": rng.random(300)} for name in MODELS}
    options = {"n_resamples": 1300, "random_state": 3}
    with ThreadPoolExecutor(2) as pool:
        found = compare_models(values, **options, executor=pool)
        interval = bootstrap_interval(values["knn"]["ndcg"], **options, executor=pool)
        with pytest.raises(TypeError, match="executor needs a named statistic"):
            bootstrap_interval(
                [1.0, 2.0], statistic=lambda x, n: float((x * n).sum()), executor=pool
            )
    assert found.to_dict() == compare_models(values, **options).to_dict()
    assert interval == bootstrap_interval(values["knn"]["ndcg"], **options)


def test_refusals(folds):
    with pytest.raises(ValueError, match="executor evaluates folds"):
        evaluate(MODELS, folds[0], executor="processes:1")
    with pytest.raises(ValueError, match="place has no effect without executor"):
        evaluate(MODELS, folds, place="x")
