"""Default spaces: every model of the package has one, and accepts what it holds."""

from __future__ import annotations

import time
import types

import numpy as np
import pytest

from aimass_core import Recommender, datasets
from aimass_core.base.registry import find, model_names
from aimass_core.tuning import Choice, Range, default_space, search, tune
from aimass_core.tuning.default_spaces import _SPACES
from aimass_core.tuning.search import suits_search
from aimass_core.tuning.space import sample_setting

OWN = [n for n in model_names() if find(n).__module__.startswith("aimass_core.")]


@pytest.fixture(scope="module")
def shop():
    return datasets.make_store(n_users=60, n_items=40, n_interactions=900).to_interactions()


@pytest.mark.parametrize("name", OWN)
def test_every_model_accepts_its_space(name, shop):
    assert name in _SPACES
    cls = find(name)
    if cls.needs_extra == "deep":
        pytest.importorskip("torch")
    space = default_space(cls, name)
    assert space.keys() <= set(cls._param_names())
    rng = np.random.default_rng(0)
    features = {}
    if cls.needs_features:
        features = {side: np.eye(shop.n_items)[:, :5] for side in cls.needs_features}
    for _ in range(2):
        setting = sample_setting(space, rng)
        if "max_iter" in setting:
            setting["max_iter"] = 2
        if name == "fm":
            setting |= {"n_burn_in": 1, "n_draws": 1}
        cls(**setting).fit(shop, **features)


@pytest.mark.parametrize("name", ["item-knn", "user-knn"])
def test_neighbourhood_models_rate_for_a_rating_metric(name, shop):
    assert suits_search(find(name), True)
    assert "aggregation" in default_space(find(name), name, metric="rmse")
    result = tune(name, shop, metric="rmse", n_trials=2)
    assert [t.state for t in result.trials] == ["done", "done"], result.trials
    assert result.best_model_.predicts_ratings


def test_a_search_of_every_model_tries_no_model_twice():
    ranking = {n for n in OWN if suits_search(find(n), False)}
    assert {"item-knn", "implicit-als", "bpr", "warp", "ease", "rank-fusion"} <= ranking
    assert not ranking & {"hybrid-als", "hybrid-bpr", "hybrid-warp", "external-vectors"}
    assert {"svd", "fm", "item-knn", "baseline"} <= {n for n in OWN if suits_search(find(n), True)}


def test_features_bring_the_models_that_use_them():
    with_items = {n for n in OWN if suits_search(find(n), False, ["item_features"])}
    assert {"hybrid-als", "hybrid-bpr", "item-knn"} <= with_items
    both = {n for n in OWN if suits_search(find(n), False, ["item_features", "user_features"])}
    assert with_items <= both


def test_parameters_below_one_stay_there():
    class Own(Recommender):
        def __init__(self, *, dropout=0.2, n_factors=8):
            pass

    assert default_space(Own)["dropout"] == Range(0.02, 0.9, log=True)


def test_halving_divides_a_time_limit(shop, monkeypatch):
    """However many settings the limit would allow, the last round has all users."""
    now = [0.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0], perf_counter=time.perf_counter)
    monkeypatch.setattr(search, "time", clock)

    class Counts:
        def __init__(self, power=1.0):
            self.power = power

        def fit(self, X):
            now[0] += 1.0
            counts = np.bincount(X.matrix.indices, minlength=X.n_items)
            self.counts_ = (counts + 1.0) ** self.power

        def score(self, query):
            return np.tile(self.counts_, (len(query), 1))

    space = {"power": Choice([float(p) for p in np.linspace(-1, 1, 50)])}
    result = tune(Counts, shop, space=space, method="halving", time_limit=30, refit=False)
    rounds = [t.resource for t in result.trials]
    assert [rounds.count(r) for r in (1 / 9, 1 / 3, 1.0)] == [10, 3, 1]
    assert result.best_trial.resource == 1
    assert result.best_params_["power"] > 0
