"""ImplicitALS: optimality, the same model by every road, growth, reasons, hostile input."""

from __future__ import annotations

import copy
import multiprocessing
import pickle

import numpy as np
import psutil
import pytest
import scipy.sparse as sp

from aimass_core import ImplicitALS, Interactions, ItemKNN
from aimass_core.exceptions import NotFittedError, NumericalError

EXACT = {"solver": "cholesky", "dtype": "float64", "n_factors": 6, "max_iter": 3}


@pytest.fixture
def ratings(rng):
    X = sp.random_array((80, 50), density=0.2, random_state=rng, format="csr", dtype=np.float32)
    X.data = rng.integers(-1, 6, X.nnz).astype(np.float32)
    return X


def dense_loss(model, X):
    """The loss written out over all pairs."""
    p = model.get_params()
    values, w0 = X.toarray().astype(np.float64), model.unobserved_weight_
    seen, positive = values != 0, values > 0
    s = model.user_factors_.astype(np.float64) @ model.item_factors_.T.astype(np.float64)
    scaled = p["alpha"] * np.abs(values)
    if p["confidence"] == "added":
        pairs = scaled * (positive - s) ** 2 + w0 * s**2
    elif p["confidence"] == "linear":
        pairs = (w0 + scaled) * (positive - s) ** 2
    else:
        pairs = np.where(seen, scaled, w0) * (positive - s) ** 2
    total = pairs.sum()
    for axis, side in ((1, model.user_factors_), (0, model.item_factors_)):
        counts = seen.sum(axis=axis) + w0 * values.shape[axis]
        ridge = p["regularization"] * counts ** p["nu"]
        total += ridge @ (side.astype(np.float64) ** 2).sum(axis=1)
    return total


@pytest.mark.parametrize("confidence", ["added", "linear", "total"])
@pytest.mark.parametrize("nu", [0, 0.7, 1.0])
def test_the_loss_is_that_over_all_pairs_and_falls(ratings, confidence, nu):
    model = ImplicitALS(
        **EXACT | {"max_iter": 8}, confidence=confidence, nu=nu, alpha=2.0, track_loss=True
    ).fit(ratings)
    assert model.losses_[-1] == pytest.approx(dense_loss(model, ratings), rel=1e-10)
    assert (np.diff(model.losses_) < 0).all()


@pytest.mark.parametrize("confidence", ["added", "linear", "total"])
def test_no_small_change_of_a_users_factors_lowers_the_loss(ratings, confidence, rng):
    model = ImplicitALS(**EXACT, confidence=confidence).fit(ratings)
    best = dense_loss(model, ratings)
    for _ in range(20):
        moved = copy.copy(model)
        moved.user_factors_ = model.user_factors_ + rng.normal(0, 1e-4, (80, 6))
        assert dense_loss(moved, ratings) > best


def test_the_default_weight_of_unobserved_pairs():
    dense, sparse = np.ones((10, 10)), sp.eye_array(1000, format="csr") * 2.0
    assert ImplicitALS(alpha=3).fit(dense).unobserved_weight_ == pytest.approx(0.3)
    assert ImplicitALS().fit(sparse).unobserved_weight_ == pytest.approx(2 * 10 / 1000)
    assert ImplicitALS(unobserved_weight=0.5).fit(dense).unobserved_weight_ == 0.5


def test_solvers_reach_the_same_loss(ratings):
    losses = {}
    for solver in ("cholesky", "pcg", "cg", "subspace"):
        options = {"block_size": 16} if solver == "subspace" else {}
        model = ImplicitALS(n_factors=20, max_iter=100, solver=solver, track_loss=True, **options)
        losses[solver] = model.fit(ratings).losses_[-1]
    for solver in ("cg", "pcg"):
        assert losses[solver] == pytest.approx(losses["cholesky"], rel=5e-3)
    assert losses["subspace"] == pytest.approx(losses["cholesky"], rel=5e-3)


def test_the_solver_chosen_follows_from_the_number_of_factors(ratings):
    for n_factors, solver, n_steps in ((16, "cholesky", None), (17, "pcg", 2)):
        options = {"n_factors": n_factors, "max_iter": 2}
        chosen = ImplicitALS(**options).fit(ratings)
        named = ImplicitALS(**options, solver=solver, n_steps=n_steps).fit(ratings)
        np.testing.assert_array_equal(chosen.item_factors_, named.item_factors_)


def test_nonnegative_factors(ratings):
    model = ImplicitALS(solver="nonnegative", n_factors=5, track_loss=True).fit(ratings)
    assert (model.user_factors_ >= 0).all()
    assert (model.item_factors_ >= 0).all()
    assert (np.diff(model.losses_) < 1e-4).all()


def test_a_dislike_is_no_preference_and_a_stored_zero_is_nothing():
    X = np.array([[1.0, -2, 0], [1, 1, 0], [0, 1, 1]])
    disliked = ImplicitALS(n_factors=2).fit(X).predict([0], [1])
    unknown = ImplicitALS(n_factors=2).fit(np.abs(X) * (X > 0)).predict([0], [1])
    assert disliked < unknown
    stored = sp.csr_array(np.where(X == 0, 7.0, X))
    stored.data[stored.data == 7] = 0
    a, b = (ImplicitALS(n_factors=2, dtype="float64").fit(x) for x in (stored, X))
    np.testing.assert_allclose(a.user_factors_, b.user_factors_, atol=1e-12)


# ---- forms of input ----------------------------------------------------------------------------


def test_every_form_of_input_gives_the_same_factors(ratings, tmp_path):
    expected = ImplicitALS(n_factors=7).fit(ratings)
    wide = ratings.copy()
    wide.indptr, wide.indices = wide.indptr.astype(np.int64), wide.indices.astype(np.int64)
    np.save(tmp_path / "data.npy", ratings.data)
    mapped = ratings.copy()
    mapped.data = np.load(tmp_path / "data.npy", mmap_mode="r")
    forms = [
        wide,
        mapped,
        ratings.tocsc(),
        ratings.tocoo(),
        ratings.tolil(),
        ratings.toarray(),
        sp.csr_matrix(ratings),
        ratings.astype(np.float64),
        ratings.astype(np.int8),
        ratings.astype(np.int64),
        ratings.astype(np.longdouble),
    ]
    before = ratings.data.copy()
    for form in forms:
        model = ImplicitALS(n_factors=7).fit(form)
        np.testing.assert_allclose(model.user_factors_, expected.user_factors_, atol=1e-4)
        np.testing.assert_allclose(model.item_factors_, expected.item_factors_, atol=1e-4)
    np.testing.assert_array_equal(ratings.data, before)


@pytest.mark.parametrize("solver", ["cholesky", "pcg", "cg", "subspace", "nonnegative"])
@pytest.mark.parametrize("n_factors", [1, 7, 64, 200])
def test_any_number_of_factors_and_empty_rows(ratings, solver, n_factors):
    X = ratings.toarray()
    X[[0, 40]], X[:, [3, 49]] = 0, 0
    model = ImplicitALS(n_factors=n_factors, solver=solver, max_iter=2).fit(X)
    assert np.isfinite(model.user_factors_).all()
    assert (model.user_factors_[[0, 40]] == 0).all()
    assert (model.recommend([0], k=5).indices == -1).all()  # no history
    lists = model.recommend([0], k=5, unknown="popular")
    assert (lists.indices >= 0).all()


def test_bits_do_not_depend_on_threads(ratings):
    for solver in ("cholesky", "pcg", "cg", "subspace"):
        a, b = (ImplicitALS(solver=solver, n_threads=n).fit(ratings) for n in (1, 3))
        np.testing.assert_array_equal(a.user_factors_, b.user_factors_)
        np.testing.assert_array_equal(a.item_factors_, b.item_factors_)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"n_factors": 0}, ValueError, "n_factors must be at least 1"),
        ({"n_factors": 2.5}, TypeError, "n_factors must be a whole number"),
        ({"n_factors": 10**9}, ValueError, "n_factors must be at most 16384"),
        ({"regularization": -0.5}, ValueError, "regularization must be at least 0"),
        ({"regularization": "0.1"}, TypeError, "regularization must be a number"),
        ({"alpha": -1}, ValueError, "alpha must be above 0"),
        ({"alpha": np.nan}, ValueError, "alpha must be finite"),
        ({"max_iter": -1}, ValueError, "max_iter must be at least 1"),
        ({"solver": "lu"}, ValueError, "solver must be one of"),
        ({"confidence": "hu"}, ValueError, "confidence must be one of added, linear, total"),
        ({"dtype": "float16"}, ValueError, "dtype must be 'float32' or 'float64'"),
        ({"n_threads": -1}, ValueError, "n_threads must be at least 1"),
        ({"random_state": "x"}, TypeError, "random_state must be a whole number"),
        ({"track_loss": "no"}, TypeError, "track_loss must be True or False"),
        ({"patience": 0}, ValueError, "patience must be at least 1"),
    ],
)
def test_wrong_parameters(ratings, parameters, error, message):
    with pytest.raises(error, match=message):
        ImplicitALS(**parameters).fit(ratings)


def test_extreme_values(ratings):
    X = ratings.copy()
    X.data = np.full(X.nnz, 1e-40, dtype=np.float32)
    assert np.isfinite(ImplicitALS(n_factors=4).fit(X).user_factors_).all()
    X.data = np.full(X.nnz, -1e5, dtype=np.float32)
    assert (ImplicitALS(n_factors=4).fit(X).user_factors_ == 0).all()
    X.data = np.full(X.nnz, 3e38, dtype=np.float32)
    with pytest.raises(NumericalError, match=r"^item \d+ has no finite .* scale the values down"):
        ImplicitALS(n_factors=4, alpha=100).fit(X)
    for value in (np.nan, np.inf):
        X.data[7] = value
        with pytest.raises(ValueError, match="not a finite number"):
            ImplicitALS().fit(X)


@pytest.mark.parametrize("solver", ["cholesky", "pcg", "cg", "subspace"])
def test_no_regularization_with_deficient_rows(ratings, solver):
    model = ImplicitALS(n_factors=60, regularization=0.0, solver=solver, max_iter=2)
    if solver == "cg":
        assert np.isfinite(model.fit(ratings).item_factors_).all()
    with pytest.raises(NumericalError, match="raise regularization"):
        model.set_params(solver="cholesky").fit(ratings)


# ---- training ----------------------------------------------------------------------------------


def test_a_callback_gets_events_and_may_stop(ratings):
    events = []

    def callback(event):
        events.append(event)
        return event.step == 3

    model = ImplicitALS(n_factors=4, track_loss=True).fit(ratings, callback=callback)
    assert [event.step for event in events] == [1, 2, 3]
    assert [event.values["loss"] for event in events] == model.losses_.tolist()
    assert {event.stage for event in events} == {"fit"}
    assert {event.n_steps for event in events} == {16}
    assert model.n_iter_ == 3
    assert events[0].model.recommend([0], k=2).indices.shape == (1, 2)
    with pytest.raises(TypeError, match="callback must be a function"):
        ImplicitALS().fit(ratings, callback=3)


def test_a_progress_bar(ratings, capsys, monkeypatch):
    monkeypatch.setattr("aimass_core.base.progress._BAR_AFTER", 0.0)
    ImplicitALS(n_factors=4, max_iter=3, track_loss=True).fit(ratings, verbose=True)
    shown = capsys.readouterr().err
    assert "fit [" in shown
    assert "3/3, loss" in shown
    ImplicitALS(n_factors=4, max_iter=3).fit(ratings)
    assert capsys.readouterr().err == ""
    with pytest.raises(TypeError, match="verbose must be True or False"):
        ImplicitALS(n_factors=4).fit(ratings, verbose=2)


def test_validation_keeps_the_best_factors(rng):
    X = sp.random_array((200, 60), density=0.2, random_state=rng, format="csr", dtype=np.float32)
    held = X.copy()
    test = rng.random(X.nnz) < 0.3
    X.data[test], held.data[~test] = 0, 0
    X.eliminate_zeros()
    held.eliminate_zeros()
    model = ImplicitALS(n_factors=30, max_iter=40, patience=2, metric="recall@5", solver="cholesky")
    model.fit(X, validation=held)
    assert model.n_iter_ == int(np.argmax(model.scores_)) + 1
    assert len(model.scores_) == min(40, model.n_iter_ + 2)
    again = ImplicitALS(n_factors=30, max_iter=model.n_iter_, solver="cholesky").fit(X)
    np.testing.assert_array_equal(model.user_factors_, again.user_factors_)


def test_tol_ends_training(ratings):
    model = ImplicitALS(n_factors=4, max_iter=500, tol=1e-3).fit(ratings)
    falls = -np.diff(model.losses_) / model.losses_[:-1]
    assert (falls[:-1] > 1e-3).all()
    assert falls[-1] <= 1e-3


def test_warm_start_goes_on(ratings):
    options = {"n_factors": 5, "solver": "cholesky", "dtype": "float64"}
    whole = ImplicitALS(max_iter=6, **options).fit(ratings)
    half = ImplicitALS(max_iter=3, **options).fit(ratings)
    for start in (half, (half.user_factors_, half.item_factors_)):
        gone_on = ImplicitALS(max_iter=3, **options).fit(ratings, start=start)
        np.testing.assert_allclose(gone_on.user_factors_, whole.user_factors_, atol=1e-10)
    for start, error in (
        ((half.user_factors_,), ValueError),
        ((half.user_factors_[:5], half.item_factors_), ValueError),
        ((half.user_factors_ * np.nan, half.item_factors_), ValueError),
        (ImplicitALS(), NotFittedError),
        (ItemKNN().fit(ratings), TypeError),
        (ImplicitALS(n_factors=3).fit(ratings), ValueError),
    ):
        with pytest.raises(error, match="start"):
            ImplicitALS(n_factors=5).fit(ratings, start=start)


def test_warm_start_by_id(ratings):
    data = Interactions.from_csr(ratings, users=np.arange(80), items=np.arange(50))
    model = ImplicitALS(n_factors=5).fit(data)
    part = data.subset(users=np.arange(79, 30, -1), items=np.arange(49, -1, -1))
    again = ImplicitALS(n_factors=5, max_iter=1, track_loss=True).fit(part, start=model)
    cold = ImplicitALS(n_factors=5, max_iter=1, track_loss=True).fit(part)
    assert again.losses_[0] < cold.losses_[0]


def test_refit_on_another_shape(ratings):
    model = ImplicitALS(n_factors=5).fit(ratings)
    for X in (ratings[:9, :20], ratings):
        fresh = ImplicitALS(n_factors=5).fit(X)
        np.testing.assert_array_equal(model.fit(X).user_factors_, fresh.user_factors_)


# ---- new rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["cholesky", "pcg", "cg"])
def test_fold_in_is_what_training_ends_with(ratings, solver):
    model = ImplicitALS(n_factors=12, solver=solver).fit(ratings)
    known, folded = model.recommend(k=9), model.recommend_new(ratings, k=9)
    np.testing.assert_array_equal(known.indices, folded.indices)
    np.testing.assert_array_equal(known.scores, folded.scores)


def test_recommend_users_finds_their_users(ratings):
    model = ImplicitALS(n_factors=12, solver="cholesky").fit(ratings)
    lists = model.recommend_users(ratings[:, :4], k=6)
    assert lists.indices.shape == (4, 6)
    dense = ratings.toarray()
    for item, (users, _) in enumerate(lists):
        assert (dense[users, item] == 0).all()
    with pytest.raises(ValueError, match=r"item_users has 7 users, but .* 80"):
        model.recommend_users(ratings[:7])
    named = Interactions.from_csr(ratings, users=np.arange(80) + 100, items=np.arange(50))
    model.fit(named)
    part = named.subset(users=np.arange(120, 179), items=[3, 1]).drop_empty()
    by_id = model.recommend_users(part, k=6)
    assert by_id.queries.tolist() == part.items.ids.tolist()
    assert set(by_id.ids.ravel().tolist()) <= set(range(100, 180))
    with pytest.raises(KeyError, match="unknown user"):
        model.recommend_users(Interactions.from_arrays([1], [1]))


def test_partial_fit_solves_what_changed(ratings):
    data = Interactions.from_csr(ratings, users=np.arange(80), items=np.arange(50))
    model = ImplicitALS(**EXACT).fit(data)
    before = copy.deepcopy(model)
    lists = model.similar_items([0], k=3)
    new = Interactions.from_arrays([5, 5, 900, 900], [3, 777, 777, 8], [4.0, 2.0, 1.0, 1.0])
    model.partial_fit(new, duplicates="last")
    assert model.user_factors_.shape == (81, 6)
    assert model.item_factors_.shape == (51, 6)
    users = model.users_.index(before.users_.ids)
    untouched = before.users_.ids != 5
    np.testing.assert_array_equal(
        model.user_factors_[users][untouched], before.user_factors_[untouched]
    )
    row = model.users_.index([5])[0]
    assert (model.user_factors_[row] != before.user_factors_[before.users_.index([5])[0]]).any()
    folded = model.recommend_new(model.user_items_, k=4)
    np.testing.assert_array_equal(folded.indices[row], model.recommend([5], k=4).indices[0])
    assert model.recommend([900], k=3).ids.shape == (1, 3)
    assert 777 in model.similar_items([777, 3], k=50).ids[1]
    assert lists.ids.shape == (1, 3)
    with pytest.raises(ValueError, match=r"duplicate|twice|once"):
        model.partial_fit(new)
    assert ImplicitALS(n_factors=3).partial_fit(ratings).user_factors_.shape == (80, 3)


def test_partial_fit_of_all_rows_is_an_epoch(ratings):
    data = Interactions.from_csr(ratings, users=np.arange(80), items=np.arange(50))
    model = ImplicitALS(**EXACT).fit(data)
    epoch = ImplicitALS(**EXACT | {"max_iter": 1}).fit(data, start=model)
    model.partial_fit(data, duplicates="last")
    np.testing.assert_allclose(model.user_factors_, epoch.user_factors_, atol=1e-9)


def test_explanations_add_up(ratings):
    model = ImplicitALS(n_factors=9, dtype="float64").fit(ratings)
    why = model.explain(3, 17, k=None)
    assert why.offset == pytest.approx(0, abs=1e-9)
    assert why.contributions.sum() == pytest.approx(model.predict([3], [17])[0])
    assert why.of == "items"
    X = ratings.toarray()
    assert set(why.indices.tolist()) == set(np.flatnonzero(X[3] > 0).tolist())
    assert len(model.explain(3, 17, k=2).indices) == 2
    with pytest.raises(KeyError, match="50 items"):
        model.explain(3, 50)


def test_similar_rows_are_those_with_the_same_entries(rng):
    X = (rng.random((60, 40)) < 0.3).astype(np.float32)
    X[7], X[:, 9] = X[31], X[:, 22]
    model = ImplicitALS(n_factors=10, max_iter=30, solver="cholesky").fit(X)
    assert model.similar_users([7], k=1).indices.tolist() == [[31]]
    assert model.similar_items([9], k=2).indices[0, 0] == 22
    assert (model.similar_items(np.arange(40), k=39).indices != np.arange(40)[:, None]).all()


# ---- process -----------------------------------------------------------------------------------


def _answers(model, X, queue):
    queue.put((model.recommend([1], k=3).indices, ImplicitALS(n_factors=4).fit(X).user_factors_))


def test_fork_pickle_and_copies(ratings):
    model = ImplicitALS(n_factors=4, n_threads=2).fit(ratings)
    expected = model.recommend([1], k=3).indices
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.recommend([1], k=3).indices, expected)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_answers, args=(model, ratings, queue))
    child.start()
    lists, factors = queue.get(timeout=60)
    child.join(timeout=60)
    np.testing.assert_array_equal(lists, expected)
    np.testing.assert_array_equal(factors, model.user_factors_)


def test_many_fits_leak_nothing(ratings):
    ImplicitALS(n_factors=16, max_iter=1).fit(ratings).recommend(k=3)
    before = psutil.Process().memory_info().rss
    for _ in range(100):
        ImplicitALS(n_factors=16, max_iter=1).fit(ratings).recommend(k=3)
    assert psutil.Process().memory_info().rss - before < 50 << 20
