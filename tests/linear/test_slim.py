"""SLIM: optimality, agreement of its solvers, scikit-learn's solutions, paths and candidates."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import SLIM, ItemKNN
from aimass_core.exceptions import ConvergenceWarning
from aimass_core.linear import _memory

EXACT = {"tol": 1e-9, "dtype": "float64"}


@pytest.fixture
def ratings(rng):
    return sp.csr_array(rng.integers(1, 6, (120, 30)) * (rng.random((120, 30)) < 0.2) * 1.0)


def violations(X, weights, alpha, l1_ratio, nonnegative=True):
    """Return the violation of the optimality conditions of each weight, targets in columns."""
    dense = X.toarray()
    n_users, n = dense.shape
    G = dense.T @ dense
    l1, ridge = n_users * alpha * l1_ratio, n_users * alpha * (1 - l1_ratio)
    gradient = G - G @ weights - ridge * weights  # of minus the smooth part
    zero = weights == 0
    if nonnegative:
        wrong = np.where(zero, np.maximum(gradient - l1, 0), np.abs(gradient - l1))
    else:
        pull = np.maximum(np.abs(gradient) - l1, 0)
        wrong = np.where(zero, pull, np.abs(gradient - l1 * np.sign(weights)))
    wrong[np.diag_indices(n)] = 0
    off = G - np.diag(np.diag(G))
    return wrong / np.maximum(np.abs(off).max(axis=0), 1e-300)


@pytest.mark.parametrize("solver", ["dense", "sparse"])
@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.1, 1.0])
def test_weights_are_optimal(ratings, solver, nonnegative, l1_ratio):
    model = SLIM(
        alpha=0.05, l1_ratio=l1_ratio, nonnegative=nonnegative, solver=solver, **EXACT
    ).fit(ratings)
    weights = model.weights_.toarray()
    assert (np.diag(weights) == 0).all()
    assert violations(ratings, weights, 0.05, l1_ratio, nonnegative).max() < 1e-7
    assert (model.violation_ <= 1e-9).all()
    assert model.n_iter_.shape == (30,)


@pytest.mark.parametrize("nonnegative", [True, False])
def test_the_weights_are_those_of_scikit_learn(ratings, nonnegative):
    linear_model = pytest.importorskip("sklearn.linear_model")
    alpha, l1_ratio = 0.08, 0.3
    model = SLIM(alpha=alpha, l1_ratio=l1_ratio, nonnegative=nonnegative, **EXACT).fit(ratings)
    dense, weights = ratings.toarray(), model.weights_.toarray()
    for j in range(0, 30, 7):
        X = dense.copy()
        X[:, j] = 0
        peer = linear_model.ElasticNet(
            alpha=alpha,
            l1_ratio=l1_ratio,
            fit_intercept=False,
            positive=nonnegative,
            tol=1e-10,
            max_iter=100_000,
        )
        np.testing.assert_allclose(weights[:, j], peer.fit(X, dense[:, j]).coef_, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["dense", "sparse"])
def test_threads_change_no_bit(ratings, dtype, solver):
    one, many = (
        SLIM(alpha=0.05, l1_ratio=0.1, solver=solver, dtype=dtype, n_threads=n).fit(ratings)
        for n in (1, 3)
    )
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(one.weights_, part), getattr(many.weights_, part))
    assert one.weights_.dtype == dtype


def test_solvers_agree(ratings):
    dense, sparse = (
        SLIM(alpha=0.05, l1_ratio=0.1, solver=s, **EXACT).fit(ratings) for s in ("dense", "sparse")
    )
    np.testing.assert_allclose(dense.weights_.toarray(), sparse.weights_.toarray(), atol=1e-8)
    auto = SLIM(alpha=0.05, l1_ratio=0.1, **EXACT).fit(ratings)
    np.testing.assert_allclose(auto.weights_.toarray(), dense.weights_.toarray(), atol=1e-8)


def test_candidates_are_the_nearest_items(ratings):
    model = SLIM(alpha=0.05, l1_ratio=0.1, n_candidates=6, **EXACT).fit(ratings)
    near = (
        ItemKNN(n_neighbors=6, similarity="cosine").fit(ratings).similarity_.toarray() > 0
    )  # row: target
    weights = model.weights_.toarray()
    assert not (weights[~near.T] != 0).any()
    dense = ratings.toarray()
    n_users = len(dense)
    l1, ridge = n_users * 0.05 * 0.1, n_users * 0.05 * 0.9
    G = dense.T @ dense
    gradient = np.where(near.T, G - G @ weights - ridge * weights, 0)
    wrong = np.where(weights == 0, np.maximum(gradient - l1, 0), np.abs(gradient - l1))
    assert wrong[near.T].max() < 1e-5
    everything = SLIM(alpha=0.05, l1_ratio=0.1, n_candidates=1000, **EXACT).fit(ratings)
    whole = SLIM(alpha=0.05, l1_ratio=0.1, **EXACT).fit(ratings)
    np.testing.assert_allclose(everything.weights_.toarray(), whole.weights_.toarray(), atol=1e-8)


def test_n_neighbors_keeps_the_largest_weights(ratings):
    whole = SLIM(alpha=0.05, l1_ratio=0.01, **EXACT).fit(ratings).weights_.toarray()
    cut = SLIM(alpha=0.05, l1_ratio=0.01, n_neighbors=3, **EXACT).fit(ratings).weights_.toarray()
    kept = (whole >= np.sort(whole, axis=0)[-3]) & (whole > 0)
    np.testing.assert_array_equal(cut, np.where(kept, whole, 0))


def test_a_path_gives_the_models_of_single_fits_in_fewer_sweeps(ratings):
    alphas = [0.02, 0.2, 0.05]
    path = list(SLIM(l1_ratio=0.1, **EXACT).fit_path(ratings, alphas))
    assert [model.alpha for model in path] == [0.2, 0.05, 0.02]
    for model in path:
        alone = SLIM(alpha=model.alpha, l1_ratio=0.1, **EXACT).fit(ratings)
        difference = model.weights_.toarray() - alone.weights_.toarray()
        assert np.abs(difference).max() < 1e-7
    again = list(SLIM(l1_ratio=0.1, **EXACT).fit_path(ratings, [0.05, 0.05]))
    assert again[1].n_iter_.sum() < again[0].n_iter_.sum()


def test_partial_fit_is_a_fit(ratings):
    model = SLIM(alpha=0.05, l1_ratio=0.1, **EXACT).fit(ratings[:110]).partial_fit(ratings[110:])
    whole = SLIM(alpha=0.05, l1_ratio=0.1, **EXACT).fit(ratings)
    np.testing.assert_allclose(model.weights_.toarray(), whole.weights_.toarray(), atol=1e-7)


def test_explanations_add_up_to_the_score(ratings):
    model = SLIM(alpha=0.02).fit(ratings)
    item = int(model.recommend([4], k=1).indices[0, 0])
    explanation = model.explain(4, item, k=None)
    assert explanation.score == pytest.approx(float(model.predict([4], [item])[0]))
    assert sum(explanation.contributions) == pytest.approx(explanation.score)


def test_items_that_do_not_converge_are_warned_of(ratings):
    with pytest.warns(ConvergenceWarning, match="items ended after 1 sweeps .* raise max_iter"):
        SLIM(alpha=1e-6, l1_ratio=0.0, max_iter=1, tol=1e-12, dtype="float64").fit(ratings)


def test_memory_of_the_gramian(monkeypatch, ratings):
    monkeypatch.setattr(_memory, "available_memory", lambda: 2048.0)
    with pytest.raises(MemoryError, match=r"SLIM with solver='dense' needs.*use solver='sparse'"):
        SLIM(solver="dense").fit(ratings)
    SLIM(alpha=0.1).fit(ratings)  # falls back to the sparse matrix


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1}, "alpha must be at least 0"),
        ({"alpha": float("inf")}, "alpha"),
        ({"l1_ratio": 1.5}, "l1_ratio must be at most 1"),
        ({"n_neighbors": 0}, "n_neighbors must be at least 1"),
        ({"n_candidates": 0}, "n_candidates must be at least 1"),
        ({"solver": "newton"}, "solver must be"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"tol": -1.0}, "tol must be at least 0"),
    ],
)
def test_wrong_parameters(ratings, options, message):
    with pytest.raises(ValueError, match=message):
        SLIM(**options).fit(ratings)


@pytest.mark.parametrize("X", [np.ones((4, 1)), np.zeros((3, 5)), np.ones((1, 6))])
@pytest.mark.parametrize("solver", ["dense", "sparse"])
def test_border_shapes(X, solver):
    model = SLIM(solver=solver, n_candidates=3).fit(X)
    assert model.recommend(k=3).indices.shape[0] == X.shape[0]
