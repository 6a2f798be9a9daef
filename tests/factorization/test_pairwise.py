"""BPR and WARP: training by the kernel's specification, early stopping, updates, borders."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import BPR, WARP, Interactions, Popularity, kernels, reference
from aimass_core.base.threads import resolve_n_threads
from aimass_core.exceptions import NumericalError

MODELS = [
    BPR(n_factors=5, max_iter=4),
    BPR(n_factors=5, max_iter=4, optimizer="sgd", n_candidates=1),
    BPR(n_factors=5, max_iter=4, optimizer="momentum", biases=False),
    BPR(n_factors=5, max_iter=4, optimizer="adam", n_candidates=3, negatives="popularity"),
    WARP(n_factors=5, max_iter=4),
    WARP(n_factors=5, max_iter=4, n_positives=3, k_positive=2, regularization_user=0.1),
]
every = pytest.mark.parametrize("model", MODELS, ids=repr)
both = pytest.mark.parametrize("cls", [BPR, WARP])


def planted(n_users=120, n_items=60, n_groups=4, seed=0):
    """Users of a few groups, each with items of its own, and some at random."""
    rng = np.random.default_rng(seed)
    own = (np.arange(n_users) % n_groups)[:, None] == np.arange(n_items) % n_groups
    return sp.csr_array((rng.random((n_users, n_items)) < np.where(own, 0.5, 0.03)) * 1.0)


def fitted(model, X, **options):
    return type(model)(**model.get_params(deep=False) | options).fit(X)


@every
def test_training_is_that_of_the_reference(monkeypatch, model):
    X = planted(30, 20)
    native = fitted(model, X, dtype="float64")
    monkeypatch.setattr(kernels, "pairwise_epoch", reference.pairwise_epoch)
    plain = fitted(model, X, dtype="float64")
    for name in ("user_factors_", "item_factors_", "item_bias_", "losses_"):
        np.testing.assert_allclose(getattr(native, name), getattr(plain, name), atol=1e-9)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_repeats_change_no_bit(model, dtype):
    X = planted()
    first = fitted(model, X, dtype=dtype, n_threads=1)
    assert first.item_factors_.dtype == dtype
    for n_threads in (1, 2, resolve_n_threads(None) + 2):
        again = fitted(model, X, dtype=dtype, n_threads=n_threads)
        np.testing.assert_array_equal(again.user_factors_, first.user_factors_)
        np.testing.assert_array_equal(again.item_factors_, first.item_factors_)
        np.testing.assert_array_equal(again.losses_, first.losses_)
    other = fitted(model, X, dtype=dtype, random_state=1)
    assert (other.item_factors_ != first.item_factors_).any()


@both
def test_the_planted_groups_are_learned(cls):
    X = planted()
    few = {"n_candidates": 2} if cls is BPR else {}  # a third of the own items are held out
    lists = cls(n_factors=8, max_iter=60, **few).fit(X).recommend(k=5)
    assert (lists.indices % 4 == (np.arange(120) % 4)[:, None]).mean() > 0.8


@both
def test_scores_are_products_and_biases(cls):
    X = planted()
    model = cls(n_factors=5, max_iter=3).fit(X)
    assert model.item_bias_.any()
    rows, columns = np.arange(20), np.arange(20)
    want = np.einsum("ij,ij->i", model.user_factors_[rows], model.item_factors_[columns])
    np.testing.assert_allclose(
        model.predict(rows, columns), want + model.item_bias_[columns], rtol=1e-5, atol=1e-6
    )
    assert not cls(n_factors=5, max_iter=3, biases=False).fit(X).item_bias_.any()


@both
def test_values_of_zero_and_below_are_seen_but_no_positives(cls):
    X = planted()
    marked = sp.lil_array(X)
    marked[0, :] = 0
    marked[0, 3] = -1.0
    marked[5, 7] = -2.0
    marked = sp.csr_array(marked)
    without = marked.copy()
    without.data[without.data < 0] = 0
    without.eliminate_zeros()
    a, b = (cls(n_factors=5, max_iter=3).fit(m) for m in (marked, without))
    np.testing.assert_array_equal(a.item_factors_, b.item_factors_)
    assert not a.user_factors_[0].any()
    assert 7 not in a.recommend([5], k=60).indices


@both
def test_early_stopping_keeps_the_best_epoch(cls):
    X = planted()
    rng = np.random.default_rng(1)
    held = rng.random(X.nnz) < 0.2
    rows = np.repeat(np.arange(120), np.diff(X.indptr))
    train, test = (
        sp.csr_array((X.data[keep], (rows[keep], X.indices[keep])), shape=X.shape)
        for keep in (~held, held)
    )
    options = {"n_factors": 8, "learning_rate": 0.3, "max_iter": 200, "metric": "recall@5"}
    model = cls(**options, patience=2).fit(train, validation=test)
    scores = model.scores_
    assert len(scores) == len(model.losses_) < 200
    assert model.n_iter_ == 1 + int(np.argmax(scores))
    assert len(scores) == model.n_iter_ + 2
    short = cls(**options | {"max_iter": model.n_iter_}).fit(train)
    np.testing.assert_array_equal(model.item_factors_, short.item_factors_)
    sparse = cls(**options, patience=1, validation_interval=3).fit(train, validation=test)
    assert len(sparse.scores_) == -(-len(sparse.losses_) // 3)
    with pytest.raises(ValueError, match="patience must be at least 1"):
        cls(patience=0).fit(train, validation=test)


@both
def test_a_callback_sees_every_epoch_and_may_end_training(cls):
    events = []

    def callback(event):
        events.append(event.step)
        return event.step == 3

    model = cls(n_factors=4, max_iter=20).fit(planted(), callback=callback)
    assert events == [1, 2, 3]
    assert model.n_iter_ == len(model.losses_) == 3
    assert model.recommend(k=2).indices.shape == (120, 2)


@both
def test_divergence_is_named_within_an_epoch_and_leaves_the_model(cls):
    X = planted()
    model = cls(n_factors=4, max_iter=2, optimizer="sgd").fit(X)
    before = model.item_factors_.copy()
    model.set_params(learning_rate=1e30)
    with pytest.raises(NumericalError, match=r"epoch 1.*learning_rate"):
        model.fit(X)
    np.testing.assert_array_equal(model.item_factors_, before)


@both
def test_training_goes_on_from_a_start(cls):
    X = planted()
    first = cls(n_factors=4, max_iter=30).fit(X)
    warm = cls(n_factors=4, max_iter=1).fit(X, start=first)
    assert warm.losses_[0] < 0.95 * first.losses_[0]
    pair = cls(n_factors=4, max_iter=1).fit(X, start=(first.user_factors_, first.item_factors_))
    assert pair.losses_[0] < 0.95 * first.losses_[0]
    with pytest.raises(ValueError, match="start"):
        cls(n_factors=4).fit(X, start=(first.user_factors_[:3], first.item_factors_))


@both
def test_partial_fit_moves_changed_users_only(cls):
    X = planted()
    users, items = X.nonzero()
    first = Interactions.from_arrays(users[users < 110], items[users < 110])
    late = users >= 110
    new = Interactions.from_arrays(np.append(users[late], 3), np.append(items[late], 777))
    model = cls(n_factors=6, max_iter=30).fit(first)
    before = model.user_factors_.copy()
    model.partial_fit(new)
    assert model.items_.ids[-1] == 777
    kept = np.arange(110) != 3
    np.testing.assert_array_equal(model.user_factors_[:110][kept], before[kept])
    assert (model.user_factors_[3] != before[3]).any()
    lists = model.recommend([112, 117], k=4)
    assert (lists.ids % 4 == np.array([[0], [1]])).mean() >= 0.75
    only_read = cls(n_factors=6, max_iter=30, update_iter=0).fit(first)
    factors = only_read.item_factors_.copy()
    only_read.partial_fit(new)
    np.testing.assert_array_equal(only_read.item_factors_[: len(factors)], factors)


@both
def test_new_users_get_factors_like_those_of_the_fit(cls):
    X = planted()
    model = cls(n_factors=8, max_iter=60).fit(X)
    solved = model.fold_in(X)
    cosine = np.einsum("ij,ij->i", solved, model.user_factors_) / (
        np.linalg.norm(solved, axis=1) * np.linalg.norm(model.user_factors_, axis=1)
    )
    assert np.median(cosine) > 0.8
    size = np.linalg.norm(solved) / np.linalg.norm(model.user_factors_)
    assert 0.8 < size < 1.25
    lists = model.recommend_new(X[:12], k=5)
    assert (lists.indices % 4 == (np.arange(12) % 4)[:, None]).mean() > 0.8


@both
@pytest.mark.parametrize(
    "X",
    [
        np.ones((6, 1)),  # one item
        np.ones((5, 4)),  # users with everything
        np.eye(1, 5),  # one entry
        np.zeros((4, 3)),
        np.vstack([np.ones((2, 4)), np.zeros((3, 4)), np.eye(3, 4)]),
    ],
)
def test_border_shapes(cls, X):
    model = cls(n_factors=3, max_iter=3).fit(X)
    assert np.isfinite(model.item_factors_).all()
    assert not model.user_factors_[X.sum(axis=1) == 0].any()
    assert model.recommend(k=2).indices.shape == (len(X), min(2, X.shape[1]))
    assert np.isfinite(model.losses_).all()


@both
def test_the_input_is_not_changed(cls):
    X = planted()
    copy = X.copy()
    cls(n_factors=3, max_iter=2).fit(X)
    np.testing.assert_array_equal(X.indices, copy.indices)
    np.testing.assert_array_equal(X.data, copy.data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_factors": 0}, "n_factors must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"optimizer": "newton"}, "optimizer must be"),
        ({"momentum": 1.0, "optimizer": "momentum"}, "momentum must be at most"),
        ({"regularization": -1.0}, "regularization must be at least 0"),
        ({"regularization_negative": -1.0}, "regularization_negative must be at least 0"),
        ({"negatives": "hard"}, "negatives must be"),
        ({"n_candidates": 0}, "n_candidates must be at least 1"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"update_iter": -1}, "update_iter must be at least 0"),
        ({"dtype": "int8"}, "dtype must be"),
    ],
)
@both
def test_wrong_parameters(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options).fit(planted(20, 10))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"margin": 0.0}, "margin must be above 0"),
        ({"k_positive": 2}, "k_positive"),
        ({"n_positives": 0}, "n_positives must be at least 1"),
    ],
)
def test_wrong_parameters_of_warp(options, message):
    with pytest.raises(ValueError, match=message):
        WARP(**options).fit(planted(20, 10))


def test_popularity_draws_lower_popular_items():
    """Popular negatives are pushed down more often, so that lists are less popular."""
    X = planted()
    uniform, popular = (
        BPR(n_factors=2, max_iter=20, **options).fit(X)
        for options in ({}, {"negatives": "popularity", "popularity_power": 2.0})
    )
    counts = Popularity().fit(X).item_counts_
    correlation = [np.corrcoef(counts, m.item_bias_)[0, 1] for m in (uniform, popular)]
    assert correlation[1] < correlation[0]
