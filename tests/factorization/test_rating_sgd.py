"""SVD, SVDpp and AsymmetricSVD: training by the kernels' specification, Surprise, borders."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import SVD, AsymmetricSVD, Interactions, SVDpp, kernels, reference
from aimass_core.exceptions import NumericalError

CLASSES = [SVD, SVDpp, AsymmetricSVD]
every = pytest.mark.parametrize("cls", CLASSES)


def ratings(n_users=60, n_items=40, density=0.3, seed=0):
    """Ratings 1 to 5 from biases and two factors; user 4 and item 9 have none."""
    rng = np.random.default_rng(seed)
    biases = rng.normal(0, 0.5, (n_users, 1)) + rng.normal(0, 0.5, n_items)
    values = 3 + biases + rng.normal(0, 0.7, (n_users, 2)) @ rng.normal(0, 0.7, (2, n_items))
    values = np.clip(np.rint(values), 1, 5) * (rng.random((n_users, n_items)) < density)
    values[4], values[:, 9] = 0, 0
    return sp.csr_array(values)


def pairs_of(X):
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices


def error(model, X):
    return float(np.sqrt(np.mean((model.predict(*pairs_of(X)) - X.data) ** 2)))


def test_svd_is_trained_by_its_reference(monkeypatch):
    X = ratings()
    for order in ("shuffled", "stored"):
        options = {"n_factors": 5, "max_iter": 3, "order": order, "dtype": "float64"}
        native = SVD(**options).fit(X)
        with monkeypatch.context() as patch:
            patch.setattr(kernels, "rating_epoch", reference.rating_epoch)
            plain = SVD(**options).fit(X)
        for name in ("user_factors_", "item_factors_", "user_bias_", "item_bias_", "losses_"):
            np.testing.assert_allclose(getattr(native, name), getattr(plain, name), atol=1e-9)


@pytest.mark.parametrize("cls", [SVDpp, AsymmetricSVD])
def test_implicit_models_are_trained_by_their_reference(monkeypatch, cls):
    X = ratings()
    native = cls(n_factors=5, max_iter=3, dtype="float64").fit(X)
    monkeypatch.setattr(kernels, "implicit_rating_epoch", reference.implicit_rating_epoch)
    plain = cls(n_factors=5, max_iter=3, dtype="float64").fit(X)
    for name in (*cls._learned_arrays, "losses_"):
        np.testing.assert_allclose(getattr(native, name), getattr(plain, name), atol=1e-9)


def trainset(X):
    surprise = pytest.importorskip("surprise")
    pd = pytest.importorskip("pandas")
    users, items = pairs_of(X)
    frame = pd.DataFrame({"u": users, "i": items, "r": X.data})
    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5)))
    return surprise, data.build_full_trainset()


@pytest.mark.parametrize("biased", [True, False])
def test_svd_is_that_of_surprise_from_the_same_start(biased):
    X = ratings()
    surprise, data = trainset(X)
    theirs = surprise.SVD(n_factors=6, n_epochs=8, biased=biased, random_state=3).fit(data)
    # Its first factors, and where its inner numbers stand in the matrix.
    rng = np.random.RandomState(3)
    first = [rng.normal(0, 0.1, (n, 6)) for n in (data.n_users, data.n_items)]
    users, items = np.zeros((60, 6)), np.zeros((40, 6))
    user_rows = [data.to_raw_uid(u) for u in range(data.n_users)]
    item_rows = [data.to_raw_iid(i) for i in range(data.n_items)]
    users[user_rows], items[item_rows] = first
    ours = SVD(
        n_factors=6, max_iter=8, biases=biased, order="stored", dtype="float64", clip=False
    ).fit(X, start=(users, items))
    np.testing.assert_allclose(ours.user_factors_[user_rows], theirs.pu, atol=1e-10)
    np.testing.assert_allclose(ours.item_factors_[item_rows], theirs.qi, atol=1e-10)
    if biased:
        np.testing.assert_allclose(ours.user_bias_[user_rows], theirs.bu, atol=1e-10)
        np.testing.assert_allclose(ours.item_bias_[item_rows], theirs.bi, atol=1e-10)
    predictions = [theirs.predict(0, i, clip=False).est for i in item_rows]
    np.testing.assert_allclose(ours.predict([0] * len(item_rows), item_rows), predictions)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_repeats_change_no_bit(cls, dtype):
    X = ratings(400, 300)
    first = cls(n_factors=6, max_iter=3, dtype=dtype, n_threads=1).fit(X)
    assert first.item_factors_.dtype == dtype
    for n_threads in (1, 2, 5):
        again = cls(n_factors=6, max_iter=3, dtype=dtype, n_threads=n_threads).fit(X)
        for name in (*cls._learned_arrays, "losses_"):
            np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    other = cls(n_factors=6, max_iter=3, dtype=dtype, random_state=1).fit(X)
    assert (other.item_factors_ != first.item_factors_).any()


@every
def test_errors_fall_and_predictions_are_better_than_the_mean(cls):
    X = ratings(300, 80)
    rng = np.random.default_rng(1)
    held = rng.random(X.nnz) < 0.2
    rows, columns = pairs_of(X)
    train, test = (
        sp.csr_array((X.data[keep], (rows[keep], columns[keep])), shape=X.shape)
        for keep in (~held, held)
    )
    model = cls(n_factors=4, max_iter=40, learning_rate=0.01).fit(train)
    assert (np.diff(model.losses_) < 0).all()
    assert error(model, test) < 0.85 * np.std(test.data)


@every
def test_predictions_are_mean_biases_and_product_within_the_scale(cls):
    X = ratings()
    model = cls(n_factors=4, max_iter=10, clip=False).fit(X)
    rows, columns = pairs_of(X)
    want = model.mean_ + model.user_bias_[rows] + model.item_bias_[columns]
    want = want + np.einsum("ij,ij->i", model.user_factors_[rows], model.item_factors_[columns])
    np.testing.assert_allclose(model.predict(rows, columns), want, rtol=1e-5)
    tight = cls(n_factors=4, max_iter=10, rating_scale=(2.9, 3.1)).fit(X).predict(rows, columns)
    assert tight.min() >= 2.9
    assert tight.max() <= 3.1


@every
def test_zeros_that_are_stored_are_ratings(cls):
    X = sp.csr_array((np.zeros(4), [0, 1, 0, 1], [0, 2, 4]), shape=(2, 2))
    model = cls(n_factors=2, max_iter=5).fit(X)
    assert model.mean_ == 0
    np.testing.assert_allclose(model.predict([0, 1], [0, 1]), 0, atol=0.2)


@every
def test_early_stopping_keeps_the_best_epoch(cls):
    X = ratings()
    rows, columns = pairs_of(X)
    held = np.random.default_rng(1).random(X.nnz) < 0.2
    train, test = (
        sp.csr_array((X.data[keep], (rows[keep], columns[keep])), shape=X.shape)
        for keep in (~held, held)
    )
    options = {"n_factors": 8, "learning_rate": 0.05, "regularization": 0.0, "max_iter": 300}
    model = cls(**options).fit(train, validation=test)
    scores = model.scores_
    assert len(scores) == len(model.losses_) < 300
    assert model.n_iter_ == 1 + int(np.argmin(scores))
    assert error(model, test) == pytest.approx(scores.min(), rel=1e-5)
    short = cls(**options | {"max_iter": model.n_iter_}).fit(train)
    np.testing.assert_array_equal(model.item_factors_, short.item_factors_)


@every
def test_divergence_is_named_and_leaves_the_model(cls):
    X = ratings()
    model = cls(n_factors=4, max_iter=2).fit(X)
    before = model.item_factors_.copy()
    model.set_params(learning_rate=1e6, max_iter=20)
    with pytest.raises(NumericalError, match=r"epoch \d+.*learning_rate"):
        model.fit(X)
    np.testing.assert_array_equal(model.item_factors_, before)


@every
def test_partial_fit_moves_changed_users_only(cls):
    X = ratings()
    rows, columns = pairs_of(X)
    old = rows < 50
    first = Interactions.from_arrays(rows[old], columns[old], X.data[old])
    new = Interactions.from_arrays(
        np.append(rows[~old], 3), np.append(columns[~old], 777), np.append(X.data[~old], 5.0)
    )
    model = cls(n_factors=4, max_iter=30, learning_rate=0.01, clip=False).fit(first)
    bias = dict(zip(model.users_.ids.tolist(), model.user_bias_.tolist(), strict=True))
    mean = model.mean_
    model.partial_fit(new)
    assert model.mean_ == mean
    assert 777 in model.items_.ids
    after = dict(zip(model.users_.ids.tolist(), model.user_bias_.tolist(), strict=True))
    assert all(after[user] == value for user, value in bias.items() if user != 3)
    assert after[3] != bias[3]
    got = model.predict(rows[~old], columns[~old])
    assert np.sqrt(np.mean((got - X.data[~old]) ** 2)) < np.std(X.data[~old])


@every
def test_new_users_are_predicted_like_those_of_the_fit(cls):
    X = ratings(300, 80)
    model = cls(n_factors=4, max_iter=60, learning_rate=0.01, clip=False).fit(X)
    vectors, biases = model._solve_new(X, 1)
    rows, columns = pairs_of(X)
    products = np.einsum("ij,ij->i", vectors[rows], model.item_factors_[columns])
    got = model.mean_ + biases[rows] + model.item_bias_[columns] + products
    assert np.sqrt(np.mean((got - X.data) ** 2)) < 1.1 * error(model, X)


@every
@pytest.mark.parametrize(
    "X",
    [np.full((6, 1), 4.0), np.full((5, 4), 3.0), 5.0 * np.eye(1, 5), np.zeros((4, 3))],
)
def test_border_shapes(cls, X):
    model = cls(n_factors=3, max_iter=3).fit(X)
    assert np.isfinite(model.item_factors_).all()
    assert model.recommend(k=2, exclude_seen=False).indices.shape == (len(X), min(2, X.shape[1]))
    assert np.isfinite(model.predict([0], [0])).all()


@every
def test_rows_without_ratings_are_neutral(cls):
    model = cls(n_factors=3, max_iter=5, clip=False).fit(ratings())
    assert not model.user_factors_[4].any()
    assert model.user_bias_[4] == model.item_bias_[9] == 0
    assert model.predict([4], [9])[0] == pytest.approx(model.mean_)


def test_penalties_and_rates_of_groups():
    X = ratings()
    still = SVD(n_factors=3, max_iter=5, learning_rate_user=0.0).fit(X)
    first = SVD(n_factors=3, max_iter=1, learning_rate_user=0.0).fit(X)
    np.testing.assert_array_equal(still.user_factors_, first.user_factors_)
    weak, strong = (
        SVD(n_factors=3, max_iter=50, regularization_item=value).fit(X) for value in (0.0, 5.0)
    )
    assert np.abs(strong.item_factors_).sum() < 0.5 * np.abs(weak.item_factors_).sum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_factors": 0}, "n_factors must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate_item": -1.0}, "learning_rate_item must be at least 0"),
        ({"regularization": -1.0}, "regularization must be at least 0"),
        ({"regularization_item_bias": float("nan")}, "regularization_item_bias"),
        ({"init_std": -1.0}, "init_std must be at least 0"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"dtype": "int8"}, "dtype must be"),
        ({"rating_scale": (5, 1)}, "rating_scale"),
    ],
)
@every
def test_wrong_parameters(cls, options, message):
    with pytest.raises(ValueError, match=message):
        cls(**options).fit(ratings())


def test_wrong_order():
    with pytest.raises(ValueError, match="order must be"):
        SVD(order="random").fit(ratings())
