"""EASE and EDLAE against their closed form in NumPy, and updates of low rank."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import EASE, EDLAE, Interactions, SparseEASE, load
from aimass_core.exceptions import NumericalError
from aimass_core.linear import _memory


def closed_form(X, ridge):
    """Return the weights of EASE from the dense inverse, in float64."""
    dense = sp.csr_array(X).toarray().astype(np.float64)
    P = np.linalg.inv(dense.T @ dense + np.diag(np.broadcast_to(ridge, dense.shape[1])))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    return B


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_ease_is_its_closed_form(small_ratings, dtype, n_threads):
    model = EASE(regularization=7.0, dtype=dtype, n_threads=n_threads).fit(small_ratings)
    assert model.weights_.dtype == dtype
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(model.weights_, closed_form(small_ratings, 7.0), atol=tolerance)
    assert model.residual_ < tolerance
    one = EASE(regularization=7.0, dtype=dtype, n_threads=1).fit(small_ratings)
    np.testing.assert_array_equal(model.weights_, one.weights_)


def test_scores_lists_and_explanations_agree(small_ratings):
    model = EASE(regularization=7.0, dtype="float64").fit(small_ratings)
    dense = small_ratings.toarray()
    scores = dense @ closed_form(small_ratings, 7.0)
    scores[dense != 0] = -np.inf
    lists = model.recommend(k=5)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    best[(dense == 0).all(axis=1)] = -1
    np.testing.assert_array_equal(lists.indices, best)
    user, item = 3, int(lists.indices[3, 0])
    explanation = model.explain(user, item, k=None)
    assert explanation.score == pytest.approx(lists.scores[3, 0])
    assert sum(explanation.contributions) == pytest.approx(explanation.score)
    new = model.recommend_new(small_ratings[[3]], k=5)
    np.testing.assert_array_equal(new.indices[0], lists.indices[3])


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_edlae_is_its_closed_form(small_ratings, dropout):
    model = EDLAE(dropout=dropout, regularization=5.0, dtype="float64").fit(small_ratings)
    squares = (small_ratings.toarray().astype(np.float64) ** 2).sum(axis=0)
    want = closed_form(small_ratings, 5.0 + dropout / (1 - dropout) * squares)
    np.testing.assert_allclose(model.weights_, want, atol=1e-10)


def test_edlae_minimises_the_expected_loss_under_dropout():
    """Each column of the weights is optimal for profiles of which entries are dropped."""
    rng = np.random.default_rng(0)
    X = (rng.random((40, 6)) < 0.5).astype(float)
    p, ridge = 0.3, 2.0
    B = EDLAE(dropout=p, regularization=ridge, dtype="float64").fit(X).weights_
    # E |x - (z x) w / (1 - p)|^2 over drops z: (G + p / (1 - p) diag(G)) w = G_j off the target.
    G = X.T @ X
    for j in range(6):
        others = np.delete(np.arange(6), j)
        A = (G + np.diag(p / (1 - p) * np.diag(G) + ridge))[np.ix_(others, others)]
        np.testing.assert_allclose(B[others, j], np.linalg.solve(A, G[others, j]), atol=1e-10)


def test_truncated_weights_are_the_largest_of_each_column(small_ratings):
    whole = EASE(regularization=7.0).fit(small_ratings)
    model = EASE(regularization=7.0, n_neighbors=4).fit(small_ratings)
    assert sp.issparse(model.weights_)
    n = whole.n_items
    kept = np.abs(whole.weights_) >= np.sort(np.abs(whole.weights_), axis=0)[n - 4]
    np.testing.assert_array_equal(model.weights_.toarray(), np.where(kept, whole.weights_, 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_partial_fit_by_an_update_is_a_fit(monkeypatch, rng, dtype):
    X = sp.csr_array((rng.random((90, 40)) < 0.2).astype(dtype))
    model = EASE(regularization=3.0, dtype=dtype).fit(X[:84])
    monkeypatch.setattr(EASE, "fit", _refuse)
    model.partial_fit(X[84:])
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(model.weights_, closed_form(X, 3.0), atol=tolerance)
    assert model.n_users_ == 90


def _refuse(*arguments):
    raise AssertionError("the update must not cost a fit")


def test_partial_fit_with_new_items_and_changed_values(monkeypatch, rng):
    users, items = (a.ravel() for a in np.indices((60, 30)))
    chosen = rng.random(len(users)) < 0.3
    first = Interactions.from_arrays(users[chosen], items[chosen], np.ones(chosen.sum()))
    known = int(items[chosen & (users == 1)][0])
    new = Interactions.from_arrays([100, 0, 1], [99, 98, known], [1.0, 1.0, 4.0])
    model = EASE(regularization=3.0, dtype="float64").fit(first)
    want = EASE(regularization=3.0, dtype="float64").fit(first.merge(new, duplicates="last"))
    monkeypatch.setattr(EASE, "fit", _refuse)
    model.partial_fit(new, duplicates="last")
    assert model.items_.ids.tolist() == want.items_.ids.tolist()
    np.testing.assert_allclose(model.weights_, want.weights_, atol=1e-10)
    np.testing.assert_array_equal(model.user_items_.toarray(), want.user_items_.toarray())


def test_many_new_users_cost_a_fit(rng):
    X = (rng.random((90, 20)) < 0.2).astype(np.float32)
    model = EASE(regularization=3.0).fit(X[:10]).partial_fit(X[10:])
    np.testing.assert_array_equal(model.weights_, EASE(regularization=3.0).fit(X).weights_)


def test_forgotten_users_leave_the_weights(rng):
    X = (rng.random((90, 40)) < 0.2).astype(np.float64)
    model = EASE(regularization=3.0, dtype="float64").fit(X)
    report = model.forget([5, 17, 5])
    assert report.n_users == 2
    assert report.remains.startswith("Nothing")
    want = closed_form(np.delete(X, [5, 17], axis=0), 3.0)
    np.testing.assert_allclose(model.weights_, want, atol=1e-10)
    truncated = EASE(regularization=3.0, n_neighbors=5).fit(X)
    assert "next fit removes" in truncated.forget([1]).remains


@pytest.mark.parametrize("make", [EASE, EDLAE, SparseEASE])
def test_default_penalty_follows_the_scale_of_the_values(rng, make):
    X = (rng.random((60, 15)) < 0.3) * rng.integers(1, 6, (60, 15)).astype(np.float64)
    model = make(dtype="float64").fit(X)
    assert model.regularization_ == pytest.approx(200 * np.median(X[X > 0]) ** 2)
    same = make(dtype="float64", regularization=model.regularization_).fit(X)
    np.testing.assert_allclose(dense(model), dense(same), rtol=1e-12)
    np.testing.assert_allclose(dense(make(dtype="float64").fit(10 * X)), dense(model), atol=1e-10)
    assert make().fit((X > 0).astype(np.float32)).regularization_ == 200
    assert make().fit(np.zeros((3, 4))).regularization_ == 200


def test_update_keeps_the_default_penalty(rng):
    X = (rng.random((90, 40)) < 0.2) * rng.integers(1, 6, (90, 40)).astype(np.float64)
    model = EASE(dtype="float64").fit(X[:84])
    penalty = model.regularization_
    model.partial_fit(X[84:])
    assert model.regularization_ == penalty
    np.testing.assert_allclose(model.weights_, closed_form(X, penalty), atol=1e-10)
    report = model.forget([3])
    assert report.remains.endswith("with the same regularization_.")
    want = closed_form(np.delete(X, 3, axis=0), penalty)
    np.testing.assert_allclose(model.weights_, want, atol=1e-10)


def dense(model):
    weights = model.weights_
    return weights.toarray() if hasattr(weights, "toarray") else weights


def test_memory_is_estimated_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(_memory, "available_memory", lambda: 1 << 20)
    X = sp.csr_array((3, 1000))
    with pytest.raises(
        MemoryError, match=r"EASE needs about .* GiB for 1,000 x 1,000 .*SparseEASE"
    ):
        EASE().fit(X)
    with pytest.raises(MemoryError, match="EDLAE needs"):
        EDLAE().fit(X)


def test_available_memory_is_a_positive_number():
    assert _memory.available_memory() > 0


def test_values_that_overflow_or_lose_all_precision_are_errors():
    X = np.full((4, 3), 1e30, dtype=np.float32)
    with pytest.raises(NumericalError, match="overflow when squared"):
        EASE().fit(X)
    rng = np.random.default_rng(0)
    near = rng.random((50, 1)) + 1e-4 * rng.random((50, 30))  # columns that are nearly equal
    with pytest.raises(NumericalError, match="raise"):
        EASE(regularization=1e-9).fit(1e3 * near)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regularization": 0}, "regularization must be above 0"),
        ({"regularization": float("nan")}, "regularization"),
        ({"n_neighbors": 0}, "n_neighbors must be at least 1"),
        ({"dtype": "float16"}, "dtype must be"),
        ({"weighting": "bm26"}, "weighting"),
    ],
)
def test_wrong_parameters(small_ratings, options, message):
    with pytest.raises(ValueError, match=message):
        EASE(**options).fit(small_ratings)


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_wrong_dropout(small_ratings, dropout):
    with pytest.raises(ValueError, match="dropout must be"):
        EDLAE(dropout=dropout).fit(small_ratings)


@pytest.mark.parametrize("X", [np.ones((4, 1)), np.zeros((3, 5)), np.ones((1, 6))])
def test_border_shapes(X):
    model = EASE().fit(X)
    assert np.isfinite(model.weights_).all()
    assert model.recommend(k=3).indices.shape[0] == X.shape[0]
    assert (np.diag(model.weights_) == 0).all()


def test_a_model_without_training_data_serves_new_users(small_ratings, tmp_path):
    model = EASE(regularization=7.0).fit(small_ratings)
    model.save(tmp_path / "m", training=False)
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(
        again.recommend_new(small_ratings[:5], k=4).indices,
        model.recommend_new(small_ratings[:5], k=4).indices,
    )
    with pytest.raises(ValueError, match="without its training data"):
        again.explain(0, 1)
    with pytest.raises(ValueError, match="without its training data"):
        again.partial_fit(small_ratings[:5])
