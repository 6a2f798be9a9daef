"""ExplicitALS, NMF and PureSVD: against their definitions and against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import NMF, BaselineOnly, ExplicitALS, Interactions, PureSVD
from aimass_core.exceptions import NumericalError


@pytest.fixture
def ratings(rng):
    """Rank two and biases, with noise."""
    p, q = rng.normal(0, 0.8, (90, 2)), rng.normal(0, 0.8, (60, 2))
    full = 3 + rng.normal(0, 0.4, (90, 1)) + rng.normal(0, 0.4, (1, 60)) + p @ q.T
    X = np.clip(full + rng.normal(0, 0.1, full.shape), 0.5, 5.5)
    return sp.csr_array(X * (rng.random(X.shape) < 0.5))


# ---- ExplicitALS -------------------------------------------------------------------------------


@pytest.mark.parametrize("nu", [0.0, 1.0])
@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize(
    ("constant", "own"), [(0.0, None), (4.0, None), (2.0, 0.3)], ids=["weighted", "both", "own"]
)
def test_the_users_part_is_a_minimum(ratings, biases, nu, constant, own, rng):
    share = 0.2 if biases else 0.25
    model = ExplicitALS(
        n_factors=3,
        regularization=0.07,
        regularization_user=own,
        constant_regularization=constant,
        biases=biases,
        bias_share=share,
        nu=nu,
        dtype="float64",
    )
    model.fit(ratings)
    coo = ratings.tocoo()

    def loss(p, b):
        rated = model.mean_ + b[coo.row] + model.item_bias_[coo.col]
        rated = rated + (p[coo.row] * model.item_factors_[coo.col]).sum(axis=1)
        weight = (own or 0.07) * np.diff(ratings.indptr) ** nu + constant
        return ((coo.data - rated) ** 2).sum() + weight @ ((p**2).sum(axis=1) + share * b**2)

    best = loss(model.user_factors_, model.user_bias_)
    for _ in range(20):
        moved = model.user_factors_ + rng.normal(0, 1e-4, (90, 3))
        bias = model.user_bias_ + (rng.normal(0, 1e-4, 90) if biases else 0)
        assert loss(moved, bias) > best
    if not biases:
        assert not model.item_bias_.any()


def test_a_constant_penalty_shrinks_rows_with_few_ratings(ratings):
    X = ratings.toarray()
    X[0, 1:] = 0
    X[0, 0] = 5.0
    few, weighted = (
        ExplicitALS(n_factors=2, constant_regularization=c).fit(X) for c in (10.0, 0.0)
    )
    assert abs(few.user_bias_[0]) < 0.4 * abs(weighted.user_bias_[0])


def test_it_learns_more_than_biases(ratings):
    train, held = ratings.tocoo(), np.random.default_rng(0).random(ratings.nnz) < 0.2
    part = sp.csr_array(
        (train.data[~held], (train.row[~held], train.col[~held])), shape=ratings.shape
    )
    pairs, truth = (train.row[held], train.col[held]), train.data[held]
    rmse = {
        type(m).__name__: np.sqrt(((m.fit(part).predict(*pairs) - truth) ** 2).mean())
        for m in (
            ExplicitALS(n_factors=2, regularization=0.02, constant_regularization=0.0),
            BaselineOnly(),
        )
    }
    assert rmse["ExplicitALS"] < 0.4 * rmse["BaselineOnly"]


def test_predictions_stay_on_the_scale(ratings):
    model = ExplicitALS(n_factors=4, rating_scale=(1, 5)).fit(ratings)
    rated = model.predict(np.repeat(np.arange(90), 60), np.tile(np.arange(60), 90))
    assert rated.min() >= 1
    assert rated.max() <= 5
    X = ratings.toarray()
    X[4] = 0
    model = ExplicitALS(n_factors=4).fit(X)
    assert model.predict([4], [0])[0] == pytest.approx(model.mean_ + model.item_bias_[0])


def test_zero_is_a_rating():
    X = sp.csr_array(np.ones((6, 5)))
    X.data[::7] = 0
    model = ExplicitALS(n_factors=1, regularization=0.01).fit(X)
    assert model.mean_ == pytest.approx(X.data.mean())


def test_explicit_refusals(ratings):
    with pytest.raises(NumericalError, match=r"^item \d+ .* raise regularization"):
        ExplicitALS(n_factors=80, regularization=0, constant_regularization=0).fit(ratings)
    for bad in (
        {"n_factors": 0},
        {"regularization": -1},
        {"regularization_item": -1},
        {"constant_regularization": -1},
        {"bias_share": 0},
        {"nu": -1},
        {"max_iter": 0},
    ):
        with pytest.raises(ValueError, match=next(iter(bad))):
            ExplicitALS(**bad).fit(ratings)
    with pytest.raises(ValueError, match=r"bias_share=0\.5 has no effect"):
        ExplicitALS(biases=False, bias_share=0.5).fit(ratings)
    with pytest.raises(TypeError, match="biases must be True or False"):
        ExplicitALS(biases="no").fit(ratings)


# ---- NMF ---------------------------------------------------------------------------------------


def test_nmf_reaches_the_loss_of_scikit_learn(ratings):
    decomposition = pytest.importorskip("sklearn.decomposition")
    model = NMF(n_factors=5, max_iter=200, dtype="float64").fit(ratings)
    assert (model.user_factors_ >= 0).all()
    assert (model.item_factors_ >= 0).all()
    dense = ratings.toarray()
    loss = ((dense - model.user_factors_ @ model.item_factors_.T) ** 2).sum()
    assert model.loss_ == pytest.approx(loss)
    peer = decomposition.NMF(5, init="nndsvda", max_iter=2000, tol=1e-8, random_state=0)
    peer.fit(sp.csr_matrix(ratings))
    assert loss < 1.02 * peer.reconstruction_err_**2


def test_nmf_loss_falls_with_epochs(ratings):
    losses = [NMF(n_factors=4, max_iter=n).fit(ratings).loss_ for n in (1, 2, 5, 20)]
    assert losses == sorted(losses, reverse=True)


def test_nmf_of_exact_rank_is_found(rng):
    W, H = rng.random((30, 3)), rng.random((3, 20))
    model = NMF(n_factors=3, max_iter=3000, dtype="float64").fit(W @ H)
    assert model.loss_ < 1e-4 * ((W @ H) ** 2).sum()


def test_nmf_steps_are_limited(ratings):
    for n_steps in (2**64, 16385):
        with pytest.raises(ValueError, match="n_steps must be at most 16384"):
            NMF(n_steps=n_steps).fit(ratings)


def test_nmf_refuses_negative_values(ratings):
    X = ratings.copy()
    X.data[3] = -1
    with pytest.raises(ValueError, match="NMF takes no negative values"):
        NMF().fit(X)


# ---- PureSVD -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pure_svd_is_the_svd(ratings, dtype):
    model = PureSVD(n_factors=4, max_iter=40, dtype=dtype).fit(ratings)
    U, s, Vt = np.linalg.svd(ratings.toarray(), full_matrices=False)
    tolerance = 1e-4 if dtype == "float32" else 1e-8
    np.testing.assert_allclose(model.singular_values_, s[:4], rtol=tolerance)
    best = (U[:, :4] * s[:4]) @ Vt[:4]
    got = model.user_factors_ @ model.item_factors_.T
    np.testing.assert_allclose(got, best, atol=100 * tolerance)
    np.testing.assert_allclose(model.item_factors_.T @ model.item_factors_, np.eye(4), atol=1e-4)


def test_pure_svd_of_too_large_values(ratings):
    X = ratings.copy()
    X.data[:] = 1e38
    with pytest.raises(NumericalError, match="use dtype='float64'"):
        PureSVD(n_factors=4).fit(X)


def test_pure_svd_of_less_rank_than_asked(rng):
    X = np.outer(rng.random(6), rng.random(4))
    model = PureSVD(n_factors=100).fit(X)
    assert model.item_factors_.shape == (4, 4)
    np.testing.assert_allclose(model.user_factors_ @ model.item_factors_.T, X, atol=1e-5)


def test_new_users_by_id(ratings):
    data = Interactions.from_csr(ratings, users=np.arange(90), items=np.arange(60))
    for model in (PureSVD(n_factors=4), NMF(n_factors=4), ExplicitALS(n_factors=4)):
        model.fit(data)
        new = Interactions.from_arrays(["x", "x"], [7, 9], [5.0, 1.0])
        lists = model.recommend_new(new, k=3)
        assert lists.queries.tolist() == ["x"]
        assert not {7, 9} & set(lists.ids[0].tolist())
