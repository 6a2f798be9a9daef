"""Recommenders and models of ratings in scikit-learn's model selection."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import BaselineOnly, ExplicitALS, Interactions, ItemKNN, Popularity, UserKNN
from aimass_core import evaluation as ev
from aimass_core.data import split

selection = pytest.importorskip("sklearn.model_selection")


@pytest.fixture
def pairs(rng):
    pairs = np.argwhere(rng.random((30, 20)) < 0.5)
    return pairs, 3 + pairs[:, 1] / 10 + rng.normal(0, 0.2, len(pairs))


def test_grid_search_of_a_rating_model(pairs):
    search = selection.GridSearchCV(
        ev.RatingRegressor(model=ExplicitALS(max_iter=3, random_state=0)),
        {"model__n_factors": [1, 4], "model__regularization": [0.1, 50.0]},
        scoring="neg_root_mean_squared_error",
        cv=3,
    )
    search.fit(*pairs)
    assert search.best_params_["model__regularization"] == 0.1
    assert search.best_estimator_.model_.n_factors == search.best_params_["model__n_factors"]


def test_models_that_predict_ratings_by_their_parameters(pairs):
    model = ev.RatingRegressor(model=UserKNN(aggregation="mean"))
    assert selection.cross_val_score(model, *pairs, cv=3, error_score="raise").shape == (3,)
    with pytest.raises(TypeError, match=r"UserKNN only ranks: .*aggregation='mean'"):
        ev.RatingRegressor(model=UserKNN()).fit(*pairs)
    with pytest.raises(TypeError, match=r"write UserKNN\(\)"):
        ev.RatingRegressor(model=UserKNN).fit(*pairs)


def test_cross_validation_equals_fits_by_hand(pairs):
    X, y = pairs
    folds = list(selection.KFold(4, shuffle=True, random_state=1).split(X))
    regressor = ev.RatingRegressor(model=BaselineOnly())
    found = selection.cross_val_score(regressor, X, y, cv=folds, scoring="neg_mean_absolute_error")
    for (train, test), score in zip(folds, found, strict=True):
        x = Interactions.from_arrays(X[train, 0], X[train, 1], y[train])
        model = BaselineOnly().fit(x)
        known = np.isin(X[test, 0], X[train, 0]) & np.isin(X[test, 1], X[train, 1])
        predicted = np.full(len(test), x.matrix.data.mean())
        predicted[known] = model.predict(*X[test][known].T)
        assert score == pytest.approx(-np.abs(predicted - y[test]).mean(), abs=1e-6)


def test_frames_of_text_ids(pairs):
    pd = pytest.importorskip("pandas")
    X, y = pairs
    frame = pd.DataFrame({"who": [f"u{u}" for u in X[:, 0]], "what": X[:, 1]})
    model = ev.RatingRegressor(model=BaselineOnly()).fit(frame, y)
    by_number = ev.RatingRegressor(model=BaselineOnly()).fit(X, y)
    np.testing.assert_allclose(model.predict(frame), by_number.predict(X), rtol=1e-6)
    assert model.predict(pd.DataFrame({"who": ["new"], "what": [1]})) == model.mean_
    assert model.score(frame, y) == pytest.approx(ev.r2(y, model.predict(frame)))


def test_ranking_scorer_is_strong_generalization(rng):
    X = sp.csr_array((rng.random((60, 25)) < 0.4) * 1.0)
    scorer = ev.ranking_scorer("recall@5", holdout_size=0.4)
    found = selection.cross_val_score(ItemKNN(n_neighbors=5), X, cv=3, scoring=scorer)
    for (train, test), score in zip(selection.KFold(3).split(X), found, strict=True):
        model = ItemKNN(n_neighbors=5).fit(X[train])
        parts = split.per_user(Interactions.from_csr(X[test]), test_size=0.4, random_state=0)
        lists = model.recommend_new(parts.train.matrix, k=5)
        assert score == pytest.approx(ev.recall(lists, parts.test, k=5))


def test_grid_search_of_a_recommender(rng):
    X = sp.csr_array((rng.random((60, 25)) < 0.4) * 1.0)
    search = selection.GridSearchCV(
        ItemKNN(), {"n_neighbors": [1, 20]}, scoring=ev.ranking_scorer("ndcg@5"), cv=3
    )
    assert search.fit(X).best_params_["n_neighbors"] in (1, 20)
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_messages(pairs):
    with pytest.raises(TypeError, match=r"only ranks: .*ranking_scorer"):
        ev.RatingRegressor(model=Popularity()).fit(*pairs)
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        ev.RatingRegressor(model=BaselineOnly()).fit(np.eye(3), [1, 2, 3])
    with pytest.raises(ValueError, match="for ratings use RatingRegressor"):
        ev.ranking_scorer("rmse")
    with pytest.raises(ValueError, match="not fitted"):
        ev.RatingRegressor(model=BaselineOnly()).predict(pairs[0])
