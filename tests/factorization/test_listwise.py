"""LogisticMF, SampledSoftmaxMF and CosineContrastiveMF: training, scores, updates, borders."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import (
    CosineContrastiveMF,
    LogisticMF,
    SampledSoftmaxMF,
    kernels,
    reference,
)
from aimass_core.exceptions import NumericalError

every = pytest.mark.parametrize("cls", [LogisticMF, SampledSoftmaxMF, CosineContrastiveMF])
cosines = pytest.mark.parametrize("cls", [SampledSoftmaxMF, CosineContrastiveMF])


def planted(n_users=120, n_items=60, n_groups=4, seed=0):
    """Users of a few groups, each with items of its own, and some at random."""
    rng = np.random.default_rng(seed)
    own = (np.arange(n_users) % n_groups)[:, None] == np.arange(n_items) % n_groups
    return sp.csr_array((rng.random((n_users, n_items)) < np.where(own, 0.5, 0.03)) * 1.0)


@every
def test_training_is_that_of_the_reference(monkeypatch, cls):
    X = planted(30, 20)
    options = {"n_factors": 4, "max_iter": 2, "n_negatives": 3, "dtype": "float64"}
    native = cls(**options).fit(X)
    monkeypatch.setattr(kernels, "listwise_epoch", reference.listwise_epoch)
    plain = cls(**options).fit(X)
    for name in ("user_factors_", "item_factors_", "item_bias_", "losses_"):
        np.testing.assert_allclose(getattr(native, name), getattr(plain, name), atol=1e-9)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_change_no_bit(cls, dtype):
    X = planted()
    one, many = (cls(n_factors=5, max_iter=3, dtype=dtype, n_threads=n).fit(X) for n in (1, 3))
    assert one.item_factors_.dtype == dtype
    np.testing.assert_array_equal(one.user_factors_, many.user_factors_)
    np.testing.assert_array_equal(one.item_factors_, many.item_factors_)


@every
def test_the_planted_groups_are_learned(cls):
    X = planted()
    model = cls(n_factors=8, max_iter=40).fit(X)
    lists = model.recommend(k=5)
    assert (lists.indices % 4 == (np.arange(120) % 4)[:, None]).mean() > 0.6  # by chance: .25
    new = model.recommend_new(X[:12], k=5)
    assert (new.indices % 4 == (np.arange(12) % 4)[:, None]).mean() > 0.6
    assert model.losses_[-1] < model.losses_[0]


@cosines
def test_scores_are_cosines(cls):
    model = cls(n_factors=5, max_iter=3).fit(planted())
    for factors in (model.user_factors_, model.item_factors_):
        np.testing.assert_allclose(np.linalg.norm(factors, axis=1), 1, rtol=1e-5)
    scores = model.predict(np.arange(60), np.arange(60))
    assert np.abs(scores).max() <= 1 + 1e-6
    assert not model.item_bias_.any()


def test_logistic_scores_are_log_odds():
    """Of pairs of which half are positives, the mean probability is about a half."""
    X = planted()
    model = LogisticMF(n_factors=8, max_iter=60, n_negatives=16).fit(X)
    rows, columns = X.nonzero()
    assert model.predict(rows, columns).mean() > 0.5
    rng = np.random.default_rng(0)
    others = model.predict(rows, rng.integers(0, 60, len(rows)))
    assert others.mean() < model.predict(rows, columns).mean()


@every
def test_partial_fit_keeps_other_users(cls):
    X = planted()
    model = cls(n_factors=6, max_iter=20).fit(X[:110])
    before = model.user_factors_.copy()
    model.partial_fit(X[110:])
    np.testing.assert_allclose(model.user_factors_[:110], before, atol=1e-6)
    lists = model.recommend([112, 117], k=4)
    assert (lists.indices % 4 == np.array([[0], [1]])).mean() >= 0.7


@every
def test_early_stopping_keeps_the_best_epoch(cls):
    X = planted()
    rng = np.random.default_rng(1)
    held = rng.random(X.nnz) < 0.2
    rows = np.repeat(np.arange(120), np.diff(X.indptr))
    train, test = (
        sp.csr_array((X.data[keep], (rows[keep], X.indices[keep])), shape=X.shape)
        for keep in (~held, held)
    )
    model = cls(n_factors=8, max_iter=200, learning_rate=0.2, patience=2).fit(
        train, validation=test
    )
    assert len(model.scores_) < 200
    assert model.n_iter_ == 1 + int(np.argmax(model.scores_))


@every
def test_divergence_is_named_and_leaves_the_model(cls):
    X = planted()
    model = cls(n_factors=4, max_iter=2).fit(X)
    before = model.item_factors_.copy()
    model.set_params(optimizer="sgd", learning_rate=1e30, regularization=1.0)
    with pytest.raises(NumericalError, match=r"epoch \d+.*learning_rate"):
        model.fit(X)
    np.testing.assert_array_equal(model.item_factors_, before)


@every
@pytest.mark.parametrize("X", [np.ones((6, 1)), np.ones((5, 4)), np.eye(1, 5), np.zeros((4, 3))])
def test_border_shapes(cls, X):
    model = cls(n_factors=3, max_iter=3).fit(X)
    assert np.isfinite(model.item_factors_).all()
    assert model.recommend(k=2).indices.shape == (len(X), min(2, X.shape[1]))


@pytest.mark.parametrize(
    ("cls", "options", "message"),
    [
        (LogisticMF, {"negative_weight": -1.0}, "negative_weight must be at least 0"),
        (LogisticMF, {"n_negatives": 0}, "n_negatives must be at least 1"),
        (SampledSoftmaxMF, {"temperature": 0.0}, "temperature must be above 0"),
        (SampledSoftmaxMF, {"regularization_user": -1.0}, "regularization_user must be at least 0"),
        (CosineContrastiveMF, {"margin": 2.0}, "margin must be at most 1"),
        (CosineContrastiveMF, {"negative_weight": -1.0}, "negative_weight must be at least 0"),
    ],
)
def test_wrong_parameters(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options).fit(planted(20, 10))
