"""SparseEASE against EASE: equal where the lists are complete, close where they are not."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import EASE, SparseEASE
from aimass_core.exceptions import NumericalError
from aimass_core.linear import _descent, sparse_ease


@pytest.fixture
def ratings(rng):
    """200 users x 80 items of five interests."""
    interest = rng.integers(0, 5, 200)
    own = interest[:, None] == np.arange(80) % 5
    return sp.csr_array((rng.random((200, 80)) < np.where(own, 0.4, 0.04)).astype(np.float64))


@pytest.mark.parametrize("with_gramian", [True, False])
def test_complete_lists_are_ease(monkeypatch, ratings, with_gramian):
    monkeypatch.setattr(sparse_ease, "prefers_gramian", lambda X: with_gramian)
    dense = sp.csr_array(ratings.toarray() + 0.01)  # every pair of items has common users
    exact = EASE(regularization=5.0, dtype="float64").fit(dense)
    model = SparseEASE(regularization=5.0, n_neighbors=79, dtype="float64").fit(dense)
    np.testing.assert_allclose(model.weights_.toarray(), exact.weights_, atol=1e-8)
    assert model.residual_ < 1e-8
    assert model.agreement_ == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_item_is_a_regression_on_its_neighbours(ratings, dtype):
    model = SparseEASE(regularization=5.0, n_neighbors=12, dtype=dtype).fit(ratings)
    weights = model.weights_.toarray()
    dense = ratings.toarray()
    A = dense.T @ dense + 5.0 * np.eye(80)
    for j in range(80):
        chosen = np.flatnonzero(weights[:, j])
        assert 0 < len(chosen) <= 12
        assert j not in chosen
        want = np.linalg.solve(A[np.ix_(chosen, chosen)], A[chosen, j])
        np.testing.assert_allclose(weights[chosen, j], want, atol=1e-4)


def test_more_neighbours_approach_ease(ratings):
    models = [SparseEASE(regularization=5.0, n_neighbors=k).fit(ratings) for k in (4, 15, 60)]
    residuals = [model.residual_ for model in models]
    assert residuals == sorted(residuals, reverse=True)
    assert models[-1].agreement_ > 0.9
    exact = EASE(regularization=5.0).fit(ratings).recommend(k=5).indices
    found = models[1].recommend(k=5).indices
    same = [len(np.intersect1d(a, b)) / 5 for a, b in zip(exact, found, strict=True)]
    assert np.mean(same) > 0.7


def test_the_exact_columns_of_the_check_are_those_of_ease(ratings):
    targets = np.array([0, 7, 40])
    columns = sparse_ease._solve_exactly(ratings, 5.0, targets)
    exact = EASE(regularization=5.0, dtype="float64").fit(ratings).weights_
    np.testing.assert_allclose(columns, exact[:, targets], atol=1e-4)


def test_threads_change_no_bit(ratings):
    one, many = (SparseEASE(n_neighbors=9, n_threads=n).fit(ratings) for n in (1, 3))
    np.testing.assert_array_equal(one.weights_.toarray(), many.weights_.toarray())


def test_no_check_on_request(ratings):
    model = SparseEASE(n_neighbors=9, n_checked=0).fit(ratings)
    assert np.isnan(model.residual_)
    assert np.isnan(model.agreement_)


def test_no_dense_matrix_is_needed(monkeypatch, ratings):
    monkeypatch.setattr(_descent, "fits_in_memory", lambda *a, **k: False)
    assert not _descent.prefers_gramian(ratings)
    few = SparseEASE(n_neighbors=9).fit(ratings)
    monkeypatch.undo()
    many = SparseEASE(n_neighbors=9).fit(ratings)
    np.testing.assert_allclose(few.weights_.toarray(), many.weights_.toarray(), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regularization": 0.0}, "regularization must be above 0"),
        ({"n_neighbors": 0}, "n_neighbors must be at least 1"),
        ({"n_neighbors": 20_000}, "n_neighbors must be at most 16384"),
        ({"n_checked": -1}, "n_checked must be at least 0"),
    ],
)
def test_wrong_parameters(ratings, options, message):
    with pytest.raises(ValueError, match=message):
        SparseEASE(**options).fit(ratings)


@pytest.mark.parametrize("X", [np.ones((4, 1)), np.zeros((3, 5)), np.ones((1, 6))])
def test_border_shapes(X):
    model = SparseEASE(n_neighbors=3).fit(X)
    assert model.recommend(k=3).indices.shape[0] == X.shape[0]


def test_values_that_overflow_are_an_error(ratings):
    with pytest.raises(NumericalError, match="item 0 overflow when squared: scale"):
        SparseEASE().fit(ratings * 1e30)  # in float32
    with pytest.raises(NumericalError, match="item 0 overflow when squared: scale"):
        SparseEASE(dtype="float64").fit(ratings * 1e300)
