"""CoClustering and RatingNMF: equal to Surprise from the same start, and by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from aimass_core import CoClustering, RatingNMF
from aimass_core.exceptions import NumericalError

every = pytest.mark.parametrize("cls", [CoClustering, RatingNMF])


def ratings(n_users=60, n_items=40, density=0.3, seed=0):
    """Ratings 1 to 5 of three kinds of users; user 4 and item 9 have none."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(0, 1, (3, 3))[np.arange(n_users) % 3][:, np.arange(n_items) % 3]
    values = 3 + taste + rng.normal(0, 0.6, (n_users, n_items))
    values = np.clip(np.rint(values), 1, 5) * (rng.random((n_users, n_items)) < density)
    values[4], values[:, 9] = 0, 0
    return sp.csr_array(values)


def pairs_of(X):
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices


def surprise_of(X):
    surprise = pytest.importorskip("surprise")
    pd = pytest.importorskip("pandas")
    users, items = pairs_of(X)
    frame = pd.DataFrame({"u": users, "i": items, "r": X.data})
    data = surprise.Dataset.load_from_df(frame, surprise.Reader(rating_scale=(1, 5)))
    data = data.build_full_trainset()
    user_rows = [data.to_raw_uid(u) for u in range(data.n_users)]
    item_rows = [data.to_raw_iid(i) for i in range(data.n_items)]
    return surprise, data, user_rows, item_rows


@pytest.mark.parametrize("seed", [0, 3])
def test_co_clustering_is_that_of_surprise_from_the_same_start(seed):
    X = ratings()
    surprise, data, user_rows, item_rows = surprise_of(X)
    theirs = surprise.CoClustering(n_cltr_u=3, n_cltr_i=4, random_state=seed).fit(data)
    rng = np.random.RandomState(seed)
    users, items = np.zeros(60, int), np.zeros(40, int)
    users[user_rows] = rng.randint(3, size=data.n_users)
    items[item_rows] = rng.randint(4, size=data.n_items)
    ours = CoClustering(n_user_clusters=3, n_item_clusters=4, clip=False)
    ours.fit(X, start=(users, items))
    np.testing.assert_array_equal(ours.user_clusters_[user_rows], theirs.cltr_u)
    np.testing.assert_array_equal(ours.item_clusters_[item_rows], theirs.cltr_i)
    rows, columns = pairs_of(X)
    want = [theirs.predict(u, i, clip=False).est for u, i in zip(rows, columns, strict=True)]
    np.testing.assert_allclose(ours.predict(rows, columns), want, atol=1e-10)


@pytest.mark.parametrize("biased", [False, True])
def test_nmf_is_that_of_surprise_from_the_same_start(biased):
    X = ratings()
    surprise, data, user_rows, item_rows = surprise_of(X)
    own = {"lr_bu": 0.01, "lr_bi": 0.02, "reg_bu": 0.03, "reg_bi": 0.04} if biased else {}
    theirs = surprise.NMF(n_factors=6, n_epochs=12, random_state=3, biased=biased, **own).fit(data)
    rng = np.random.RandomState(3)
    users, items = np.ones((60, 6)), np.ones((40, 6))
    users[user_rows] = rng.uniform(0, 1, (data.n_users, 6))
    items[item_rows] = rng.uniform(0, 1, (data.n_items, 6))
    options = {"biases": True} if biased else {}
    for theirs_name, name in (("lr", "learning_rate"), ("reg", "regularization")):
        for letter, side in (("u", "user"), ("i", "item")):
            if biased:
                options[f"{name}_{side}_bias"] = own[f"{theirs_name}_b{letter}"]
    ours = RatingNMF(n_factors=6, max_iter=12, clip=False, **options)
    ours.fit(X, start=(users, items))
    if biased:
        np.testing.assert_allclose(ours.user_bias_[user_rows], theirs.bu, atol=1e-10)
        np.testing.assert_allclose(ours.item_bias_[item_rows], theirs.bi, atol=1e-10)
    np.testing.assert_allclose(ours.user_factors_[user_rows], theirs.pu, atol=1e-10)
    np.testing.assert_allclose(ours.item_factors_[item_rows], theirs.qi, atol=1e-10)
    rows, columns = pairs_of(X)
    want = [theirs.predict(u, i, clip=False).est for u, i in zip(rows, columns, strict=True)]
    np.testing.assert_allclose(ours.predict(rows, columns), want, atol=1e-10)


def test_clusters_and_means_of_a_planted_matrix():
    X = ratings(density=0.9)
    models = [CoClustering(random_state=seed).fit(X) for seed in range(6)]
    rows, columns = pairs_of(X)
    model = min(models, key=lambda m: ((m.predict(rows, columns) - X.data) ** 2).sum())
    kinds = [np.arange(60)[model.user_clusters_ == a] % 3 for a in range(3)]
    assert sum(np.bincount(kind).max() for kind in kinds) >= 40  # of 59 users; by chance about 25
    a, b = model.user_clusters_[rows], model.item_clusters_[columns]
    for place in np.ndindex(3, 3):
        chosen = (a == place[0]) & (b == place[1])
        assert model.cluster_means_[place] == pytest.approx(X.data[chosen].mean())
    assert model.cluster_means_[-1, -1] == pytest.approx(X.data.mean())
    assert model.cluster_means_[1, -1] == pytest.approx(X.data[a == 1].mean())


def test_co_clustering_of_rows_without_ratings():
    X = ratings()
    model = CoClustering(clip=False).fit(X)
    assert model.user_clusters_[4] == model.item_clusters_[9] == -1
    dense = X.toarray()
    mean_of = lambda values: values[values > 0].mean()  # noqa: E731
    assert model.predict([4], [3])[0] == pytest.approx(mean_of(dense[:, 3]))
    assert model.predict([3], [9])[0] == pytest.approx(mean_of(dense[3]))
    assert model.predict([4], [9])[0] == pytest.approx(X.data.mean())


def test_new_users_get_the_cluster_and_predictions_of_the_fit():
    X = ratings(density=0.6)
    model = CoClustering(clip=False, max_iter=100).fit(X)
    vectors, biases = model._solve_new(X, 1)
    np.testing.assert_allclose(vectors, model.user_factors_)
    np.testing.assert_allclose(biases, model.user_bias_)


def test_nmf_factors_are_not_negative_and_the_error_falls():
    X = ratings(density=0.8)
    model = RatingNMF(n_factors=5, max_iter=100, clip=False).fit(X)
    assert (model.user_factors_ >= 0).all()
    assert (model.item_factors_ >= 0).all()
    assert model.losses_[-1] < 0.7 * model.losses_[5]
    assert not model.user_factors_[4].any()
    vectors, _ = model._solve_new(X, 1)
    rows, columns = pairs_of(X)
    products = np.einsum("ij,ij->i", vectors[rows], model.item_factors_[columns])
    error = np.sqrt(np.mean((products - X.data) ** 2))
    assert error < 1.1 * np.sqrt(np.mean((model.predict(rows, columns) - X.data) ** 2))


def test_biased_nmf_learns_biases_and_solves_new_users():
    X = ratings(density=0.8)
    model = RatingNMF(n_factors=2, max_iter=100, clip=False, biases=True).fit(X)
    assert (model.user_factors_ >= 0).all()
    assert model.mean_ == pytest.approx(X.data.mean())
    assert model.losses_[-1] < 0.7 * model.losses_[0]
    assert model.user_bias_.any()
    assert model.user_bias_[4] == model.item_bias_[9] == 0
    vectors, biases = model._solve_new(X, 1)
    rows, columns = pairs_of(X)
    products = np.einsum("ij,ij->i", vectors[rows], model.item_factors_[columns])
    found = model.mean_ + biases[rows] + model.item_bias_[columns] + products
    error = np.sqrt(np.mean((found - X.data) ** 2))
    assert error < 1.1 * np.sqrt(np.mean((model.predict(rows, columns) - X.data) ** 2))


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_repeats_change_no_bit(cls, dtype):
    X = ratings()
    a, b = (cls(dtype=dtype, max_iter=5).fit(X) for _ in range(2))
    assert a.item_factors_.dtype == dtype
    np.testing.assert_array_equal(a.user_factors_, b.user_factors_)


@every
@pytest.mark.parametrize(
    "X", [np.full((6, 1), 4.0), np.full((5, 4), 3.0), 5.0 * np.eye(1, 5), np.zeros((4, 3))]
)
def test_border_shapes(cls, X):
    model = cls(max_iter=3).fit(X)
    assert model.recommend(k=2, exclude_seen=False).indices.shape == (len(X), min(2, X.shape[1]))
    assert np.isfinite(model.predict([0], [0])).all()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (CoClustering(n_user_clusters=0), "n_user_clusters must be at least 1"),
        (CoClustering(max_iter=0), "max_iter must be at least 1"),
        (RatingNMF(n_factors=0), "n_factors must be at least 1"),
        (RatingNMF(regularization_item=-1.0), "regularization_item must be at least 0"),
        (RatingNMF(init_low=2.0), "init_high must be at least 2"),
        (RatingNMF(learning_rate_user_bias=0.1), "no effect with biases=False"),
        (
            RatingNMF(biases=True, regularization_item_bias=-1.0),
            "regularization_item_bias must be at least 0",
        ),
    ],
    ids=repr,
)
def test_wrong_parameters(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit(ratings())


def test_wrong_starts_and_ratings():
    X = ratings()
    with pytest.raises(ValueError, match="clusters of users must be 60 whole numbers"):
        CoClustering().fit(X, start=(np.zeros(3, int), np.zeros(40, int)))
    with pytest.raises(ValueError, match="clusters of items must be within 0 and 2"):
        CoClustering().fit(X, start=(np.zeros(60, int), np.full(40, 3)))
    with pytest.raises(ValueError, match="factors must have the shapes"):
        RatingNMF(n_factors=3).fit(X, start=(np.ones((60, 2)), np.ones((40, 3))))
    with pytest.raises(ValueError, match="finite and at least 0"):
        RatingNMF(n_factors=1).fit(X, start=(-np.ones((60, 1)), np.ones((40, 1))))
    with pytest.raises(ValueError, match="ratings of at least 0, got -1"):
        RatingNMF().fit(np.array([[-1.0, 2.0]]))
    with pytest.raises(NumericalError, match="epoch 1: the factors overflow"):
        RatingNMF(init_low=1e200, init_high=1e200).fit(X)
    with pytest.raises(NumericalError, match=r"sums of squared ratings overflow.*scale"):
        CoClustering().fit(np.full((3, 2), 1e300))
